"""The signals of a supervisor, and what each does.

::

    SIGTERM  drain    finish what runs within --drain-seconds, then end; a second one does not wait
    SIGINT   drain    the same: Ctrl-C
    SIGHUP   reload   configuration, certificates, access log

They are taken instead of the reactor's own, with which the process would end by the signal.
"""

from __future__ import annotations

import signal
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Action(Enum):
    """What a signal has the supervisor do."""

    DRAIN = "drain"
    RELOAD = "reload"


SIGNALS: dict[signal.Signals, Action] = {
    signal.SIGTERM: Action.DRAIN,
    signal.SIGINT: Action.DRAIN,
    signal.SIGHUP: Action.RELOAD,
}


def take_signals(actions: Mapping[Action, Callable[[], object]], reactor: Any) -> None:
    """From now on each of :data:`SIGNALS` has its action called in the reactor's thread."""
    for number, action in SIGNALS.items():
        _take(number, actions[action], reactor)


def _take(number: signal.Signals, act: Callable[[], object], reactor: Any) -> None:
    signal.signal(number, lambda *_: reactor.callFromThread(act))
