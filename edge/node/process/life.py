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

from edge.node.process.machine import StateMachine


class NodeState(Enum):
    """Where a node is in its life; the values are what ``/status`` and ``/.edge/ready`` say."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class NodeEvent(Enum):
    """What happens to a node."""

    #: All that it has to serve is in its table.
    PUBLISHED = "published"
    #: By a signal, by ``edgectl drain``, or because it failed.
    TOLD_TO_END = "told to end"
    #: Nothing runs any more.
    ENDED = "ended"


TRANSITIONS: dict[tuple[NodeState, NodeEvent], NodeState] = {
    (NodeState.STARTING, NodeEvent.PUBLISHED): NodeState.READY,
    (NodeState.STARTING, NodeEvent.TOLD_TO_END): NodeState.DRAINING,
    (NodeState.READY, NodeEvent.TOLD_TO_END): NodeState.DRAINING,
    (NodeState.DRAINING, NodeEvent.PUBLISHED): NodeState.DRAINING,
    (NodeState.DRAINING, NodeEvent.ENDED): NodeState.STOPPED,
    (NodeState.STOPPED, NodeEvent.PUBLISHED): NodeState.STOPPED,
}


class Life(StateMachine[NodeState, NodeEvent]):
    """The life of one node or worker."""

    def __init__(self) -> None:
        super().__init__(TRANSITIONS, NodeState.STARTING)

    @property
    def is_ready(self) -> bool:
        """Whether new clients may come."""
        return self.state is NodeState.READY
