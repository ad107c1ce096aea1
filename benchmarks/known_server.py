"""A server whose latency is known: ``python -m benchmarks.known_server NAME``.

It prints its origin, serves until its standard input ends, and writes then what it did, as doubles,
ascending: milliseconds from when a request was read to when its answer was sent, of every request.

A distribution is cut into *strata* of the same probability, and has one delay in each, that of its middle.
Of as many requests each is drawn once, in random order; so even the p99.9 of some thousand requests is that
of the distribution, and what differs from it is not chance.  What stalls has no draws: there it is time that
tells.

==========  ====================================================================================
fixed-50    50 ms
fixed-200   200 ms
bimodal     93 of a hundred 60 ms, seven 400 ms
rare        all 60 ms, but one of 200 a second
jitter      50 to 150 ms, evenly
gauss       normal: 150 ms, standard deviation 20
exponential 50 ms, and exponential with a mean of 80
lognormal   a median of 80 ms, sigma 0.8
pareto      heavy tail: 50 ms at least, exponent 2
stall       50 ms; for one second of every five nothing is answered
==========  ====================================================================================
"""

from __future__ import annotations

import heapq
import math
import random
import select
import socket
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import NamedTuple

#: No percentile that is asked for is where one of so many ends and the next begins: by which of the two it is
#: would be chance again.
STRATA = 555
#: A stall begins after so many seconds of a period, and ends with it.
STALL_S, PERIOD_S = 1.0, 5.0
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\nContent-Length: 100\r\n\r\n"
    + b"x" * 100
)


class Known(NamedTuple):
    """A distribution of latencies."""

    #: Milliseconds that a share of all requests does not exceed: its inverse distribution function.
    inverse: Callable[[float], float]
    #: Nothing is answered in the last second of every five.
    stalls: bool = False

    def quantile(self, share: float) -> float:
        """The same of what is drawn."""
        return self.inverse(share if self.stalls else middle(share))


def _stalled(share: float) -> float:
    """Of a fixed 50 ms; a fifth of the answers is due in a stall, and waits evenly up to its length."""
    evenly = 1 - STALL_S / PERIOD_S
    return 50.0 + (max(0.0, share - evenly) / (1 - evenly)) * STALL_S * 1000


def _normal(share: float) -> float:
    """Of a normal distribution, in standard deviations."""
    return NormalDist().inv_cdf(share)


SERVERS = {
    "fixed-50": Known(lambda share: 50.0),
    "fixed-200": Known(lambda share: 200.0),
    "bimodal": Known(lambda share: 60.0 if share < 0.93 else 400.0),
    "rare": Known(lambda share: 60.0 if share < 0.995 else 1000.0),
    "jitter": Known(lambda share: 50.0 + 100.0 * share),
    "gauss": Known(lambda share: 150.0 + 20.0 * _normal(share)),
    "exponential": Known(lambda share: 50.0 - 80.0 * math.log(1 - share)),
    "lognormal": Known(lambda share: 80.0 * math.exp(0.8 * _normal(share))),
    "pareto": Known(lambda share: 50.0 / math.sqrt(1 - share)),
    "stall": Known(_stalled, stalls=True),
}


def strata(seed: int) -> Iterator[float]:
    """The middles of all strata, each once, in random order; and so on."""
    chance = random.Random(seed)
    while True:
        order = list(range(STRATA))
        chance.shuffle(order)
        for place in order:
            yield middle(place / STRATA)


def middle(share: float) -> float:
    """The middle of the stratum of *share*, 0..1."""
    return (min(STRATA - 1, math.floor(share * STRATA + 1e-9)) + 0.5) / STRATA


class Server:
    """The server; one thread, which never waits for longer than until the next answer is due."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._shares = strata(1)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._open: dict[int, socket.socket] = {}
        self._parts: dict[int, bytes] = {}
        #: (when it is due, descriptor, when it was read)
        self._due: list[tuple[float, int, float]] = []
        self._began = time.monotonic()
        #: Milliseconds of each answer.
        self.latencies = array("d")

    def serve(self, until: int) -> None:
        """Serve until the descriptor *until* is readable."""
        self._poll.register(until, select.EPOLLIN)
        while True:
            left = self._due[0][0] - time.monotonic() if self._due else 1.0
            # epoll counts milliseconds, and is late by one: the last one is not slept through.
            for fd, _ in self._poll.poll(max(0.0, left - 0.0015) if left > 0.0015 else 0.0):
                if fd == until:
                    return
                if fd == self._listener.fileno():
                    self._accept()
                else:
                    self._read(fd)
            self._answer()

    def _accept(self) -> None:
        for _ in range(64):
            try:
                made = self._listener.accept()[0]
            except BlockingIOError:
                return
            made.setblocking(False)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open[made.fileno()] = made
            self._poll.register(made, select.EPOLLIN)

    def _read(self, fd: int) -> None:
        try:
            data = self._open[fd].recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._open.pop(fd).close()
            self._parts.pop(fd, None)
            return
        data = self._parts.pop(fd, b"") + data
        *whole, rest = data.split(b"\r\n\r\n")
        if rest:
            self._parts[fd] = rest
        now = time.monotonic()
        for _ in whole:
            heapq.heappush(self._due, (self._when(now), fd, now))

    def _when(self, now: float) -> float:
        """When a request that came *now* is to be answered."""
        due = now + self._known.inverse(0.0 if self._known.stalls else next(self._shares)) / 1000
        if self._known.stalls:
            period, second = divmod(due - self._began, PERIOD_S)
            if second >= PERIOD_S - STALL_S:
                return self._began + (period + 1) * PERIOD_S
        return due

    def _answer(self) -> None:
        """Send what is due."""
        while self._due and self._due[0][0] <= time.monotonic():
            _, fd, came = heapq.heappop(self._due)
            if fd in self._open:
                try:
                    self._open[fd].send(_ANSWER)
                except OSError:
                    continue
                self.latencies.append((time.monotonic() - came) * 1000)


def main(name: str) -> None:
    """Serve; say what was done."""
    server = Server(SERVERS[name])
    print(server.url, flush=True)
    server.serve(sys.stdin.fileno())
    sys.stdout.buffer.write(array("d", sorted(server.latencies)).tobytes())


if __name__ == "__main__":
    main(sys.argv[1])
