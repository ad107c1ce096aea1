"""Which signal does what."""

from __future__ import annotations

import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from edge.node.supervisor import signals
from edge.node.supervisor.signals import SIGNALS, Action, take_signals


class Reactor:
    """Remembers what it was given from a signal handler."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def callFromThread(self, call: object) -> None:
        """As the reactor has it."""
        self.calls.append(call)


class SignalTests(SynchronousTestCase):
    """:mod:`edge.node.supervisor.signals`."""

    def setUp(self) -> None:
        for number in SIGNALS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def test_each_calls_its_action_in_the_reactor(self) -> None:
        """A handler runs between any two instructions: it may do nothing itself."""
        reactor, actions = Reactor(), {Action.DRAIN: lambda: "drain", Action.RELOAD: lambda: "reload"}
        take_signals(actions, reactor)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(os.getpid(), number)
        wanted = (Action.DRAIN, Action.RELOAD, Action.DRAIN)
        self.assertEqual(reactor.calls, [actions[action] for action in wanted])

    def test_the_table_is_the_one_that_is_told(self) -> None:
        """In the module's docstring."""
        told = [line.split()[:2] for line in (signals.__doc__ or "").splitlines() if "    SIG" in line]
        self.assertEqual(told, [[number.name, action.value] for number, action in SIGNALS.items()])
