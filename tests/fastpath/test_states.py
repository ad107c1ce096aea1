"""The transitions of a connection: as drawn, as checked in C, and as the twin has them."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import edge.fastpath
from edge.fastpath.connection import TRANSITIONS, State

SOURCES = Path(edge.fastpath.__file__).parent / "src"
NAMES = {(before.name, after.name) for before, states in TRANSITIONS.items() for after in states}
#: Of requests that are passed on to applications, which the twin hands off instead.
RELAYED = {
    ("IDLE", "ASKED"), ("READING", "ASKED"), ("ASKED", "GIVING"), ("GIVING", "ASKED"), ("ASKED", "IDLE"),
    ("ASKED", "HANDED"), ("ASKED", "FREE"), ("GIVING", "FREE"),
    ("IDLE", "HELD"), ("READING", "HELD"), ("HELD", "IDLE"), ("HELD", "HANDED"), ("HELD", "FREE"),
}  # fmt: skip


class TransitionTests(SynchronousTestCase):
    """Whoever changes one of the three changes all."""

    def test_the_drawing_shows_those_of_the_twin(self) -> None:
        drawn = set()
        for before, after in re.findall(
            r"^ \*     ([A-Z ]+?) +---> ([A-Z]+)", (SOURCES / "edge_loop.h").read_text(), re.MULTILINE
        ):
            drawn |= {(one, after) for one in before.split()}
        self.assertEqual(drawn, NAMES | RELAYED)

    def test_c_checks_those_of_the_twin(self) -> None:
        checked = set()
        for before, after in re.findall(
            r"\[EDGE_CONN_([A-Z]+)\] = ([^,]+),", (SOURCES / "edge_connection.h").read_text()
        ):
            checked |= {(before, one) for one in re.findall(r"TO\(([A-Z]+)\)", after)}
        self.assertEqual(checked, NAMES | RELAYED)

    def test_states_are_set_in_one_place(self) -> None:
        """Where the transition is checked and the deadline begins."""
        for name in ("edge_connection.c", "edge_loop.c"):
            self.assertNotRegex((SOURCES / name).read_text(), r"->state = ")
        self.assertEqual((SOURCES / "edge_connection.h").read_text().count("->state = "), 1)
        self.assertEqual((SOURCES.parent / "twin.py").read_text().count(".state = "), 1)

    def test_every_state_is_reached_and_left(self) -> None:
        for state in State:
            self.assertIn(state.name, {after for _, after in NAMES})
            self.assertTrue(TRANSITIONS[state] - {state}, state)
