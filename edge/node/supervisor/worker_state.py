"""The states of one position for a worker process, and what leads from one to the next.

::

    stopped --spawned--> starting
    stopped --not spawned--> waiting
    stopped --told to drain--> stopped
    waiting --spawned--> starting
    waiting --not spawned--> waiting
    waiting --told to drain--> stopped
    starting --prepared--> prepared
    starting --told to drain--> draining
    starting --to be replaced--> replaced
    starting --ended--> waiting
    prepared --opened--> accepting
    prepared --published--> ready
    prepared --told to drain--> draining
    prepared --to be replaced--> replaced
    prepared --ended--> waiting
    accepting --opened--> accepting
    accepting --published--> ready
    accepting --told to drain--> draining
    accepting --to be replaced--> replaced
    accepting --ended--> waiting
    ready --published--> ready
    ready --told to drain--> draining
    ready --to be replaced--> replaced
    ready --ended--> waiting
    replaced --prepared--> replaced
    replaced --told to drain--> draining
    replaced --to be replaced--> replaced
    replaced --ended--> stopped
    draining --prepared--> draining
    draining --told to drain--> draining
    draining --ended--> stopped

*Waiting*: the process died, or could not be spawned, and another is started in a while.  *Accepting*: the
worker takes connections, but answers 503 to what is not published yet.  *Replaced*: it drains, and its
successor starts with other settings; for everybody else it is draining.
"""

from __future__ import annotations

from enum import Enum

from edge.node.process.machine import StateMachine


class WorkerState(Enum):
    """What the position of a worker is filled with, if with anything."""

    STOPPED = "stopped"
    WAITING = "waiting"
    STARTING = "starting"
    PREPARED = "prepared"
    ACCEPTING = "accepting"
    READY = "ready"
    REPLACED = "replaced"
    DRAINING = "draining"


class WorkerEvent(Enum):
    """What happens to a position for a worker."""

    SPAWNED = "spawned"
    NOT_SPAWNED = "not spawned"
    #: It has taken its settings and does not accept yet.
    PREPARED = "prepared"
    #: It is to accept connections, before the site is published.
    OPENED = "opened"
    #: It is to accept connections; the site is published.
    PUBLISHED = "published"
    TOLD_TO_DRAIN = "told to drain"
    TO_BE_REPLACED = "to be replaced"
    #: The process is gone, for whatever reason.
    ENDED = "ended"


_S, _E = WorkerState, WorkerEvent

TRANSITIONS: dict[tuple[WorkerState, WorkerEvent], WorkerState] = {
    (_S.STOPPED, _E.SPAWNED): _S.STARTING,
    (_S.STOPPED, _E.NOT_SPAWNED): _S.WAITING,
    (_S.STOPPED, _E.TOLD_TO_DRAIN): _S.STOPPED,
    (_S.WAITING, _E.SPAWNED): _S.STARTING,
    (_S.WAITING, _E.NOT_SPAWNED): _S.WAITING,
    (_S.WAITING, _E.TOLD_TO_DRAIN): _S.STOPPED,
    (_S.STARTING, _E.PREPARED): _S.PREPARED,
    (_S.STARTING, _E.TOLD_TO_DRAIN): _S.DRAINING,
    (_S.STARTING, _E.TO_BE_REPLACED): _S.REPLACED,
    (_S.STARTING, _E.ENDED): _S.WAITING,
    (_S.PREPARED, _E.OPENED): _S.ACCEPTING,
    (_S.PREPARED, _E.PUBLISHED): _S.READY,
    (_S.PREPARED, _E.TOLD_TO_DRAIN): _S.DRAINING,
    (_S.PREPARED, _E.TO_BE_REPLACED): _S.REPLACED,
    (_S.PREPARED, _E.ENDED): _S.WAITING,
    (_S.ACCEPTING, _E.OPENED): _S.ACCEPTING,
    (_S.ACCEPTING, _E.PUBLISHED): _S.READY,
    (_S.ACCEPTING, _E.TOLD_TO_DRAIN): _S.DRAINING,
    (_S.ACCEPTING, _E.TO_BE_REPLACED): _S.REPLACED,
    (_S.ACCEPTING, _E.ENDED): _S.WAITING,
    (_S.READY, _E.PUBLISHED): _S.READY,
    (_S.READY, _E.TOLD_TO_DRAIN): _S.DRAINING,
    (_S.READY, _E.TO_BE_REPLACED): _S.REPLACED,
    (_S.READY, _E.ENDED): _S.WAITING,
    (_S.REPLACED, _E.PREPARED): _S.REPLACED,
    (_S.REPLACED, _E.TOLD_TO_DRAIN): _S.DRAINING,
    (_S.REPLACED, _E.TO_BE_REPLACED): _S.REPLACED,
    (_S.REPLACED, _E.ENDED): _S.STOPPED,
    (_S.DRAINING, _E.PREPARED): _S.DRAINING,
    (_S.DRAINING, _E.TOLD_TO_DRAIN): _S.DRAINING,
    (_S.DRAINING, _E.ENDED): _S.STOPPED,
}

#: How ``/status`` names the states that only the supervisor tells apart.
_NAMES = {WorkerState.PREPARED: "starting", WorkerState.REPLACED: "draining"}


class WorkerLife(StateMachine[WorkerState, WorkerEvent]):
    """The state machine of one position."""

    def __init__(self) -> None:
        super().__init__(TRANSITIONS, WorkerState.STOPPED)

    @property
    def name(self) -> str:
        """The state as ``/status`` has it: stopped, waiting, starting, accepting, ready or draining."""
        return _NAMES.get(self.state, self.state.value)

    @property
    def is_settled(self) -> bool:
        """Whether it accepts, or never will."""
        return self.state in (WorkerState.ACCEPTING, WorkerState.READY, WorkerState.STOPPED)
