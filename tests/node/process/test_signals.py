"""Every signal has an answer."""

from __future__ import annotations

import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from edge.node.process.signals import LEFT, ignore_signals, let_signals_in, signals_held_back, take_signals
from tests.node.reactors import SignalledReactor


class SignalTests(SynchronousTestCase):
    """:mod:`edge.node.process.signals`, on this very process."""

    def setUp(self) -> None:
        for number in signal.valid_signals() - LEFT:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.addCleanup(
            signal.pthread_sigmask, signal.SIG_SETMASK, signal.pthread_sigmask(signal.SIG_BLOCK, ())
        )

    def test_every_signal_but_faults_and_those_of_the_kernel_is_survived(self) -> None:
        """The real-time signals, too."""
        ignore_signals()
        sent = signal.valid_signals() - LEFT
        for number in sorted(sent):
            os.kill(os.getpid(), number)
        for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM, signal.SIGTSTP, signal.SIGRTMIN):
            self.assertIn(number, sent)

    def test_those_with_an_action_call_it_in_the_reactor_and_nothing_else_does(self) -> None:
        """Also when the same signal comes twice."""
        reactor = SignalledReactor()
        take_signals({signal.SIGUSR2: self.id}, reactor)
        for number in (signal.SIGUSR2, signal.SIGUSR1, signal.SIGWINCH, signal.SIGQUIT, signal.SIGUSR2):
            os.kill(os.getpid(), number)
        self.assertEqual(reactor.calls, [self.id, self.id])

    def test_what_came_while_signals_were_held_back_comes_afterwards(self) -> None:
        """A process that is spawned meanwhile inherits the mask."""
        reactor = SignalledReactor()
        take_signals({signal.SIGUSR2: self.id}, reactor)
        with signals_held_back():
            pid = os.fork()
            if not pid:  # as the new process
                os.kill(os.getpid(), signal.SIGUSR2)
                before = list(reactor.calls)
                let_signals_in()
                os._exit(0 if (before, reactor.calls) == ([], [self.id]) else 1)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertEqual(signal.pthread_sigmask(signal.SIG_BLOCK, ()), set())
