"""Plans are read whole: every wrong line of a file is told, with its place and the way out."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import loadgen
from edge.load.document import TTL_MS
from loadgen.errors import UsageError
from loadgen.plan.document import parse, read
from loadgen.plan.inputs import Push, keys, numbers, value_at, with_value
from tests.loadgen.plan.examples import DOCUMENT, plan

PLANS = Path(loadgen.__file__).parent.parent / "plans"


def document(**changes: Any) -> dict[str, Any]:
    """The example with values at paths, two underscores for a dot."""
    made = copy.deepcopy(DOCUMENT)
    for path, value in changes.items():
        *tables, name = path.split("__")
        inner = made
        for table in tables:
            inner = inner.setdefault(table, {})
        inner[name] = value
    return made


class ReadingTests(SynchronousTestCase):
    """From TOML to a plan."""

    def problems(self, given: dict[str, Any]) -> list[str]:
        """The lines of the refusal."""
        return str(self.assertRaises(UsageError, parse, given, "p.toml")).splitlines()

    def test_an_unknown_key_is_told_with_its_place_and_the_nearest_one(self) -> None:
        """At every depth."""
        self.assertEqual(
            self.problems(document(session__think__mean=3, serversx=1)),
            [
                "p.toml: unknown key session.think.mean; did you mean mean_s?",
                "p.toml: unknown key serversx; did you mean servers?",
            ],
        )

    def test_a_key_like_no_other_gets_the_list(self) -> None:
        """Of its table."""
        (problem,) = self.problems(document(push__zzz=1))
        self.assertIn("there are share, opened_per_view, load_period_s", problem)

    def test_values_out_of_range_are_told_all_at_once(self) -> None:
        """Also what only TOML can say: infinity, and no number at all."""
        wrong = document(
            users__concurrent_at_peak=0,
            servers__count=1.5,
            servers__cores=True,
            push__share=float("nan"),
            limits__p99_ms=float("inf"),
            requests__confirm="some",
            forecast__timezone=5,
        )
        self.assertEqual(
            sorted(self.problems(wrong)),
            [
                "p.toml: forecast.timezone = 5: write a text in quotes",
                "p.toml: limits.p99_ms = Infinity: give a number from 0.01 to 60,000",
                "p.toml: push.share = NaN: give a number from 0 to 1",
                'p.toml: requests.confirm = "some": give "state" or "batch" or "each"',
                "p.toml: servers.cores = true: give a whole number from 1 to 4,096",
                "p.toml: servers.count = 1.5: give a whole number from 1 to 1,000,000",
                "p.toml: users.concurrent_at_peak = 0: give a whole number from 1 to 10,000,000,000",
            ],
        )

    def test_what_is_missing_is_told(self) -> None:
        """Tables and keys."""
        given = document()
        del given["servers"]["cores"], given["limits"]
        self.assertEqual(
            self.problems(given),
            [
                "p.toml: servers.cores is missing; give a whole number from 1 to 4,096",
                "p.toml: limits is missing; write a table [limits]",
            ],
        )

    def test_a_value_where_a_table_belongs(self) -> None:
        """Says how a table is written."""
        self.assertEqual(self.problems(document(push=3)), ["p.toml: push = 3: write a table [push]"])

    def test_values_that_contradict_each_other(self) -> None:
        """Though each is right for itself."""
        for changes, words in (
            ({"session__think__mean_s": 700}, "longer than the session"),
            ({"pages__fresh_share": 0.7, "pages__missing_share": 0.4}, "together they may be 1 at most"),
            ({"limits__failures": 4}, "one has to stay"),
            ({"servers__fixed_gigabytes": 60}, "leaves nothing"),
        ):
            self.assertIn(words, self.problems(document(**changes))[0])

    def test_files_that_are_none(self) -> None:
        """Missing, no text, no TOML."""
        place = Path(self.mktemp())
        self.assertIn("plans/ has examples", str(self.assertRaises(UsageError, read, place)))
        place.write_bytes(b"\xff")
        self.assertIn("no UTF-8", str(self.assertRaises(UsageError, read, place)))
        place.write_text("v = = 1")
        self.assertIn("no TOML", str(self.assertRaises(UsageError, read, place)))

    def test_the_examples_are_plans(self) -> None:
        """And the long one names every key, so that it can serve as the reference."""
        for file in sorted(PLANS.glob("*.toml")):
            self.assertTrue(read(file).title, file.name)
        text = (PLANS / "ten-million.toml").read_text()
        optional = {"packets_per_s", "connections_per_core", "sigma"}
        for path in keys():
            name = path.rpartition(".")[2]
            if name not in optional:
                self.assertRegex(text, rf"(?m)^{name} = ", path)


class PathTests(SynchronousTestCase):
    """Values by name."""

    def test_a_value_is_read_and_replaced_by_its_path(self) -> None:
        """The original stays."""
        before = plan()
        after = with_value(before, "session.think.mean_s", 7.0)
        self.assertEqual(value_at(after, "session.think.mean_s"), 7.0)
        self.assertEqual(value_at(before, "session.think.mean_s"), 60.0)

    def test_every_number_has_a_range(self) -> None:
        """Only texts, choices and switches have none."""
        without = set(keys()) - {number.path for number in numbers()}
        self.assertEqual(
            without,
            {"v", "title", "session.think.kind", "requests.confirm", "requests.ip_version",
             "servers.conntrack", "forecast.users", "forecast.timezone"},
        )  # fmt: skip

    def test_a_load_period_is_the_nodes_own_by_default(self) -> None:
        """Nine tenths of what clients would poll."""
        self.assertEqual(Push().load_period_s, TTL_MS / 1000 * 0.9)
