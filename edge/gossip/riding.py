"""Which bodies ride along with what is told of an answer: small ones, so many bytes a second to each node.

Sans-IO.  A token bucket for each node: bytes come back at :data:`RIDING_A_SECOND`, and no more gather than
that.  So what is sent to a node that takes nothing, or to one that wants everything, is bounded; what does
not ride is pulled, which goes at the pace of who pulls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from edge.gossip.entries import RIDING_BYTES, Bodies, Done, Told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.gossip.entries import EntryMessage

#: Bytes of bodies that ride to one node in a second, and at once: a vote in the demonstration has
#: 0.2 MB made anew.
RIDING_A_SECOND = 1 << 20


def riding(bodies: Iterable[bytes | None]) -> Bodies:
    """*bodies* of all variants of one answer, if together they are small enough to ride; else none.

    None: one that is not at hand.
    """
    wanted = list(bodies)
    found = tuple(body for body in wanted if body is not None)
    return found if len(found) == len(wanted) and sum(map(len, found)) <= RIDING_BYTES else ()


class Riding:
    """What may still ride to each node."""

    def __init__(self) -> None:
        #: Node -> bytes left, and when that was.
        self._left: dict[str, tuple[float, float]] = {}

    def fit(self, node: str, message: EntryMessage, now: float) -> EntryMessage:
        """*message* as it goes to *node* at *now*: with its bodies, if they are within the rate."""
        if not isinstance(message, Done | Told) or not message.bodies:
            return message
        left, at = self._left.get(node, (float(RIDING_A_SECOND), now))
        left = min(RIDING_A_SECOND, left + (now - at) * RIDING_A_SECOND)
        count = sum(map(len, message.bodies))
        fits = count <= left
        self._left[node] = (left - count if fits else left), now
        return message if fits else without_bodies(message)

    def forget(self, node: str) -> None:
        """*node* is not connected any more."""
        self._left.pop(node, None)


def without_bodies(message: EntryMessage) -> EntryMessage:
    """*message*, its bodies to be pulled."""
    return replace(message, bodies=()) if isinstance(message, Done | Told) and message.bodies else message
