"""Questions as ASGI brings them, and answers as it takes them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

#: Characters of an Idempotency-Key: draft-ietf-httpapi-idempotency-key-header lets the server say.
MAX_KEY = 200

Scope = Mapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Fields = list[tuple[bytes, bytes]]

#: Of all answers to operations (graphql-over-http, section 5).
RESPONSE_TYPE = b"application/graphql-response+json; charset=utf-8"


@dataclass
class Answer:
    """An answer to be sent."""

    status: int
    body: bytes
    fields: Fields = field(default_factory=list)
    kind: bytes = RESPONSE_TYPE

    async def send(self, send: Send, is_head: bool) -> None:
        """Send it, without its body if that was not asked for."""
        head = [(b"content-type", self.kind), (b"content-length", b"%d" % len(self.body)), *self.fields]
        await send({"type": "http.response.start", "status": self.status, "headers": head})
        await send({"type": "http.response.body", "body": b"" if is_head else self.body})


class Refused(Exception):
    """A request that is not carried out; str() says why."""

    def __init__(self, status: int, reason: str, fields: Fields | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.fields = fields or []

    def answer(self) -> Answer:
        """What the visitor gets: a GraphQL response of one error."""
        body = encoded({"errors": [{"message": str(self)}]})
        return Answer(self.status, body, [(b"cache-control", b"no-store"), *self.fields])


def encoded(value: Any) -> bytes:
    """*value* as JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The fields of the request; what comes twice is joined (RFC 9110, section 5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        name = bytes(name).lower()
        found[name] = found[name] + b", " + value if name in found else bytes(value)
    return found


def key_of(headers: dict[bytes, bytes]) -> str:
    """The Idempotency-Key: a string of RFC 9651, or the same without its quotes."""
    key = headers.get(b"idempotency-key", b"").decode("latin-1").strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(key) > MAX_KEY or (key and not key.isprintable()):
        raise Refused(400, f"an Idempotency-Key has {MAX_KEY} characters at most")
    return key


async def read_body(receive: Receive, most: int) -> bytes:
    """The body of the request; :class:`Refused` if it has more than *most* bytes, or never ends."""
    parts, size = [], 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise Refused(400, "the request ended before its body")
        part = event.get("body", b"")
        size += len(part)
        if size > most:
            raise Refused(413, f"the body of a request has {most:,} bytes at most")
        parts.append(part)
        if not event.get("more_body"):
            return b"".join(parts)
