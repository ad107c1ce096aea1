"""The table of a connection's states."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from edge.node.connection.states import SERVING, TRANSITIONS, Happening, State, next_state, print_table


class StateTests(SynchronousTestCase):
    """Every pair of a state and a happening, and the ways through them."""

    def test_every_pair_is_in_the_table_or_raises(self) -> None:
        for state, happening in product(State, Happening):
            if (state, happening) in TRANSITIONS:
                self.assertIs(next_state(state, happening), TRANSITIONS[state, happening])
            else:
                error = self.assertRaises(RuntimeError, next_state, state, happening)
                self.assertEqual(str(error), f"{happening.name} in the state {state.name}")

    def test_a_request_goes_through_the_states_in_order_and_back_to_the_first(self) -> None:
        state = State.IDLE
        for happening, expected in (
            (Happening.FIRST_BYTE, State.HEAD),
            (Happening.HEAD_READ, State.BODY),
            (Happening.REQUEST_READ, State.ANSWERING),
            (Happening.ANSWERED, State.IDLE),
        ):
            state = next_state(state, happening)
            self.assertIs(state, expected)

    def test_every_state_can_be_reached_and_left_but_the_last(self) -> None:
        self.assertEqual({*TRANSITIONS.values()}, {*State})
        self.assertEqual({before for before, _ in TRANSITIONS}, {*State} - {State.GONE})

    def test_nothing_leads_back_to_requests_once_the_last_one_is_over(self) -> None:
        for (before, _), after in TRANSITIONS.items():
            if before >= State.LINGERING:
                self.assertGreaterEqual(after, State.LINGERING)
        self.assertEqual(SERVING, tuple(state for state in State if state < State.LINGERING))

    def test_a_connection_can_be_lost_in_every_state_in_which_there_is_one(self) -> None:
        for state in State:
            self.assertEqual((state, Happening.LOST) in TRANSITIONS, state is not State.GONE)

    def test_only_an_idle_connection_returns_and_only_an_answering_one_is_upgraded(self) -> None:
        ways = {
            (before, how) for before, how in TRANSITIONS if how in (Happening.RETURNED, Happening.UPGRADED)
        }
        self.assertEqual(ways, {(State.IDLE, Happening.RETURNED), (State.ANSWERING, Happening.UPGRADED)})

    def test_the_table_can_be_printed_a_line_for_each_state(self) -> None:
        lines = print_table().splitlines()
        self.assertEqual([line.split()[0] for line in lines], [state.name for state in State])
        self.assertIn("HEAD_READ -> BODY", lines[State.HEAD - 1])
        self.assertIn("the end", lines[-1])
