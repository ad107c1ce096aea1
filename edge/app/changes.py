"""What an application says of its data: :func:`changed`.

In an application that the node runs, or that speaks edge-app/1, all nodes that are connected learn of it, and
this waits until they have: the next answer, from any of them, is not older.  Elsewhere it becomes the field
``Cache-Group-Invalidation`` (RFC 9875) of the answer that is being made, where a middleware of
:mod:`.middleware` is around the application; and nothing at all otherwise.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Protocol

from edge.app.marks import current, group_name

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

#: Seconds that a thread waits: the node itself waits for other nodes for a tenth of one.
PATIENCE = 1.0


class Node(Protocol):
    """The node, for who can tell it something."""

    def changed(self, groups: Sequence[bytes], settled: Callable[[int | None], None]) -> None:
        """Tell it; may be called in any thread, as *settled*, which gets None if nobody can know."""


#: Set by what runs the application in a process of the node.
node: Node | None = None


class Settling:
    """A change on its way; may be awaited, and says then how many nodes have not settled it in time."""

    def __init__(self) -> None:
        #: Nodes that did not settle within 100 ms; None: not known.
        self.unsettled: int | None = None
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._told: list[Callable[[], object]] = []

    def settle(self, unsettled: int | None) -> None:
        """Say that it is settled; called once, in any thread."""
        with self._lock:
            self.unsettled = unsettled
            self._done.set()
            told, self._told = self._told, []
        for tell in told:
            tell()

    def wait(self) -> int | None:
        """Wait in this thread."""
        self._done.wait(PATIENCE)
        return self.unsettled

    def __await__(self) -> Generator[None, None, int | None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(None))

        with self._lock:
            if not self._done.is_set():
                self._told.append(tell)
            else:
                future.set_result(None)
        yield from future.__await__()
        return self.unsettled


def changed(*groups: str) -> Settling:
    """Say that what has one of *groups* is not true any more.

    ``await changed("glyph:41")`` waits until all connected nodes know it; in a thread without a running loop
    ``changed("glyph:41")`` itself does.  Call it when the change can be read, after the commit.
    """
    if not groups:
        raise TypeError("changed() needs the name of a group at least")
    names = [group_name(group) for group in groups]
    settling = Settling()
    if node is None:
        marks = current()
        if marks is not None:
            marks.invalidated.update(dict.fromkeys(names))
        settling.settle(None)
        return settling
    node.changed(names, settling.settle)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        settling.wait()
    return settling
