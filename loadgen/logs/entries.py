"""A line of an access log as an entry (sans-IO).

Read are the Common Log Format and the combined one (also with a virtual host before them, or more fields
behind), and JSON: an object a line, whose members are found by the names that this node, nginx, Caddy and
Traefik give them.  Of users, cookies and other fields nothing is read.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from loadgen.logs import moments

#: The longest address that is used: what servers take as a request line.
MOST_TARGET = 8192
_COMMON = re.compile(
    rb"(\S{1,255}) (\S{1,255}) (.{0,300}?) ?"
    rb"\[(\d{2}/[A-Z][a-z]{2}/\d{4}:[0-9:.]{8,18}(?: [+-]\d{4})?)\] "
    rb'"((?:[^"\\]|\\.)*)" (\d{3}|-) (\d{1,18}|-)'
    rb'(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?(?:\s.*)?',
    re.DOTALL,
)
_ADDRESS = re.compile(rb"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
_ESCAPE = re.compile(rb'\\(?:x([0-9a-fA-F]{2})|(["\\]))')
_METHOD = re.compile(rb"[A-Za-z!#$%&'*+.^_`|~-]{1,32}")
_ORIGIN = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
#: How a text ends that our own node has cut.
_CUT = b"\\..."
#: Members of JSON, in the order in which they are believed.
_TIME = (
    "time", "ts", "msec", "time_iso8601", "@timestamp", "timestamp", "time_local", "StartUTC", "StartLocal",
)  # fmt: skip
_CLIENT = (
    "peer", "client_ip", "remote_ip", "remote_addr", "clientip", "ClientHost", "client", "ip", "remote_host",
)  # fmt: skip
_METHODS = ("method", "request_method", "RequestMethod", "verb")
_TARGETS = ("target", "request_uri", "uri", "RequestPath", "url", "path")
_STATUS = ("status", "DownstreamStatus", "response", "code")
_SIZE = ("bytes", "body_bytes_sent", "size", "DownstreamContentSize", "bytes_sent", "resp_body_size")
_DURATION = ("duration", "request_time")
_REFERER = ("referer", "http_referer", "referrer", "request_Referer")
_AGENT = ("user_agent", "http_user_agent", "agent", "request_User-Agent")
_KEY = os.urandom(16)


class Entry(NamedTuple):
    """A request that was answered."""

    #: When it came, Unix seconds; whole ones where the log has no others.
    at: float
    #: A number for address and user agent.
    client: int
    #: Whether the user agent says that it is a program.
    is_bot: bool
    method: bytes
    #: Path and query, printable ASCII, from the slash on.
    target: bytes
    status: int
    #: Of the body; -1: not told.
    size: int
    #: Path and query of the page that led here; b"": none, or of another site, or not told.
    referer: bytes


class LineError(Exception):
    """A line that is of no use; the text is one of few, and says why."""


def parse(line: bytes) -> Entry:
    """The entry in *line*; :exc:`LineError`."""
    text = line.strip()
    if not text:
        raise LineError("it is empty")
    return _json(text) if text.startswith(b"{") else _common(text)


# ---- common and combined ----


def _common(line: bytes) -> Entry:
    match = _COMMON.fullmatch(line)
    if match is None:
        raise LineError("it is neither of the common or combined format nor JSON")
    first, second, _, when, request, status, size, referer, agent = match.groups()
    try:
        at = moments.common(when)
    except ValueError:
        raise LineError("its time is no time") from None
    if status == b"-":
        raise LineError("it has no status: nothing was answered")
    method, target = _request(request)
    # A virtual host may stand before the client's address.
    peer = second if _ADDRESS.fullmatch(second) and not _ADDRESS.fullmatch(first) else first
    return Entry(
        at,
        _client(peer, agent or b""),
        _is_bot(agent or b""),
        method,
        target,
        int(status),
        -1 if size == b"-" else int(size),
        _referer(referer or b""),
    )


def _unescaped(text: bytes) -> bytes:
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: match[2] or bytes((int(match[1], 16),)), text)


def _request(text: bytes) -> tuple[bytes, bytes]:
    """Method and target of a request line."""
    parts = _unescaped(text).split(b" ")
    if len(parts) < 2:
        raise LineError("its request is none")
    if parts[-1].startswith(b"HTTP/"):
        parts.pop()
    return _method(parts[0]), _target(b" ".join(parts[1:]), cut=text.endswith(_CUT) or _CUT + b" " in text)


# ---- JSON ----


def _json(line: bytes) -> Entry:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        raise LineError("it is no JSON") from None
    # Caddy has what was asked in an object of its own, and fields in one more.
    request = found.get("request")
    asked = request if isinstance(request, dict) else {}
    headers = asked.get("headers")
    fields: dict[str, Any] = headers if isinstance(headers, dict) else {}
    both = {**asked, **found}
    method, target = _asked(both, request)
    agent, referer = (
        _bytes(_member(both, names) or _first(fields.get(name)))
        for names, name in ((_AGENT, "User-Agent"), (_REFERER, "Referer"))
    )
    peer = _member(both, _CLIENT)
    if not isinstance(peer, str) or not peer:
        raise LineError("it has no address of a client")
    return Entry(
        _when(both),
        _client(_bytes(peer), agent),
        _is_bot(agent),
        method,
        target,
        _whole(_member(both, _STATUS), 100, 999, "it has no status"),
        _size(_member(both, _SIZE)),
        _referer(referer),
    )


def _member(found: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((found[name] for name in names if found.get(name) not in (None, "", "-")), None)


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _bytes(value: object) -> bytes:
    """A text as bytes; what is above Latin-1 as UTF-8."""
    if not isinstance(value, str):
        return b""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def _asked(found: dict[str, Any], request: object) -> tuple[bytes, bytes]:
    if isinstance(request, str):
        return _request(_bytes(request))
    truncated = found.get("truncated")
    cut = isinstance(truncated, list) and "target" in truncated
    return _method(_bytes(_member(found, _METHODS))), _target(_bytes(_member(found, _TARGETS)), cut)


def _when(found: dict[str, Any]) -> float:
    value = _member(found, _TIME)
    try:
        at = _moment(value)
    except (ValueError, OverflowError):
        raise LineError("it has no time" if value is None else "its time is no time") from None
    took = _member(found, _DURATION)
    # What lasted is told at its end; other units than seconds are another program's.
    return at - took if isinstance(took, float) and 0 <= took < min(at, 86_400) else at


def _moment(value: object) -> float:
    if isinstance(value, bool) or value is None:
        raise ValueError("no date")
    if isinstance(value, int | float):
        return moments.number(value)
    text = str(value)
    if re.fullmatch(r"\d{1,20}(\.\d{1,9})?", text):
        return moments.number(float(text))
    return moments.iso(text) if text[4:5] == "-" else moments.common(text.encode("utf-8", "replace"))


def _whole(value: object, least: int, most: int, reason: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise LineError(reason)
    return value


def _size(value: object) -> int:
    try:
        return _whole(value, 0, 1 << 62, "")
    except LineError:
        return -1


# ---- parts ----


def _method(text: bytes) -> bytes:
    if not _METHOD.fullmatch(text):
        raise LineError("its request is none")
    return text.upper()


def _target(text: bytes, cut: bool) -> bytes:
    """Path and query as they may be sent again."""
    if cut:
        raise LineError("its address was cut by the server that wrote it")
    if text[:4].lower() == b"http":
        origin = _ORIGIN.match(text)
        text = text[origin.end() :] if origin else text
        text = text if text.startswith(b"/") else b"/" + text
    if not text.startswith(b"/"):
        raise LineError("its request has no address of the site")
    if len(text) > MOST_TARGET:
        raise LineError(f"its address is longer than {MOST_TARGET:,} bytes")
    text = text.partition(b"#")[0]
    if text.isascii() and text.isalnum():
        return text
    return quote(text, safe="!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~").encode("ascii")


def _referer(text: bytes) -> bytes:
    """The path and query of a referer; whose host it was, the reader does not know."""
    text = _unescaped(text)
    origin = _ORIGIN.match(text)
    if origin is None or len(text) > MOST_TARGET:
        return b""
    rest = text[origin.end() :].partition(b"#")[0]
    return quote(rest if rest.startswith(b"/") else b"/" + rest, safe="!$%&'()*+,-./:;=?@_~").encode("ascii")


_BOT = re.compile(
    rb"bot\b|crawl|spider|slurp|monitor|curl/|wget/|python|go-http|java/|headless", re.IGNORECASE
)


def _is_bot(agent: bytes) -> bool:
    return _BOT.search(agent) is not None


def _client(peer: bytes, agent: bytes) -> int:
    digest = hashlib.blake2b(peer + b"\0" + agent, digest_size=8, key=_KEY).digest()
    return int.from_bytes(digest, "little")
