"""What a span says of a request: OpenTelemetry's semantic conventions for HTTP, their stable names.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/.  What a stranger has sent is cut.  What may
hold a secret is left out: there is no ``url.query``, no ``url.full``, and of fields ``User-Agent`` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.traces.span import MOST_TEXT

if TYPE_CHECKING:
    from edge.http.parser import RequestHead
    from edge.traces.span import Value

#: Methods that are named; any other one is ``_OTHER``, so that nobody makes up names of spans.
KNOWN_METHODS = frozenset(
    {b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"QUERY", b"TRACE"}
)
_OTHER = "_OTHER"
#: Characters of a user agent, a host and an unknown method.
_AGENT, _HOST, _METHOD = 256, 255, 32
_PORTS = {"http": 80, "https": 443}


def method_of(method: bytes) -> str:
    """As ``http.request.method`` has it."""
    return method.decode("ascii") if method in KNOWN_METHODS else _OTHER


def name_of(method: str, route: str = "") -> str:
    """What a span is called: the method, and where that is known, the route."""
    verb = "HTTP" if method == _OTHER else method
    return f"{verb} {route}" if route else verb


def text_of(value: bytes, most: int = MOST_TEXT) -> str:
    """*value*, cut, as text."""
    return value[:most].decode("utf-8", "replace")


def route_of(at: bytes) -> str:
    """What ``http.route`` says of the application at the path *at*."""
    return text_of(at.rstrip(b"/")) + "/*"


def of_request(head: RequestHead, secure: bool, client: str) -> dict[str, Value]:
    """What is known of a request from its *head*; *client*: address of who asks, "" over a Unix socket."""
    scheme = "https" if secure else "http"
    method = method_of(head.method)
    found: dict[str, Value] = {
        "http.request.method": method,
        "url.scheme": scheme,
        "url.path": text_of(head.path),
        "network.protocol.name": "http",
        "network.protocol.version": head.version.removeprefix(b"HTTP/").decode("ascii", "replace"),
    }
    if method == _OTHER:
        found["http.request.method_original"] = text_of(head.method, _METHOD)
    if head.host:
        name, port = _split(text_of(head.host, _HOST))
        found["server.address"] = name
        found["server.port"] = port or _PORTS[scheme]
    if client:
        found["client.address"] = client
    agent = head.fields.get(b"user-agent")
    if agent:
        found["user_agent.original"] = text_of(agent, _AGENT)
    return found


def _split(host: str) -> tuple[str, int]:
    """Name and port of a Host field; 0: it has none."""
    name, colon, port = host.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) <= 5:
        return name, int(port)
    return host, 0
