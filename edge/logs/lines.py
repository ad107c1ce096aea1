"""Records as lines of an access log, like ``edge_lines.c``, and as entries of systemd's journal.

What a stranger has sent can neither end a line nor leave its quotes nor mean a thing to a terminal: lines are
printable ASCII.  In the Common Log Format and the combined one, quotes, backslashes and bytes that are not
printable ASCII become ``\\xNN``; a text that was cut ends with ``\\...``, which no other one can.  In JSON
they are escaped as JSON has it, each byte a character of Latin-1, and ``truncated`` names what was cut.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterator
from functools import lru_cache

from edge.http.dates import format_date
from edge.logs.record import Record
from edge.networks import NO_ADDRESS

#: A record and the number of its worker -> a line, with its end.
Format = Callable[[Record, int], str]


@lru_cache(maxsize=4096)
def address_text(address: bytes) -> str:
    """The 16 bytes of a record's address as text; "" for none."""
    if address == NO_ADDRESS:
        return ""
    six = ipaddress.IPv6Address(address)
    return str(six.ipv4_mapped or six)


def common_line(record: Record, worker: int) -> str:
    """In the Common Log Format."""
    return _common(record) + "\n"


def combined_line(record: Record, worker: int) -> str:
    """The same with referer and user agent."""
    return f"{_combined(record)}\n"


def json_line(record: Record, worker: int) -> str:
    """As a JSON object."""
    return "{" + ",".join(_members(record, worker)) + "}\n"


FORMATS: dict[str, Format] = {"common": common_line, "combined": combined_line, "json": json_line}


def journal_entry(record: Record, worker: int) -> bytes:
    """As a datagram of journald's native protocol: structured fields, each with its length before it."""
    fields = {
        "MESSAGE": _combined(record),
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "edge-access",
        "EDGE_WORKER": str(worker),
        "EDGE_PEER": address_text(record.address),
        "EDGE_HOST": _quoted(record.host),
        "EDGE_USER": _quoted(record.user),
        "EDGE_METHOD": _quoted(record.method),
        "EDGE_TARGET": _quoted(record.target),
        "EDGE_STATUS": str(record.status),
        "EDGE_BYTES": str(record.sent),
        "EDGE_DURATION": _seconds(record.duration),
        "EDGE_CACHE": record.cache,
        "EDGE_REFERER": _quoted(record.referer),
        "EDGE_USER_AGENT": _quoted(record.user_agent),
        "EDGE_TLS": _quoted(record.tls),
        "EDGE_TRACE_ID": _quoted(record.trace),
        "EDGE_TRUNCATED": " ".join(record.cut),
    }
    return b"".join(_journal_field(name, value) for name, value in fields.items() if value)


def _journal_field(name: str, value: str) -> bytes:
    data = value.encode("ascii")
    return b"%b\n%b%b\n" % (name.encode("ascii"), len(data).to_bytes(8, "little"), data)


def _common(record: Record) -> str:
    user = _marked(record, "user").replace(" ", "\\x20")
    request = f"{_marked(record, 'method')} {_marked(record, 'target')}{_protocol(record, ' HTTP/')}"
    when = _when(record.at // 1_000_000)
    peer = address_text(record.address) or "-"
    return f'{peer} - {user or "-"} {when} "{request}" {record.status} {record.sent}'


def _combined(record: Record) -> str:
    referer, agent = _marked(record, "referer"), _marked(record, "user_agent")
    return f'{_common(record)} "{referer or "-"}" "{agent or "-"}"'


def _members(record: Record, worker: int) -> Iterator[str]:
    second, rest = divmod(record.at, 1_000_000)
    version, _, cipher = record.tls.partition(b" ")
    yield f'"time":{second}.{rest // 1000:03d}'
    yield f'"worker":{worker}'
    yield f'"peer":"{address_text(record.address)}"'
    yield from _text("host", record.host)
    yield from _text("user", record.user)
    yield from _text("method", record.method)
    yield from _text("target", record.target)
    if record.protocol:
        yield f'"protocol":"{_protocol(record, "HTTP/")}"'
    yield f'"status":{record.status}'
    yield f'"bytes":{record.sent}'
    yield f'"duration":{_seconds(record.duration)}'
    yield from _text("cache", record.cache.encode("ascii"))
    yield from _text("referer", record.referer)
    yield from _text("user_agent", record.user_agent)
    yield from _text("tls", version)
    yield from _text("cipher", cipher)
    yield from _text("trace_id", record.trace)
    if record.cut:
        yield f'"truncated":{json.dumps(record.cut, separators=(",", ":"))}'


def _text(name: str, text: bytes) -> Iterator[str]:
    if text:
        yield f'"{name}":"{"".join(map(_JSON.__getitem__, text))}"'


def _seconds(microseconds: int) -> str:
    second, rest = divmod(microseconds, 1_000_000)
    return f"{second}.{rest:06d}"


def _protocol(record: Record, before: str) -> str:
    number = record.protocol
    return f"{before}{number // 10 % 10}.{number % 10}" if number else ""


def _when(second: int) -> str:
    """``[14/Nov/2023:22:13:20 +0000]``."""
    date = format_date(second).decode("ascii")  # strftime's %b would follow the locale
    return f"[{date[5:7]}/{date[8:11]}/{date[12:16]}:{date[17:25]} +0000]"


def _marked(record: Record, name: str) -> str:
    text: bytes = getattr(record, name)
    return _quoted(text) + ("\\..." if name in record.cut else "")


def _quoted(text: bytes) -> str:
    return "".join(map(_QUOTED.__getitem__, text))


def _is_plain(byte: int) -> bool:
    return 0x20 <= byte < 0x7F and byte not in b'"\\'


#: What each byte becomes.
_QUOTED = [chr(byte) if _is_plain(byte) else f"\\x{byte:02x}" for byte in range(256)]
_JSON = [
    chr(byte) if _is_plain(byte) else f"\\{chr(byte)}" if byte in b'"\\' else f"\\u{byte:04x}"
    for byte in range(256)
]
