"""Signals of the processes of a node: each has an answer, and none ends a process by surprise.

A process names the signals that it acts on (:func:`take_signals`); the table of the supervisor stands in
``supervisor/signals.py``, that of a worker in ``worker/__main__.py``.  Those of :data:`LEFT` keep the answer
of the kernel or of the runtime.  All others are ignored, the real-time signals, too: without that most would
end the process, and SIGTSTP (Ctrl-Z) would leave its connections waiting.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

#: Faults of the program itself end it, and leave a core where that is allowed; SIGCHLD is the reactor's;
#: SIGSTOP, SIGKILL and SIGCONT are the kernel's.
LEFT = frozenset(
    {
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGTRAP,
        signal.SIGCHLD,
        signal.SIGCONT,
        signal.SIGKILL,
        signal.SIGSTOP,
    }
)


def take_signals(actions: Mapping[signal.Signals, Callable[[], object]], reactor: Any) -> None:
    """From now on each of these signals has its action called in the reactor's thread; ignore all others."""
    ignore_signals(but=actions.keys())
    for number, act in actions.items():
        _take(number, act, reactor)


def _take(number: signal.Signals, act: Callable[[], object], reactor: Any) -> None:
    signal.signal(number, lambda *_: reactor.callFromThread(act))


def ignore_signals(but: Collection[signal.Signals] = ()) -> None:
    """Ignore every signal that is neither one of *but* nor of :data:`LEFT`."""
    for number in signal.valid_signals() - LEFT - set(but):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """What is spawned meanwhile gets no signal until it calls :func:`let_signals_in`.

    Until a new process has said what it does with signals, most of them would end it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - LEFT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_signals_in() -> None:
    """Get signals from now on, and those that were held back."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
