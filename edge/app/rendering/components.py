"""The components of a site, rendered on the server.

A lane renders; this watches it.  The limits of the engine count where it looks at them; what is native and
long (an array of four thousand million holes, joined) is not ended by them, so whoever waits is told after a
while, and the thread is left to itself.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edge.app.rendering.engine import Engine, Limits, well_formed
from edge.app.rendering.errors import RenderingError
from edge.app.rendering.lane import Lane
from edge.app.rendering.page import Page

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from concurrent.futures import Future

    from edge.app.rendering.page import Ask, Piece

T = TypeVar("T")
Props = dict[str, Any]

#: Where the runtime of pages is, beside this package or in it: a checkout's webroot, or an installed one.
_PACKAGE = Path(__file__).resolve().parents[2]
_RUNTIME = next(
    (one for one in (_PACKAGE / "webroot", _PACKAGE.parent / "webroot") if one.is_dir()), _PACKAGE
)
_NAME = re.compile(r"[\w-]+(?:/[\w-]+)*")
#: Seconds until who waits for a rendering gives it up: the machine may be busy.
PATIENCE = 5.0
#: Threads that may be left to themselves; each may hold a core.
LOST_MOST = 3


class Components:
    """Renders the components in a folder of a webroot; may be used in any thread and loop."""

    def __init__(
        self,
        webroot: str | os.PathLike[str],
        folder: str = "components",
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        """*webroot*: what the node publishes; components import from each other, and from ``/edge/page/``."""
        self._roots = (Path(webroot).resolve(), _RUNTIME)
        self._folder = folder.strip("/")
        self._limits = limits or Limits()
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()
        self._lane: Lane | None = None
        self._lost: list[Lane] = []

    async def render(self, name: str, props: Mapping[str, Any], key: str | None = None) -> str:
        """The HTML of the component *name* for *props*; *key* is how the page finds it (the name itself).

        :exc:`RenderingError` if it cannot be rendered within the limits.
        """
        return await self._awaited(self._rendering(name, props, key))

    def render_now(self, name: str, props: Mapping[str, Any], key: str | None = None) -> str:
        """As :meth:`render`, for code that waits."""
        future = self._submit(self._rendering(name, props, key))
        try:
            return future.result(self._patience)
        except concurrent.futures.TimeoutError:
            raise self._given_up(future) from None

    async def queries(
        self, name: str, documents: Mapping[str, str], props: Mapping[str, Any]
    ) -> list[tuple[str, Props, str]]:
        """Which queries it needs: name, variables, URL; *documents*: hashes by name."""
        path = self._path(name)

        def work(engine: Engine) -> list[tuple[str, Props, str]]:
            engine.load(path)
            found = engine.call("queries", path, dict(documents), dict(props))
            return [(name, variables, url) for name, variables, url in found]

        return await self._awaited(work)

    def page(
        self, pieces: Sequence[Piece], ask: Ask, documents: Mapping[str, str] | None = None
    ) -> AsyncIterator[bytes]:
        """The page made of *pieces*, as it is sent: see :class:`~edge.app.rendering.page.Page`.

        Call it before the answer's head is sent: what it says of that (:func:`edge.app.tag`) is said at once.
        """
        return Page(self, pieces, ask, documents or {}).stream()

    def close(self) -> None:
        """End the thread."""
        with self._lock:
            if self._lane is not None:
                self._lane.close()
            self._lane = None

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise RenderingError(f"{name!r} is no name of a component")
        return f"/{self._folder}/{name}.js"

    def _rendering(self, name: str, props: Mapping[str, Any], key: str | None) -> Callable[[Engine], str]:
        path = self._path(name)

        def work(engine: Engine) -> str:
            engine.load(path)
            return well_formed(engine.call("render", path, key or name, dict(props)))

        return work

    async def _awaited(self, work: Callable[[Engine], T]) -> T:
        future = self._submit(work)
        wrapped = asyncio.wrap_future(future)
        done, _ = await asyncio.wait([wrapped], timeout=self._patience)
        if not done:
            raise self._given_up(future)
        return wrapped.result()

    def _submit(self, work: Callable[[Engine], T]) -> Future[T]:
        with self._lock:
            if self._lane is None:
                self._lost = [lane for lane in self._lost if lane.since is not None]
                if len(self._lost) >= LOST_MOST:
                    raise RenderingError(f"{LOST_MOST} renderings do not end; their threads are waited for")
                self._lane = Lane(self._roots, self._limits, self._clock)
            return self._lane.submit(work)

    def _given_up(self, future: Future[Any]) -> RenderingError:
        """*future* is not waited for any longer; if its thread is stuck, another takes its place."""
        with self._lock:
            lane = self._lane
            if (
                lane is not None
                and lane.since is not None
                and self._clock() - lane.since >= self._patience / 2
            ):
                lane.close()
                self._lost.append(lane)
                self._lane = None
        future.cancel()
        return RenderingError(f"no rendering within {self._patience:g} s")
