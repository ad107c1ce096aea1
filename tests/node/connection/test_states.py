"""The table of a connection's states."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from edge.node.connection import states
from edge.node.connection.states import SERVING, TRANSITIONS, ConnectionEvent, ConnectionLife, ConnectionState
from edge.node.process.machine import ImpossibleEvent, describe


class StateTests(SynchronousTestCase):
    """Every pair of a state and an event, and the ways through them."""

    def test_the_table_is_the_one_that_is_drawn(self) -> None:
        """In the module's docstring."""
        drawn = [line.strip() for line in (states.__doc__ or "").splitlines() if "-->" in line]
        self.assertEqual(drawn, describe(TRANSITIONS).splitlines())

    def test_what_is_not_in_the_table_is_a_mistake_and_changes_nothing(self) -> None:
        """Every pair is tried."""
        for state, event in product(ConnectionState, ConnectionEvent):
            life = ConnectionLife()
            life.state = state
            if (state, event) in TRANSITIONS:
                life.happens(event)
                self.assertIs(life.state, TRANSITIONS[state, event])
            else:
                self.assertRaises(ImpossibleEvent, life.happens, event)
                self.assertIs(life.state, state)

    def test_a_request_goes_through_the_states_in_order_and_back_to_the_first(self) -> None:
        """Only its own bytes are read on the way."""
        life = ConnectionLife(handshake=True)
        seen = [(life.state.value, life.is_reading, life.is_serving)]
        for event in (
            ConnectionEvent.HANDSHAKE_OVER,
            ConnectionEvent.FIRST_BYTE,
            ConnectionEvent.HEAD_READ,
            ConnectionEvent.REQUEST_READ,
            ConnectionEvent.ANSWERED,
            ConnectionEvent.LAST,
        ):
            life.happens(event)
            seen.append((life.state.value, life.is_reading, life.is_serving))
        self.assertEqual(
            seen,
            [
                ("handshake", False, True),
                ("idle", True, True),
                ("head", True, True),
                ("body", True, True),
                ("answering", False, True),
                ("idle", True, True),
                ("lingering", False, False),
            ],
        )

    def test_every_state_can_be_reached_and_left_but_the_last(self) -> None:
        """From which nothing leads on."""
        beginnings = {ConnectionLife(handshake).state for handshake in (False, True)}
        self.assertEqual({*TRANSITIONS.values(), *beginnings}, {*ConnectionState})
        self.assertEqual({before for before, _ in TRANSITIONS}, {*ConnectionState} - {ConnectionState.GONE})

    def test_nothing_leads_back_to_requests_once_the_last_one_is_over(self) -> None:
        """A connection that lingers, or is aborted, never serves again."""
        for (before, _), after in TRANSITIONS.items():
            if before not in SERVING:
                self.assertNotIn(after, SERVING)

    def test_a_connection_can_be_lost_in_every_state_in_which_there_is_one(self) -> None:
        """Peers go when they like."""
        for state in ConnectionState:
            self.assertEqual((state, ConnectionEvent.LOST) in TRANSITIONS, state is not ConnectionState.GONE)
