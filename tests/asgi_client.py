"""A client of an ASGI application, in this process and without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from edge.app.marks import Marks


class Got(NamedTuple):
    """An answer, with the fields that a node would see: what ``share`` and ``tag`` have said among them."""

    status: int
    fields: dict[str, str]
    body: bytes


class Client:
    """Asks *application*, with its lifespan around all questions of one ``with``."""

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self._application = application
        self._loop = asyncio.new_event_loop()
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.cookies: dict[str, str] = {}
        self.peer = "192.0.2.1"

    def __enter__(self) -> Client:
        self._loop.run_until_complete(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._stop())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _start(self) -> None:
        done: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._stopped: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        told = iter((done, self._stopped))

        async def send(event: dict[str, Any]) -> None:
            next(told).set_result(event)

        self._life = self._loop.create_task(self._application({"type": "lifespan"}, self._said.get, send))
        await self._said.put({"type": "lifespan.startup"})
        await asyncio.wait([done, self._life], return_when=asyncio.FIRST_COMPLETED)
        if not done.done() or done.result()["type"] != "lifespan.startup.complete":
            raise AssertionError(done.result() if done.done() else self._life.exception())

    async def _stop(self) -> None:
        await self._said.put({"type": "lifespan.shutdown"})
        await self._life

    def get(self, target: str, **headers: str) -> Got:
        """GET *target*; names of *headers* with _ for -."""
        return self.ask("GET", target, b"", headers)

    def post(self, target: str, body: bytes, **headers: str) -> Got:
        """POST *body*."""
        return self.ask("POST", target, body, headers)

    def ask(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Got:
        """One question."""
        return self._loop.run_until_complete(
            ask(self._application, method, target, body, headers, self.cookies, peer=self.peer)
        )


async def ask(
    application: Callable[..., Awaitable[None]],
    method: str,
    target: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    cookies: dict[str, str] | None = None,
    scheme: str = "http",
    peer: str = "192.0.2.1",
) -> Got:
    """What *application* answers; cookies that it sets are put into *cookies*."""
    from urllib.parse import unquote

    path, _, query = target.partition("?")
    fields = {
        "host": "localhost",
        **{name.replace("_", "-"): value for name, value in (headers or {}).items()},
    }
    if cookies:
        fields["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
        "client": (peer, 0),
        "server": ("localhost", 80),
    }
    events = iter([{"type": "http.request", "body": body, "more_body": False}])
    sent: list[dict[str, Any]] = []
    answered = asyncio.Event()

    async def receive() -> dict[str, Any]:
        for event in events:
            return event
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)
        if event["type"] == "http.response.body" and not event.get("more_body"):
            answered.set()

    marks = Marks()
    with marks.in_force():
        await application(scope, receive, send)
    head = [(bytes(name).lower(), bytes(value)) for name, value in sent[0]["headers"]]
    marks.add_to(head)
    found: dict[str, str] = {}
    for name, value in head:
        text = value.decode("latin-1")
        found[name.decode()] = f"{found[name.decode()]}, {text}" if name.decode() in found else text
        if name == b"set-cookie" and cookies is not None:
            cookie, _, rest = text.partition(";")[0].partition("=")
            cookies[cookie] = rest
    return Got(sent[0]["status"], found, b"".join(event.get("body", b"") for event in sent[1:]))
