"""What a GraphQL query costs the application: by trusted document, and as text that is read each time.

In one process without sockets, CPU time of that process; what the edge then spends on it is in
``apps_cache.py``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from benchmarks.rows import Place, Row
from demonstration.app import Site
from demonstration.settings import Settings

ROWS = 30
#: Milliseconds that were measured when it was planned: strawberry's own endpoint, text read each time.
_PLANNED_MS = 4.0


def queries(place: Place) -> list[Row]:
    """A ranking of 30 rows."""
    settings = Settings(
        f"sqlite:{place.directory / 'd.sqlite'}", key=place.directory / "key", development=True
    )
    return asyncio.run(_measured(Site(settings), place.some(100, 1500)))


async def _measured(site: Site, count: int) -> list[Row]:
    application = site.asgi()
    stop = asyncio.Event()
    started = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if started.is_set():
            await stop.wait()
        return {"type": "lifespan"}

    async def told(_: Any) -> None:
        started.set()

    life = asyncio.ensure_future(application({"type": "lifespan"}, receive, told))
    await started.wait()
    for number in range(ROWS):
        site.store.vote("v", 0x100 + number, True)
    text = site.graphql.document("Ranking").text
    variables = {"first": ROWS}
    target = site.graphql.address("Ranking", variables)
    body = json.dumps({"query": text, "variables": variables}).encode()
    kind = [(b"content-type", b"application/json")]
    trusted = await _cost(count, lambda: _ask(application, "GET", target, b"", []))
    free = await _cost(count, lambda: _ask(application, "POST", "/graphql", body, kind))
    stop.set()
    await life
    return [
        Row(
            f"GraphQL: {ROWS} rows by trusted document, over the same as text",
            f"{trusted:.2f} ms",
            f"{free:.2f} ms",
            f"{trusted / free:.2f}",
            f"< 1, and {_PLANNED_MS:g} ms",
            trusted < min(free, _PLANNED_MS),
        )
    ]


async def _cost(count: int, ask: Callable[[], Any]) -> float:
    """Milliseconds of CPU time for one of *count*."""
    for _ in range(20):
        await ask()
    before = time.process_time()
    for _ in range(count):
        await ask()
    return (time.process_time() - before) * 1000 / count


async def _ask(application: Any, method: str, target: str, body: bytes, kind: list[Any]) -> None:
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost"), *kind],
    }
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(event: Any) -> None:
        statuses.append(event.get("status"))

    await application(scope, receive, send)
    assert statuses[0] == 200, statuses


FORMS: dict[str, Callable[[Place], list[Row]]] = {"graphql": queries}
