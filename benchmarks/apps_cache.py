"""Applications' answers from the shared table: what a hit and a miss cost, what readers notice, what is held.

The application is that of :mod:`benchmarks.apps`, and so is nginx, with ``proxy_cache``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from benchmarks import client, servers
from benchmarks.apps import CONNECTIONS, ROOT, Pair, edge, nginx
from benchmarks.rows import Place, Row

#: 10 KiB, stored for an hour; the same as a file; ever new addresses; stored for a second.
SHARED, STATIC, MISSES, BRIEF = "/shared", "/ten.bin", "/miss/", "/brief"
#: Answers in the table when its memory is weighed.
ENTRIES = 1_000_000

_MISSES = """
local number = 0
request = function()
  number = number + 1
  return "GET {path}" .. number .. "?{run} HTTP/1.1\\r\\nHost: localhost\\r\\nUser-Agent: wrk\\r\\n\\r\\n"
end
"""


def hits(place: Place) -> list[Row]:
    """An answer from the table, beside a file from there, and beside nginx with proxy_cache."""
    webroot = place.directory / "site"
    webroot.mkdir()
    (webroot / STATIC[1:]).write_bytes(b"x" * 10240)
    with nginx(place.directory / "nginx") as theirs, edge(webroot, place.directory / "edge") as ours:
        for pair in (theirs, ours):
            for _ in range(3):  # the first one passes whole, the second one fills
                pair.front.head(SHARED)
                pair.microseconds(SHARED, 1, 1)
        runs = [(ours, SHARED), (ours, STATIC), (theirs, SHARED)]
        figures: dict[int, list[float]] = {number: [] for number in range(len(runs))}
        errors = 0
        for _ in range(place.rounds + 2):
            for number, (pair, path) in enumerate(runs):
                cost, failed = pair.microseconds(path, place.seconds, 64)
                figures[number].append(cost)
                errors += failed
    dynamic, static, reference = (statistics.median(figures[number]) for number in range(len(runs)))
    note = f" ({errors} errors!)" if errors else ""

    def row(work: str, beside: str, cost: float, goal: float) -> Row:
        ratio = dynamic / cost
        reached = ratio <= goal and not errors
        return Row(
            work,
            f"{dynamic:.2f} us",
            f"{beside} {cost:.2f} us",
            f"{ratio:.2f} x{note}",
            f"<= {goal:.2f} x",
            reached,
        )

    return [
        row("an application's answer from the table, 10 KiB", "a file from there", static, 1.05),
        row("the same", "nginx proxy_cache", reference, 0.80),
    ]


def misses(place: Place) -> list[Row]:
    """What is asked for once, filled and stored: CPU of the node and of the application."""
    with nginx(place.directory / "nginx") as theirs, edge(place.webroot, place.directory / "edge") as ours:
        figures: dict[Pair, list[float]] = {theirs: [], ours: []}
        for number in range(place.rounds):
            for pair, found in figures.items():
                found.append(_missed(pair, place.directory / "misses.lua", number, place.seconds))
    reference, mine = (statistics.median(figures[pair]) for pair in (theirs, ours))
    ratio = mine / reference
    beside = f"nginx + uvicorn {reference:.0f} us"
    return [
        Row(
            "a miss, 10 KiB, 32 at once, stored",
            f"{mine:.0f} us",
            beside,
            f"{ratio:.2f} x",
            "<= 0.80 x",
            ratio <= 0.8,
        )
    ]


def _missed(pair: Pair, script: Path, run: int, seconds: float) -> float:
    """CPU time of a request for an address that nobody has asked for, in microseconds."""
    script.write_text(_MISSES.format(path=MISSES, run=run))
    before = pair.cpu_seconds()
    output = subprocess.run(
        ["taskset", "-c", str(servers.SERVER_CORE + 1), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s",
         "-s", str(script), pair.front.url],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    requests = int(output.split(" requests in")[0].split()[-1])
    return (pair.cpu_seconds() - before) / max(1, requests) * 1e6


def expiries(place: Place) -> list[Row]:
    """How long readers of a hot key wait while its answer ends and is asked for anew, every second."""
    count = place.some(10, 100)
    with edge(place.webroot, place.directory / "edge") as ours:
        ours.front.head(BRIEF)
        quiet = _latencies(ours, SHARED, place.either(3.0, 20.0))
        hot = _latencies(ours, BRIEF, float(count))
    before, during = _p99(quiet), _p99(hot)
    ratio = during / before
    return [
        Row(
            f"p99 of a hot key over {count} expiries", f"{during:.0f} us", f"otherwise {before:.0f} us",
            f"{ratio:.2f} x, worst {max(hot):.0f} us", "<= 1.20 x", ratio <= 1.2,
        )
    ]  # fmt: skip


def _latencies(pair: Pair, path: str, seconds: float) -> list[float]:
    """Microseconds of requests of one reader after the other, 1,000 a second by plan, others beside him."""
    found: list[float] = []
    stop = threading.Event()

    def read() -> None:
        connection = pair.front.connect()
        text = client.request(path).encode()
        while not stop.is_set():
            began = time.perf_counter()
            connection.sendall(text)
            answer = connection.recv(65536)
            while b"\r\n\r\n" not in answer or len(answer) - answer.index(b"\r\n\r\n") - 4 < 10240:
                answer += connection.recv(65536)
            found.append((time.perf_counter() - began) * 1e6)
            time.sleep(0.001)
        connection.close()

    readers = [threading.Thread(target=read)]
    for reader in readers:
        reader.start()
    time.sleep(1.0)
    del found[:]
    time.sleep(seconds)
    stop.set()
    for reader in readers:
        reader.join()
    return list(found)


def _p99(found: list[float]) -> float:
    return sorted(found)[int(len(found) * 0.99)]


def entries(place: Place) -> list[Row]:
    """What each of a million stored answers takes beside its body; in no cache group, and in two."""
    count = place.some(ENTRIES // 20, ENTRIES)
    rows = []
    for groups, goal in ((0, "<= 200 B"), (2, "")):
        program = _WEIGH.format(count=count, groups=groups)
        output = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
        each, stored = map(int, output.split())
        work = f"memory of each of {stored:,} answers in {groups} cache groups, beside its body"
        rows.append(Row(work, f"{each} B", "", "", goal, stored == count and (not goal or each <= 200)))
    return rows


#: Stores *count* answers, and prints what the process has grown by for each, without the blocks of
#: bodies (with their records) and heads, and how many are there.
_WEIGH = """
import hashlib, psutil
from twisted.internet.task import Clock
from edge.cache.groups import Groups
from edge.cache.record import AnswerRecord
from edge.node.process.answers import FilledAnswer
from edge.node.supervisor.answers import AnswerStore
from edge.resource import Representation, etag_of
from edge.table.segment import Segment
from edge.table.writer import Writer

def memory():
    full = psutil.Process().memory_full_info()
    return full.uss + full.shared - before_shared

count = {count}
before_shared = psutil.Process().memory_full_info().shared
segment = Segment.create(capacity=count * 2**20 // 10**6, arena_bytes=count * 320 + (64 << 20), workers=1)
writer = Writer(segment)
clock = Clock()
store = AnswerStore(writer, segment, clock, lambda: int(clock.seconds() * 1000) + 1000)
store.index(Groups())
free = writer.statistics()["arena_free_bytes"]
before = psutil.Process().memory_info().rss
for number in range(count):
    name = b"/article?id=%d" % number
    body = b"%d" % number * 10
    one = Representation(0, etag_of(hashlib.sha256(body).digest()), b"", len(body), b"A: b\\r\\n", b"", body)
    record = AnswerRecord(name, 200, 0, 60 + number % 3600)
    store.put("shop", FilledAnswer(record, 1000, 1000, 0, ("articles", f"a{{number}}")[:{groups}], (one,)))
    segment.block(0).memory[4096 + (number * 2) % segment.slot_count] = 1
blocks = free - writer.statistics()["arena_free_bytes"]
print((psutil.Process().memory_info().rss - before - blocks) // count, len(store))
"""


FORMS = {
    "apps-hits": hits,
    "apps-misses": misses,
    "apps-expiries": expiries,
    "apps-entries": entries,
}
