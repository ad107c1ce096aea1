"""Which signal does what."""

from __future__ import annotations

import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from edge.node.process.signals import LEFT
from edge.node.supervisor import signals
from edge.node.supervisor.signals import SIGNALS, Action, ignore_while_starting, take_signals
from tests.node.reactors import SignalledReactor


class SignalTests(SynchronousTestCase):
    """:mod:`edge.node.supervisor.signals`."""

    def setUp(self) -> None:
        for number in signal.valid_signals() - LEFT:
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def test_each_calls_its_action_in_the_reactor(self) -> None:
        """A handler runs between any two instructions: it may do nothing itself."""
        reactor, actions = SignalledReactor(), {action: action.name.lower for action in Action}
        take_signals(actions, reactor)
        for number in SIGNALS:
            os.kill(os.getpid(), number)
        self.assertEqual(reactor.calls, [actions[action] for action in SIGNALS.values()])

    def test_while_it_starts_only_those_that_end_it_do_anything(self) -> None:
        """They end it at once: there is nothing to drain."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        ignore_while_starting()
        for number, action in SIGNALS.items():
            wanted = before[number] if action is Action.DRAIN else signal.SIG_IGN
            self.assertIs(signal.getsignal(number), wanted, number)

    def test_the_table_is_the_one_that_is_told(self) -> None:
        """In the module's docstring."""
        told = [line.split()[:2] for line in (signals.__doc__ or "").splitlines() if "    SIG" in line]
        self.assertEqual(told, [[number.name, action.value] for number, action in SIGNALS.items()])
