"""The life of a node, and of each of its workers, as a state machine.

::

    starting --published--> ready
    starting --told to end--> draining
    ready --told to end--> draining
    draining --published--> draining
    draining --ended--> stopped
    stopped --published--> stopped

A node that starts accepts connections, but answers 503 to what is not published yet; one that drains finishes
what runs.  Both take no new clients.
"""

from __future__ import annotations

from enum import Enum

from edge.node.process.machine import Machine


class State(Enum):
    """Where a node is in its life; the values are what ``/status`` and ``/.edge/ready`` say."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class Event(Enum):
    """What happens to a node."""

    #: All that it has to serve is in its table.
    PUBLISHED = "published"
    #: By a signal, by ``edgectl drain``, or because it failed.
    TOLD_TO_END = "told to end"
    #: Nothing runs any more.
    ENDED = "ended"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.STARTING, Event.PUBLISHED): State.READY,
    (State.STARTING, Event.TOLD_TO_END): State.DRAINING,
    (State.READY, Event.TOLD_TO_END): State.DRAINING,
    (State.DRAINING, Event.PUBLISHED): State.DRAINING,
    (State.DRAINING, Event.ENDED): State.STOPPED,
    (State.STOPPED, Event.PUBLISHED): State.STOPPED,
}


class Life(Machine[State, Event]):
    """The life of one node or worker."""

    def __init__(self) -> None:
        super().__init__(TRANSITIONS, State.STARTING)

    @property
    def is_ready(self) -> bool:
        """Whether new clients may come."""
        return self.state is State.READY
