"""The table that a publisher writes to, and what it is for a node alone.

A node of a cluster publishes into :class:`edge.node.cluster.replicated_table.ReplicatedTable`, to which the
other nodes publish as well; a node alone into :class:`LocalTable`.  Both write with
:class:`edge.table.writer.Writer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.gossip.steps import Steps
from edge.table.site_state import StateEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Set

    from edge.resource import Representation, Resource
    from edge.table.writer import Writer


class Table(Protocol):
    """A table to publish to, which other nodes may publish to as well."""

    @property
    def sequence(self) -> int:
        """Changes so far."""

    def put(self, resource: Resource, spill: Callable[[Representation], None]) -> bool:
        """Publish; False: it does not fit.  A body without room goes to *spill*."""

    def remove(self, path: bytes) -> bool:
        """Take away; whether it was there."""

    def begin_step(self) -> None:
        """What changes from now on belongs together: until it ends, readers are at no state of the site."""

    def end_step(self) -> None:
        """What has changed until now belongs together.

        Between no :meth:`begin_step` and :meth:`end_step`, each change is a step of its own.
        """

    def set_complete(self, complete: bool) -> None:
        """Whether all that this node publishes is in the table."""

    def reclaim(self) -> int:
        """Free what nobody reads any more."""

    def end_first_publish(self) -> None:
        """The first publish is through: what files say counts from now on, whatever other nodes have."""

    def vanished(self, files: Container[bytes]) -> Iterable[bytes | None]:
        """Paths that this node published in an earlier life, and has no *files* of; None: a step without."""

    def vanished_rules(self, kept: Container[bytes]) -> Iterable[bytes | None]:
        """Likewise of rules that lead elsewhere, those that are not *kept*."""

    def is_current(self, resource: Resource) -> bool:
        """Whether no other node has published anything else there since."""

    def has_same_originals(self, resource: Resource) -> bool:
        """Whether another node has published the same there, coded in whatever way."""

    def owns(self, path: bytes) -> bool:
        """Whether this node published what is there now."""

    def has(self, path: bytes, here: bool) -> bool:
        """Whether anything is published there; *here*: whether this node's files have it."""

    def look_up(self, path: bytes) -> Resource | None:
        """What another node published there."""

    def bodies_of_others(self) -> Iterable[Set[bytes]]:
        """ETags of the bodies of other nodes' entries, in short steps."""


class LocalTable:
    """The table of a node alone, to which nobody else publishes; implements :class:`Table`."""

    def __init__(
        self, writer: Writer, state: StateEntry | None = None, node: str = "", life: int = 0
    ) -> None:
        """*life*: a number that tells the lives of the node *node* apart."""
        self._writer = writer
        self._state = state if state is not None else StateEntry(writer)
        self._steps = Steps()
        self._node = node
        self._life = life
        self._changes = 0
        self._held = 0

    @property
    def sequence(self) -> int:
        return self._writer.sequence

    def put(self, resource: Resource, spill: Callable[[Representation], None]) -> bool:
        self._state.open()
        is_seen = not self._writer.has_originals(resource)
        fits = self._writer.put(resource, spill)
        self._changed(resource.path, is_seen)
        return fits

    def remove(self, path: bytes) -> bool:
        self._state.open()
        removed = self._writer.remove(path)
        self._changed(path)
        return removed

    def begin_step(self) -> None:
        self._held += 1

    def end_step(self) -> None:
        self._held -= 1
        self._settle()

    def _changed(self, path: bytes, is_seen: bool = True) -> None:
        self._changes += 1
        self._steps.applied(self._node, self._changes, path, is_seen)
        self._settle()

    def _settle(self) -> None:
        if self._held or not self._changes:
            return
        self._steps.marked(self._node, self._changes)
        self._steps.reached({self._node: (self._life, self._changes)})
        self._state.settle(self._steps.history, 0)

    def set_complete(self, complete: bool) -> None:
        self._writer.set_complete(complete)

    def reclaim(self) -> int:
        return self._writer.reclaim()

    def end_first_publish(self) -> None:
        """Files have always counted: nobody else has anything."""

    def vanished(self, files: Container[bytes]) -> Iterable[bytes | None]:
        """None: the table began empty."""
        return ()

    def vanished_rules(self, kept: Container[bytes]) -> Iterable[bytes | None]:
        """None: the table began empty."""
        return ()

    def is_current(self, resource: Resource) -> bool:
        """Always: nobody else publishes."""
        return True

    def has_same_originals(self, resource: Resource) -> bool:
        """Never: nobody else publishes."""
        return False

    def owns(self, path: bytes) -> bool:
        """Always: nobody else publishes."""
        return True

    def has(self, path: bytes, here: bool) -> bool:
        """Whether this node's files have it."""
        return here

    def look_up(self, path: bytes) -> Resource | None:
        """Nothing: nobody else publishes."""
        return None

    def bodies_of_others(self) -> Iterable[Set[bytes]]:
        """None: nobody else publishes."""
        return ()
