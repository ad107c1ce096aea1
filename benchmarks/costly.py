"""Searches for the request that costs a worker most: a hill climber over what requests are made of.

A request is a *recipe*: a method, a target, field lines and a body, each of which is made of *runs*, a piece
of bytes and how often it stands there.  What parsers choke on is repetition, therefore a step doubles a run,
swaps its piece for another one of :data:`PIECES` or lets it alternate with one, adds a run or a line, or
changes the framing.  The costliest recipe so far of each kind is what the next step starts from.

The victim is a worker's own stack in this process: :class:`~edge.node.connection.site.EdgeSite` with all of
its resources, and one that asks for forms, cookies and fields; its peer takes everything at once.
``python -m benchmarks.costly [STEPS [SEED]]`` prints what it finds; ``robust_costs.py`` makes a row of it.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

from twisted.internet.task import Clock
from twisted.web.resource import Resource

from edge.node.connection.site import ChannelFactory, EdgeSite, RootResource
from edge.node.process.life import Life
from edge.node.resources.edge_resources import EdgeResources
from edge.node.resources.published import PublishedResource, Source
from edge.node.resources.pushing import Pushing
from edge.table.reader import Entry, Reader
from tests.fastpath import site
from tests.node.transports import PeerTransport

#: Bytes of a request, and those that a transport reads at once.
REQUEST_BYTES = 64 * 1024

#: Turns of the reactor that are measured: of thousands of requests, a few hundred.
TURNS = 20

Runs = tuple[tuple[bytes, int], ...]

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS")
TARGETS = (
    b"/a.html", b"/i.jpg", b"/nowhere", b"/asks/", b"/.edge/revalidate", b"/.edge/socket", b"/.edge/status",
    b"/.edge/", b"http://example.org/a.html", b"*",
)  # fmt: skip
NAMES = (
    b"Accept", b"Accept-Encoding", b"If-None-Match", b"If-Match", b"If-Modified-Since", b"If-Range", b"Range",
    b"Cookie", b"Connection", b"Transfer-Encoding", b"Expect", b"Content-Type", b"Content-Length", b"Origin",
    b"Upgrade", b"Authorization", b"X", b"x" * 60, b"Date", b"Host",
)  # fmt: skip
#: Of targets, field values and bodies alike: what is harmless in one place may not be in another.
PIECES = (
    # targets and queries
    b"/", b"%41", b"%", b"/.", b"/..", b"%2e%2e/", b"a", b"?", b"&", b"a=b&", b";", b"a;", b"+", b"~etag=a&",
    # lists, quoted strings, weights
    b",", b", ", b'"', b'",', b'"a",', b'W/"', b"\\", b'\\"', b";q=0.1", b";q=0.001,", b"br,", b"gzip,",
    b"*,", b"image/avif,", b"image/webp;q=0.5,", b"bytes=", b"0-1,", b"-", b"close,", b"chunked,",
    b"websocket,",
    b"100-continue,", b"a=b; ", b"=", b" ", b"\t", b"Mon, 01 Jan 2024 00:00:00 GMT", b"0", b"\xff",
    # chunks
    b"1\r\na\r\n", b"01\r\na\r\n", b"1;a\r\na\r\n", b"2\r\n\r\n\r\n", b"0\r\n\r\n",
    b"20\r\n" + b"b" * 32 + b"\r\n",
    # lines of batches, of heads, whole requests
    b"x /\n", b"x /a\n", b'"x" /a.html?\n', b"W/", b"\r\n", b"\n", b"a: b\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    # forms
    b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded", b"text/plain", b"--x\r\n",
    b'Content-Disposition: form-data; name="a"\r\n\r\n', b"--x--",
    # frames of WebSockets
    b"\x89\x80\0\0\0\0", b"\x81\x80\0\0\0\0", b"\x81\x81\0\0\0\0a", b"\x01\x81\0\0\0\0a",
    b"\x80\x81\0\0\0\0a", b"\x82\xfe\x00\xff\0\0\0\0",
)  # fmt: skip
#: How the length of a body is told: by its length, in chunks that are there already or are made, not at all.
FRAMINGS = ("length", "chunks", "chunked", "none")


@dataclass(frozen=True)
class Recipe:
    """What a request is made of."""

    method: bytes
    target: Runs
    fields: tuple[tuple[bytes, Runs], ...]
    framing: str
    body: Runs

    def bytes(self) -> bytes:
        """The request, at most :data:`REQUEST_BYTES` of it."""
        body = _made(self.body)
        lines = [b"Host: example.org", *(name + b": " + _made(value) for name, value in self.fields)]
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (self.method, _made(self.target), b"\r\n".join(lines))
        room = max(0, REQUEST_BYTES - len(head) - 60)
        if self.framing == "length":
            body = body[:room]
            head += b"Content-Length: %d\r\n" % len(body)
        elif self.framing in ("chunks", "chunked"):
            head += b"Transfer-Encoding: chunked\r\n"
            body = body[: room - 12]
            if self.framing == "chunked":
                body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body += b"0\r\n\r\n"
        return (head + b"\r\n" + body)[:REQUEST_BYTES]


def _made(runs: Runs) -> bytes:
    return b"".join((piece * times)[:REQUEST_BYTES] for piece, times in runs)


_WEBSOCKET = tuple(
    (name, ((value, 1),))
    for name, value in (
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    )
)
_FORM = (b"Content-Type", ((b"application/x-www-form-urlencoded", 1),))
_MULTIPART = (b"Content-Type", ((b"multipart/form-data; boundary=x", 1),))
_PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'

#: Where the search begins: one recipe of each kind, already as bad as one can think of.
KINDS = {
    "target": Recipe(b"GET", ((b"/%41", 2000),), (), "none", ()),
    "query": Recipe(b"GET", ((b"/asks/?", 1), (b"a=%41&", 990)), (), "none", ()),
    "fields": Recipe(b"GET", ((b"/a.html", 1),), ((b"X", ((b"a", 100),)),) * 90, "none", ()),
    "accept": Recipe(b"GET", ((b"/i.jpg", 1),), ((b"Accept", ((b"image/avif;q=0.1,", 900),)),), "none", ()),
    "codings": Recipe(
        b"GET", ((b"/a.html", 1),), ((b"Accept-Encoding", ((b"br;q=0.1,", 1700),)),), "none", ()
    ),
    "conditions": Recipe(b"GET", ((b"/a.html", 1),), ((b"If-None-Match", ((b'"",', 5000),)),), "none", ()),
    "range": Recipe(b"GET", ((b"/big", 1),), ((b"Range", ((b"bytes=", 1), (b"0-1,", 4000))),), "none", ()),
    "cookies": Recipe(b"GET", ((b"/asks/", 1),), ((b"Cookie", ((b"a=b; ", 3000),)),), "none", ()),
    "codings of transfer": Recipe(
        b"POST", ((b"/asks/", 1),), ((b"Transfer-Encoding", ((b"a,", 8000),)),), "none", ()
    ),
    "form": Recipe(b"POST", ((b"/asks/", 1),), (_FORM,), "length", ((b"a=%41&", 990), (b"%41", 20_000))),
    "multipart": Recipe(b"POST", ((b"/asks/", 1),), (_MULTIPART,), "length", ((_PART, 990), (b"--x--", 1))),
    "chunks": Recipe(b"POST", ((b"/asks/", 1),), (), "chunks", ((b"1\r\na\r\n", 12_000),)),
    "revalidation": Recipe(b"POST", ((b"/.edge/revalidate", 1),), (), "chunked", ((b"x /a.html\n", 1000),)),
    "frames": Recipe(b"GET", ((b"/.edge/socket", 1),), _WEBSOCKET, "none", ((b"\x89\x80\0\0\0\0", 11_000),)),
    "pipeline": Recipe(
        b"GET", ((b"/asks/", 1),), (), "none", ((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 3000),)
    ),
}


class Asking(Resource):
    """An application that wants to know everything about each request."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        request.requestHeaders.getRawHeaders(b"x")
        return b"%d %d" % (len(request.args), len(request.received_cookies))

    render_POST = render_GET


async def _nobody(path: bytes) -> dict[int, Entry]:
    raise AssertionError(f"a complete table is not asked about: {path!r}")


class TurnClock(Clock):
    """A clock that tells the turns of a reactor apart."""

    def due(self) -> list[Any]:
        """What the next turn runs."""
        return [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]

    def turn(self) -> None:
        """Run what is due, but not what that schedules."""
        for call in self.due():
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)


def cpu(work: Callable[[], Any]) -> float:
    """CPU seconds of this thread."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def calls(work: Callable[[], Any]) -> float:
    """How many functions were called, of Python and of C: the same every time."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return float(count)


class Victim:
    """The stack of a worker; *measure*: :func:`cpu` or :func:`calls`."""

    def __init__(self, measure: Callable[[Callable[[], Any]], float] = cpu) -> None:
        self._measure = measure
        self._segment = site.published()
        self._clock = TurnClock()
        self._clock.advance(1_750_000_000)
        source = Source(Reader(self._segment, 2), "/nonexistent", _nobody, ((),))
        published = PublishedResource(source)
        pushing = Pushing(source.reader, (frozenset(),), self._clock)
        root = RootResource(EdgeResources(source.reader, published, Life(), pushing), published)
        root.putChild(b"asks", Asking())
        self._site = EdgeSite(root, self._clock)

    def close(self) -> None:
        """Let go of the table."""
        self._segment.close()

    def cost(self, request: bytes) -> float:
        """Of a connection that sends *request* at once and takes all that comes.

        Of one request all that it costs; where the bytes are several, the longest turn of the reactor.
        """
        channel = ChannelFactory(self._site).buildProtocol(None)
        transport = PeerTransport(self._clock)
        transport.connect(channel)
        turns = [self._measure(lambda: transport.protocol.dataReceived(request))]
        while self._clock.due() and len(turns) < TURNS:
            turns.append(self._measure(self._clock.turn))
        several = transport.written.count(b"HTTP/1.1 ") > 1
        if not transport.closed:
            transport.loseConnection()
        return max(turns) if several else sum(turns)


def step(recipe: Recipe, random: Random) -> Recipe:
    """*recipe* with one thing changed."""
    place = random.choice(("target", "fields", "fields", "body", "body", "method", "framing", "name"))
    if place == "method":
        return replace(recipe, method=random.choice(METHODS))
    if place == "framing":
        return replace(recipe, framing=random.choice(FRAMINGS))
    if place == "target":
        if random.random() < 0.3:
            return replace(recipe, target=((random.choice(TARGETS), 1), *recipe.target[1:]))
        return replace(recipe, target=_changed(recipe.target, random))
    if place == "body":
        return replace(recipe, body=_changed(recipe.body, random))
    fields = list(recipe.fields)
    if not fields or (place == "name" and len(fields) < 90):
        fields.append((random.choice(NAMES), _changed((), random)))
    else:
        at = random.randrange(len(fields))
        name, value = fields[at]
        if place == "name":
            fields[at] = (random.choice(NAMES), value)
        elif random.random() < 0.1:
            del fields[at]
        else:
            fields[at] = (name, _changed(value, random))
    return replace(recipe, fields=tuple(fields))


def _changed(runs: Runs, random: Random) -> Runs:
    changed = list(runs)
    choice = random.randrange(6) if changed else 0
    at = random.randrange(len(changed) + (not choice)) if changed or not choice else 0
    if choice == 0:
        changed.insert(at, (random.choice(PIECES), random.choice((1, 1, 10, 1000, 5000))))
    elif choice == 1 and len(changed) > 1:
        del changed[at]
    elif choice == 2:
        changed[at] = (random.choice(PIECES), changed[at][1])
    elif choice == 3:  # two pieces alternate
        piece, times = changed[at]
        changed[at] = ((piece + random.choice(PIECES))[:200], max(1, times // 2))
    else:
        piece, times = changed[at]
        changed[at] = (piece, min(REQUEST_BYTES, max(1, times * 2 if choice == 4 else times // 2)))
    return tuple(changed)


class Found(NamedTuple):
    """The costliest of a kind."""

    kind: str
    recipe: Recipe
    cost: float


def search(victim: Victim, random: Random, steps: int, repeats: int = 3) -> list[Found]:
    """The costliest recipe of each kind after so many *steps* from each, costliest first.

    A cost is the least of *repeats*: other processes only add to it.
    """

    def cost(recipe: Recipe, least: float = 0.0) -> float:
        """Of *recipe*; if it is not above *least*, the first look will do."""
        request = recipe.bytes()
        worst = victim.cost(request)
        for _ in range(repeats - 1 if worst > least else 0):
            worst = min(worst, victim.cost(request))
        return worst

    found = []
    gc.disable()  # whose turn it is to collect is nobody's fault
    try:
        for kind, recipe in KINDS.items():
            worst = cost(recipe)
            for number in range(steps):
                other = step(recipe, random)
                if number % 3 == 2:
                    other = step(other, random)
                other_cost = cost(other, worst)
                if other_cost > worst:
                    recipe, worst = other, other_cost
            found.append(Found(kind, recipe, worst))
            gc.collect()
    finally:
        gc.enable()
    return sorted(found, key=lambda one: -one.cost)


def main(steps: str = "200", seed: str = "1") -> None:
    """Search, and print what was found."""
    victim = Victim()
    for kind, recipe, cost in search(victim, Random(int(seed)), int(steps)):
        print(f"{cost * 1e3:7.2f} ms  {kind}: {recipe}"[:300])
    victim.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
