"""What a log of every request costs, and rules about who may.

A record is measured alone, too: what the fast path's answerer needs for a request with a log and without one.
"""

from __future__ import annotations

import mmap
import statistics
import time

from benchmarks import servers
from benchmarks.addresses import COSTS, dearer, with_options
from benchmarks.client import wrk
from benchmarks.rows import Place, Row
from edge.fastpath.interface import Logging, Settings
from edge.fastpath.native import NativeAnswerer
from edge.http.dates import format_date
from edge.logs.ring import HEADER_BYTES, Ring, make_ring
from edge.resource import Representation, Resource
from edge.table.segment import Segment
from edge.table.writer import Writer

#: Microseconds that a record may cost.
_RECORD_US = 0.4
_PIPELINED = 32
_TAG = b"0123456789abcdef"
_REQUEST = (
    b'GET /page.html HTTP/1.1\r\nHost: www.example.org\r\nIf-None-Match: "' + _TAG + b'"\r\n'
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36\r\n"
    b"Referer: https://www.example.org/index.html\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n"
)


def _logs(place: Place) -> list[Row]:
    """All rows of the access log."""
    access = place.directory / "access.log"
    options = "--access-log", str(access), "--access-log-format", "combined"
    named = (
        ("304: every request in a combined log over no log, with the lines", COSTS[0][1]),
        ("200, 10 KiB compressed body: the same", COSTS[1][1]),
    )
    rows = dearer(named, with_options(place, *options), place)
    with servers.edge(place.webroot, place.directory / "logging", "native", *options) as ours:
        rows.append(_nothing_lost(ours, access, COSTS[0][1](ours), place))
    return [_record(place), *rows]


def _nothing_lost(ours: servers.Server, access, request: str, place: Place) -> Row:  # type: ignore[no-untyped-def]
    """Each answer of a run is a line."""
    time.sleep(1.0)
    before = access.read_bytes().count(b"\n")
    result = wrk(ours, request, place.either(1.0, 3.0))
    time.sleep(1.0)
    lines = access.read_bytes().count(b"\n") - before
    lost = max(0, result.requests - lines)
    return Row("lines of a run at full speed", f"{lines:,} lines", f"{result.requests:,} answers",
               f"{lost} lost", "0", not lost)  # fmt: skip


def _record(place: Place) -> Row:
    """A request with a record and without, in C."""
    figures: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(place.some(3, 15)):
        for logs in (False, True):
            figures[logs].append(_microseconds(logs, place.some(2_000, 10_000)))
    with_log, without = statistics.median(figures[True]), statistics.median(figures[False])
    cost = with_log - without
    return Row("a record of the access log, in the worker", f"{with_log:.3f} us", f"without {without:.3f} us",
               f"{cost:.3f} us", f"<= {_RECORD_US} us", cost <= _RECORD_US)  # fmt: skip


def _microseconds(logs: bool, calls: int) -> float:
    """CPU time of a request."""
    segment = Segment.create(capacity=64, arena_bytes=1 << 18, workers=1)
    try:
        one = Representation(0, _TAG, bytes(32), 4, b"Content-Type: text/html\r\n", b"", b"page")
        Writer(segment).put(Resource(b"/page.html", 1_700_000_000, (one,)))
        memory = mmap.mmap(-1, HEADER_BYTES + (4 << 20))
        make_ring(memory)
        ring = Ring(memory)
        answerer = NativeAnswerer(segment, 0, Settings(log=Logging(memory) if logs else None))
        stream, date = _REQUEST * _PIPELINED, format_date(1_700_000_000)
        spent = 0
        for _ in range(calls // 100):
            begin = time.process_time_ns()
            for _ in range(100):
                answerer.answer(stream, date)
            spent += time.process_time_ns() - begin
            while ring.read() is not None:
                pass
        return spent / 1000 / (calls * _PIPELINED)
    finally:
        segment.close()


def _rates(place: Place) -> list[Row]:
    """A rate for every path that nobody reaches, and networks that everybody is in."""
    options = ("--rate", "/**=1000000/second", "--access", "/**=127.0.0.0/8,10.0.0.0/8,!192.0.2.0/24")
    works = [("304: a rate and networks for all paths over no rules", COSTS[0][1])]
    return dearer(works, with_options(place, *options), place)


FORMS = {"logs": _logs, "rates": _rates}
