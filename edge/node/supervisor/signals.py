"""The signals of a supervisor, and what each does.

::

    SIGTERM  drain    finish what runs within --drain-seconds, then end; a second one does not wait
    SIGINT   drain    the same: Ctrl-C
    SIGQUIT  drain    the same: Ctrl-backslash
    SIGXCPU  drain    the same: the limit on CPU time (LimitCPU=) is reached
    SIGPWR   drain    the same: the power fails
    SIGHUP   reload   configuration, certificates, logs
    SIGUSR1  reopen   logs: they were renamed

All others are ignored but those that no process should take (:data:`edge.node.process.signals.LEFT`).  They
are taken instead of the reactor's own, with which the process would end by the signal.  Workers act on
SIGTERM alone: of everything else they are told by the supervisor.
"""

from __future__ import annotations

import signal
from enum import Enum
from typing import TYPE_CHECKING, Any

from edge.node.process import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Action(Enum):
    """What a signal has the supervisor do."""

    DRAIN = "drain"
    RELOAD = "reload"
    REOPEN = "reopen"


SIGNALS: dict[signal.Signals, Action] = {
    signal.SIGTERM: Action.DRAIN,
    signal.SIGINT: Action.DRAIN,
    signal.SIGQUIT: Action.DRAIN,
    signal.SIGXCPU: Action.DRAIN,
    signal.SIGPWR: Action.DRAIN,
    signal.SIGHUP: Action.RELOAD,
    signal.SIGUSR1: Action.REOPEN,
}


def take_signals(actions: Mapping[Action, Callable[[], object]], reactor: Any) -> None:
    """From now on each of :data:`SIGNALS` has its action called in the reactor's thread."""
    signals.take_signals({number: actions[action] for number, action in SIGNALS.items()}, reactor)


def ignore_while_starting() -> None:
    """Ignore every signal but those that end: as long as there is nothing to drain, they end at once."""
    signals.ignore_signals(but=[number for number, action in SIGNALS.items() if action is Action.DRAIN])
