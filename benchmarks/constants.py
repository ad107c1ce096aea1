"""Measures what each thing that clients do costs a node, and writes ``loadgen/constants.json``.

CPU time is that of the node's processes on one core while a client on another one does the same thing over
and over; what a thing costs in part is found by doing it in several sizes, or with it and without, in turns:
a machine is not as fast at all times.  Each constant says how it was measured.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import os
import platform
import resource
import socket
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from benchmarks import client, resting, sockets, tls
from benchmarks.exchange import Handshake, answer, connected, tls_context
from benchmarks.servers import Server, certificate, edge, settle
from edge.http import questions
from loadgen import constants
from loadgen.constants import Constant, File, Machine

#: What is written.
PATH = constants.PACKAGED
#: Bytes of bodies that do not compress, and validators of batches: a line through what they cost.
SIZES = (1_000, 10_000, 50_000)
BATCHES = (5, 25, 50)
#: WebSockets opened, rounds of questions over them.
UPGRADES, QUESTIONS = 500, 300
#: Of a section whose costs cannot be.
TRIES = 3
#: Rounds of opening so many.
UPGRADE_ROUNDS = 3
_ACCEPT = {"Accept-Encoding": "gzip, deflate, br, zstd"}
_UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class TooBusyError(Exception):
    """A cost came out below nothing."""


class Notes:
    """The constants measured so far, each with how it was."""

    def __init__(self) -> None:
        self.constants: dict[str, Constant] = {}

    def put(self, name: str, value: float, how: str) -> float:
        """Keep one constant and how it was measured; :exc:`TooBusyError`."""
        if value <= 0:
            raise TooBusyError(f"{name} came out as {value:g}: the machine is too busy to measure on")
        self.constants[name] = Constant(float(f"{value:.5g}"), constants.unit(name), how)
        return value


def site(directory: Path) -> Path:
    """The benchmarks' site, and files of :data:`SIZES` that no coding makes smaller."""
    import random

    client.site(directory)
    noise = random.Random(1)
    for size in SIZES:
        (directory / f"noise-{size}.webp").write_bytes(noise.randbytes(size))
    return directory


def _not_modified(server: Server, tag: str, **fields: str) -> str:
    return client.request("/small.html", If_None_Match=tag, **fields)


def _batch(server: Server, count: int) -> str:
    lines = (f"{server.head(f'/asset-{n}.css')['etag'].strip(chr(34))} /asset-{n}.css" for n in range(count))
    return client.request("/.edge/revalidate", "POST", "\n".join(lines), Content_Type="text/plain")


def _state(server: Server) -> str:
    """The state of the site."""
    with connected(server) as stream:
        told = answer(stream, client.question("/.edge/changes")).partition(b"\r\n\r\n")[2]
    state = told.decode().split("\n", 1)[0]
    if state in ("", "?"):
        raise SystemExit("the server cannot say at which state its site is")
    return state


def _masked(question: bytes) -> bytes:
    """A binary frame of a client (RFC 6455 section 5.2), shorter than 126 bytes, with a mask of zeros."""
    return bytes((0x82, 0x80 | len(question))) + bytes(4) + question


class CostMeter:
    """CPU seconds of a server for one of many equal requests: the median of rounds."""

    def __init__(self, server: Server, seconds: float, rounds: int) -> None:
        self.server, self.seconds, self.rounds = server, seconds, rounds

    def each(self, text: str, connections: int = 64) -> float:
        """Server CPU seconds of one request with that *text*."""
        return statistics.median(self._once(self.server, text, connections) for _ in range(self.rounds))

    def both(self, text: str, other: str, server: Server | None = None) -> tuple[float, float]:
        """What one request *text* costs, and how much more one of *other*, asked of *server*; in turns."""
        pairs = [
            (self._once(self.server, text, 32), self._once(server or self.server, other, 32))
            for _ in range(2 * self.rounds)
        ]
        return statistics.median(one for one, _ in pairs), statistics.median(two - one for one, two in pairs)

    def _once(self, server: Server, text: str, connections: int) -> float:
        return client.wrk(server, text, self.seconds, connections).microseconds / 1e6


def plain(notes: Notes, clock: CostMeter) -> None:
    """What goes over open TCP connections, and opening one."""
    server = clock.server
    tag = server.head("/small.html", **_ACCEPT)["etag"]
    same = "wrk, 64 keep-alive connections, one worker, browser-like heads"
    notes.put("not_modified_s", clock.each(_not_modified(server, tag)), same)
    slope, base = statistics.linear_regression(
        SIZES, [clock.each(client.request(f"/noise-{size}.webp")) for size in SIZES]
    )
    bodies = f"{same}; a line through bodies of {', '.join(f'{size:,}' for size in SIZES)} B"
    notes.put("body_s", base, bodies)
    notes.put("body_s_per_kilobyte", slope * 1000, bodies)
    slope, base = statistics.linear_regression(BATCHES, [clock.each(_batch(server, n)) for n in BATCHES])
    batches = f"{same}; a line through batches of {', '.join(map(str, BATCHES))} validators, all current"
    notes.put("batch_s", base, batches)
    notes.put("validator_s", slope, batches)
    question = client.question(f"/.edge/changes?since={_state(server)}")
    notes.put("changes_s", clock.each(question), "the same, with the head of the smart client: 304")
    _, more = clock.both(_not_modified(server, tag), _not_modified(server, tag, Connection="close"))
    closing = "wrk, one 304 with Connection: close each, in turns with 304s, less those"
    notes.put("connection_s", more, closing)


def encrypted(notes: Notes, clock: CostMeter) -> None:
    """What requests and handshakes cost over TLS."""
    server = clock.server.over_tls()
    known = {name: constant.value for name, constant in notes.constants.items()}
    context = tls_context()
    with connected(server) as stream:
        full = Handshake(stream, context)
        full.settle()
        weights = {"handshake": (full.sent, full.received)}
        head = full.answer(client.request("/small.html", "HEAD", **_ACCEPT)).decode()
        session = full.session
    tag = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("etag:"))
    text = _not_modified(server, tag)
    with connected(server) as stream:
        resumed = Handshake(stream, context, session)
        resumed.settle()
        weights["resumed"] = (resumed.sent, resumed.received)
    kind = "TLS 1.3, X25519, a self-signed ECDSA P-256 certificate"
    kinds = {
        "handshake": f"{kind}, to which an authority's chain adds",
        "resumed": "TLS 1.3, from a ticket" if resumed.resumed else f"{kind}: no ticket was taken",
    }
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", server.port)))
    notes.put("certificate_bytes", len(der), "of the benchmarks' own, as DER")
    for name, (sent, received) in weights.items():
        how = f"one handshake, with what follows it at once; {kinds[name]}"
        notes.put(f"{name}_in_bytes", sent, how)
        notes.put(f"{name}_out_bytes", received, how)

    hit, more = clock.both(text, text, server)
    in_turns = "wrk, 304s on 32 TLS 1.3 connections, in turns with as many over TCP, less those"
    notes.put("tls_request_s", more, in_turns)
    cost = hit + more
    last = _not_modified(server, tag, Connection="close")
    names = {"handshake": "full", "resumed": "resumed"}
    both = {name: tls.Shaken(kind_of, server, last) for name, kind_of in names.items()}
    for _ in range(clock.rounds):
        for one in both.values():  # in turns: the machine is not as fast at all times
            one.round(clock.seconds)
    for name, shaken in both.items():
        if shaken.missed:
            raise SystemExit(f"{shaken.missed:.0f} handshakes were not {names[name]}")
        notes.put(
            f"{name}_s",
            statistics.median(shaken.costs) - cost - known["connection_s"],
            f"{tls.CLIENTS} clients at once, a 304 on each connection; {kinds[name]}; less TCP and the 304",
        )


def sizes(notes: Notes, server: Server) -> None:
    """Bytes of requests and answers."""
    tag = server.head("/small.html", **_ACCEPT)["etag"]
    lone = client.request("/small.html", If_None_Match=tag)
    heads = "as Chromium sends it; field lines of benchmarks/client.py"
    notes.put("request_bytes", len(client.request("/small.html")), heads)
    notes.put("confirm_request_bytes", len(lone), heads)
    batch = _batch(server, BATCHES[-1])
    head, _, body = batch.partition("\r\n\r\n")
    notes.put("batch_request_bytes", len(head) + 4, heads)
    question = client.question(f"/.edge/changes?since={_state(server)}")
    notes.put(
        "changes_request_bytes",
        len(question),
        "as its worker sends it; QUESTION_FIELDS",
    )
    looked = client.look(server.head("/sw.js", **_ACCEPT)["etag"])
    notes.put("look_request_bytes", len(looked), "as Chromium looks for another worker; LOOK_FIELDS")
    notes.put("load_request_bytes", len(client.request("/.edge/load")), heads)
    lines = body.split("\n")
    notes.put(
        "validator_bytes",
        statistics.mean(len(line) + 1 - len(line.split(" ")[1]) for line in lines),
        "ETag, space and line end",
    )
    whole = "one answer, all of its bytes"
    with connected(server) as stream:
        notes.put("not_modified_bytes", len(answer(stream, lone)), whole)
        page = answer(stream, client.request(f"/noise-{SIZES[0]}.webp"))
        notes.put("body_head_bytes", len(page) - SIZES[0], whole)
        notes.put("batch_answer_bytes", len(answer(stream, batch)), whole)
        load = answer(stream, client.request("/.edge/load"))
        nodes = msgspec.json.decode(load.partition(b"\r\n\r\n")[2])["nodes"]
        one = len(msgspec.json.encode(nodes[0])) + 1
        notes.put("load_node_bytes", one, "a node in /.edge/load")
        notes.put("load_answer_bytes", len(load) - one, "/.edge/load of one node, without it")
    document, word, *_ = _greeting(server, "?v=2&topics=load")
    notes.put("push_bytes", len(document), "the first message: a load document of one node")
    in_word = "the message behind it, in version 2 of the feed: the figures of one node in a word"
    notes.put("word_bytes", len(word), in_word)
    framed = _masked(bytes((questions.CHANGED, 0)) + _state(server).encode())
    notes.put("question_bytes", len(framed), "a masked frame")
    with connected(server) as stream:
        asking = Asking(server, stream)
        asking.ask()
        notes.put("question_answer_bytes", asking.read(), "a frame: nothing has changed")


def _upgrade(server: Server, stream: socket.socket, query: str = "") -> bytes:
    """What has come behind the answer already."""
    origin = f"localhost:{server.port}"
    text = client.request(f"/.edge/socket{query}", Host=origin, Origin=f"http://{origin}", **_UPGRADE)
    head, _, rest = answer(stream, text).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise SystemExit("the server refused a WebSocket")
    return rest


def _greeting(server: Server, query: str) -> list[bytes]:
    """The frames that a new WebSocket gets at once."""
    with connected(server) as stream:
        data = _upgrade(server, stream, query)
        stream.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            while more := stream.recv(65536):
                data += more
    frames = []
    while len(data) >= 4:
        size = data[1] + 2 if data[1] < 126 else int.from_bytes(data[2:4], "big") + 4
        frames.append(data[:size])
        data = data[size:]
    return frames


class Asking:
    """A WebSocket that is pushed nothing but changes, and asks whether there are any."""

    def __init__(self, server: Server, stream: socket.socket) -> None:
        _upgrade(server, stream, "?topics=changed")
        stream.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            stream.recv(65536)  # what is true now is told at once
        stream.settimeout(10)
        self._stream = stream
        self._question = _masked(bytes((questions.CHANGED, 0)) + _state(server).encode())

    def ask(self) -> None:
        """Send the question."""
        self._stream.sendall(self._question)

    def read(self) -> int:
        """Bytes of the answer."""
        told = self._stream.recv(65536)
        if told[2:4] != bytes((questions.CHANGED + 128, 0)):
            raise SystemExit(f"an unexpected answer: {told!r}")
        return len(told)


def questioning(notes: Notes, server: Server) -> None:
    """Questions over WebSockets."""
    with contextlib.ExitStack() as held:
        streams = [Asking(server, held.enter_context(connected(server))) for _ in range(64)]
        idle = server.cpu_seconds()
        time.sleep(QUESTIONS * 0.012)
        idle = server.cpu_seconds() - idle
        begun = server.cpu_seconds()
        for _ in range(QUESTIONS):
            for stream in streams:
                stream.ask()
            for stream in streams:
                stream.read()
            time.sleep(0.012)  # a node takes 100 frames a second of each
        spent = server.cpu_seconds() - begun - idle
    notes.put(
        "question_s",
        spent / (QUESTIONS * len(streams)),
        f"{QUESTIONS} rounds of one on each of {len(streams)} WebSockets, less the node at rest",
    )


def pushing(notes: Notes, server: Server, seconds: float) -> None:
    """WebSockets: opening them, asking over them, pushing to them."""
    rounds = []
    with connected(server) as first:
        _upgrade(server, first)  # a worker that has none lets the first one go to Python
        for _ in range(UPGRADE_ROUNDS):
            with contextlib.ExitStack() as held:
                begun = server.cpu_seconds()
                for number in range(UPGRADES):
                    _upgrade(server, held.enter_context(connected(server, resting.source(number))))
                rounds.append((server.cpu_seconds() - begun) / UPGRADES)
    notes.put(
        "upgrade_s",
        statistics.median(rounds) - notes.constants["connection_s"].value,
        f"{UPGRADES} opened one by one, with the first messages on each: the median of {UPGRADE_ROUNDS} "
        "rounds; less a TCP connection",
    )
    questioning(notes, server)
    cost = sockets.measure(server, sockets.SOCKETS, seconds)
    held_for = f"{sockets.SOCKETS:,} held for {seconds:g} s (benchmarks/sockets.py)"
    notes.put("push_s", cost.core / sockets.SOCKETS / cost.messages, f"{held_for}, by the messages they got")


def machine() -> Machine:
    """The one at hand."""
    names = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    now = datetime.datetime.now(datetime.timezone.utc)
    return Machine(
        cpu=", ".join(sorted(names)) or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        date=now.strftime("%Y-%m-%d"),
    )


@contextlib.contextmanager
def _encrypted_edge(webroot: Path, directory: Path) -> Iterator[Server]:
    """A node that also listens with TLS."""
    with edge(webroot, directory, secure=certificate(directory / "certificate")) as server:
        settle(server)
        yield server


def until_plausible(name: str, section: Callable[[Path], None], directory: Path) -> None:
    """Have the *section* of that *name* measure in a folder of its own; again, if that was too busy."""
    for attempt in range(1, TRIES + 1):
        try:
            section(directory / f"{name}-{attempt}")
            return
        except TooBusyError as error:
            if attempt == TRIES:
                raise SystemExit(f"{error}, also when tried {TRIES} times") from None
            print(f"{error}; once more", file=sys.stderr, flush=True)


def measure(directory: Path, quick: bool) -> File:
    """All constants.  Servers of their own where memory counts: what was used before hides what is needed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    seconds, rounds = (1.0, 1) if quick else (3.0, 3)
    notes, webroot = Notes(), site(directory / "site")

    def over_tcp(folder: Path) -> None:
        with edge(webroot, folder) as server:
            settle(server)
            plain(notes, CostMeter(server, seconds, rounds))
            sizes(notes, server)

    def over_tls(folder: Path) -> None:
        with _encrypted_edge(webroot, folder) as server:
            encrypted(notes, CostMeter(server, seconds, rounds))

    def over_websockets(folder: Path) -> None:
        with edge(webroot, folder) as server:
            pushing(notes, server, 5.0 if quick else 20.0)

    until_plausible("tcp", over_tcp, directory)
    until_plausible("tls", over_tls, directory)
    until_plausible("websockets", over_websockets, directory)
    until_plausible("rest", functools.partial(_at_rest, notes, webroot), directory)
    return File(machine=machine(), constants={name: notes.constants[name] for name in constants.NAMES})


def _at_rest(notes: Notes, webroot: Path, folder: Path) -> None:
    """Memory of connections."""
    pages = "used and resting: private pages of the node's processes"
    with edge(webroot, folder / "connections") as server:
        memory, kernel = resting.connections(server)
    notes.put("connection_memory", memory, f"{resting.HELD:,} {pages}")
    with edge(webroot, folder / "sockets") as server:
        socket_memory, _ = resting.connections(server, functools.partial(_upgrade, server))
    of_sockets = f"{resting.HELD:,} opened and {pages.removeprefix('used and ')}"
    notes.put("socket_memory", socket_memory, of_sockets)
    both_ends = "used and resting: objects of /proc/slabinfo at both ends, halved"
    notes.put("kernel_memory", kernel, f"{resting.HELD:,} {both_ends}")
    with _encrypted_edge(webroot, folder / "tls") as server:
        encrypted_memory = resting.encrypted(server.over_tls()) - memory
    notes.put("tls_memory", encrypted_memory, f"{resting.HELD_TLS:,} {pages}, less those over TCP")


def write(file: File, path: Path = PATH) -> None:
    """Write *file* to *path*, whole or not at all."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")
    os.replace(temporary, path)
