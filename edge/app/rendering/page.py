"""A page as it is streamed: its head before there are data, then each part when it has its own.

1. What stands before the first part leaves at once.
2. All parts say what they need; all of it is asked for at the same time, each query once.
3. Parts leave in their order, each rendered when its data are there.  Out of order they would need a script.
4. Where :data:`STATE` stands, all of it is embedded for the runtime in the browser.

A part that cannot be had does not take the page with it: a sentence stands in its place, the log says why,
and the runtime tries again, unless it is its props that JSON cannot say.  Such a page is not stored by the
edge.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from edge.app.changes import changed
from edge.app.marks import tag
from edge.app.rendering.state import can_be_embedded, embedded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

#: Seconds that a query is waited for.
PATIENCE = 10.0
#: What stands in the place of a part that cannot be had.
_EXCUSE = '<section data-key="{}" role="status"><p>This part cannot be shown right now.</p></section>'

#: Answers a query, by its name and variables: fields that components get as props.
Ask = Callable[[str, dict[str, Any]], Awaitable[Mapping[str, Any]]]

_log = logging.getLogger("edge.app.rendering")


@dataclass(frozen=True, slots=True)
class Part:
    """A component at a place of a page."""

    component: str
    props: Mapping[str, Any] = field(default_factory=dict)
    #: How it is found again, once in a page; the component's name if it is empty.
    key: str = ""


class _State:
    """Where the state is embedded."""


STATE = _State()
#: A string is HTML as it is.
Piece = str | Part | _State


class Renderer(Protocol):
    """What renders components."""

    async def render(self, name: str, props: Mapping[str, Any], key: str | None = None) -> str:
        """The HTML of a component."""

    async def queries(
        self, name: str, documents: Mapping[str, str], props: Mapping[str, Any]
    ) -> list[tuple[str, dict[str, Any], str]]:
        """Which queries it needs: name, variables, URL."""


class Page:
    """One answer."""

    def __init__(
        self, renderer: Renderer, pieces: Sequence[Piece], ask: Ask, documents: Mapping[str, str]
    ) -> None:
        self._renderer = renderer
        self._pieces = pieces
        self._ask = ask
        self._documents = documents
        self._keys = [one.key or one.component for one in pieces if isinstance(one, Part)]
        if len(set(self._keys)) < len(self._keys):
            raise ValueError(f"parts of one page have keys of their own: {', '.join(self._keys)}")
        self._data: dict[str, Mapping[str, Any]] = {}
        #: By URL.
        self._answers: dict[str, asyncio.Task[Mapping[str, Any]]] = {}
        self._failed = False
        #: Keys of parts whose props cannot be embedded.
        self._unsaid: set[str] = set()
        self._group = f"page:{secrets.token_hex(8)}"
        tag(self._group)

    async def stream(self) -> AsyncIterator[bytes]:
        """The page, in pieces."""
        ready: list[str] = []
        needs: list[list[str]] | None = None
        number = 0
        try:
            for piece in self._pieces:
                if isinstance(piece, str):
                    ready.append(piece)
                    continue
                if isinstance(piece, _State):
                    ready.append(embedded(self._state()))
                    continue
                if needs is None:
                    if ready:
                        yield _bytes(ready)
                    needs = [await self._begin(one) for one in self._pieces if isinstance(one, Part)]
                urls = needs[number]
                if ready and not all(self._answers[url].done() for url in urls if url in self._answers):
                    yield _bytes(ready)
                ready.append(await self._part(piece, self._keys[number], urls))
                number += 1
            if ready:
                yield _bytes(ready)
        finally:
            for task in self._answers.values():
                task.cancel()
            if self._failed:
                await changed(self._group)

    async def _begin(self, part: Part) -> list[str]:
        """Ask for what *part* needs; URLs."""
        try:
            queries = await self._renderer.queries(part.component, self._documents, part.props)
        except Exception as error:
            self._failed = True
            _log.error("%s: what it needs cannot be found out: %s", part.component, error)
            return [""]
        for name, variables, url in queries:
            if url not in self._answers:
                self._answers[url] = asyncio.ensure_future(
                    asyncio.wait_for(self._ask(name, variables), PATIENCE)
                )
        return [url for _, _, url in queries]

    async def _part(self, part: Part, key: str, urls: list[str]) -> str:
        """Its HTML."""
        try:
            props: dict[str, Any] = {}
            for url in urls:
                if url not in self._data:
                    self._data[url] = dict(await self._answers[url])
                props |= self._data[url]
            return await self._renderer.render(part.component, props | dict(part.props), key)
        except Exception as error:
            if "" not in urls:
                _log.error("%s cannot be shown: %s", key, str(error) or type(error).__name__)
            self._failed = True
            for url in urls:
                if not can_be_embedded(self._data.get(url)):
                    del self._data[url]
            if not can_be_embedded(dict(part.props)):
                self._unsaid.add(key)
            return _EXCUSE.format(html.escape(key))

    def _state(self) -> dict[str, Any]:
        parts = [one for one in self._pieces if isinstance(one, Part)]
        shell = "\0".join(one if isinstance(one, str) else "" for one in self._pieces)
        return {
            "documents": dict(self._documents),
            "parts": [
                [key, one.component, dict(one.props)]
                for key, one in zip(self._keys, parts, strict=True)
                if key not in self._unsaid
            ],
            "data": self._data,
            "shell": hashlib.sha256(shell.encode("utf-8", "replace")).hexdigest()[:16],
        }


def _bytes(ready: list[str]) -> bytes:
    """What is ready, which is empty then."""
    text = "".join(ready)
    ready.clear()
    return text.encode("utf-8", "replace")
