"""An ASGI application for end-to-end tests: what it was asked, streams, WebSockets, gullibility."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from tests.poisoning import reflection


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """What ASGI calls."""
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return
    elif scope["type"] == "websocket":
        await _socket(receive, send)
    else:
        await _PLACES.get(scope["path"].rpartition("/")[2], _told)(scope, receive, send)


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            return body


async def _answer(send: Any, status: int, fields: dict[str, str], body: bytes) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _fields(scope: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]


def _target(scope: dict[str, Any]) -> str:
    query = scope["query_string"]
    return str((scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1"))


async def _told(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """All that has reached it, and who it is."""
    body = await _body(receive)
    told = {"method": scope["method"], "target": _target(scope), "fields": _fields(scope), "pid": os.getpid()}
    told["length"] = len(body)
    await _answer(send, 200, {"Content-Type": "application/json", "X-One": "1"}, json.dumps(told).encode())


async def _gullible(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await _answer(send, *reflection(scope["method"], _target(scope), _fields(scope), await _body(receive)))


async def _events(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """One event, and the next one when the first has been seen: never, unless it is passed on at once."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    await send({"type": "http.response.body", "body": b"data: first\n\n", "more_body": True})
    await asyncio.sleep(30)


async def _echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The body, piece by piece, as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return
        more = bool(event.get("more_body"))
        await send({"type": "http.response.body", "body": event.get("body", b""), "more_body": more})
        if not more:
            return


async def _endless(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A body without an end; says on standard output when it notices that nobody wants it."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        for _ in range(100_000):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
    finally:
        print("nobody wants it", flush=True)


async def _slow(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await asyncio.sleep(60)


async def _socket(receive: Any, send: Any) -> None:
    """Says what it hears."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": "heard " + event["text"]})
    print(f"closed with {event['code']}", flush=True)


_PLACES = {
    "echo": _echo,
    "endless": _endless,
    "events": _events,
    "slow": _slow,
}


async def gullible(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """What ASGI calls: another application, which answers all that has reached it, for all."""
    if scope["type"] == "http":
        await _gullible(scope, receive, send)
    else:
        await app(scope, receive, send)
