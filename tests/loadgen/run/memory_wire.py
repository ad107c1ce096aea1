"""A wire in memory: it keeps what is sent, and answers what a test says, at the time that the test says."""

from __future__ import annotations

from typing import NamedTuple

from loadgen.run.client.clock import Clock
from loadgen.wire.interface import CANCELLED, OK, Answer


class Sent(NamedTuple):
    """A request that has been handed over."""

    token: int
    user: int
    node: int
    due: int
    request: bytes

    @property
    def line(self) -> str:
        """Method and target."""
        return self.request.partition(b" HTTP/1.1\r\n")[0].decode("ascii")

    @property
    def body(self) -> bytes:
        """After the head."""
        return self.request.partition(b"\r\n\r\n")[2]


class MemoryWire:
    """Has the form of :class:`loadgen.wire.interface.Wire`."""

    kind = "memory"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: All that was sent, what is on its way by token, and what was cancelled.
        self.sent: list[Sent] = []
        self.open: dict[int, Sent] = {}
        self.cancelled: list[Sent] = []
        self.left: list[int] = []
        self._bodies = bytearray()

    def send(self, token: int, user: int, node: int, due: int, request: bytes) -> None:
        sent = Sent(token, user, node, due, request)
        assert token not in {one.token for one in self.sent}, "each attempt has a token of its own"
        self.sent.append(sent)
        self.open[token] = sent

    def cancel(self, token: int) -> None:
        if token in self.open:
            self.cancelled.append(self.open.pop(token))

    def leave(self, user: int) -> None:
        self.left.append(user)

    @property
    def bodies(self) -> memoryview:
        return memoryview(self._bodies)

    def connections(self) -> int:
        return len(self.open)

    def waiting(self) -> list[Sent]:
        """What has no answer, in the order of its sending."""
        return list(self.open.values())

    def answer(
        self, sent: Sent, status: int = 200, body: bytes = b"", etag: bytes = b"", error: int = OK
    ) -> Answer:
        """What the wire would say of *sent* now."""
        self.open.pop(sent.token, None)
        self._bodies[:] = b"..." + body + b"..."
        now = self._clock.now
        head = 0 if error and not status else now
        size = len(sent.request)
        return Answer(
            sent.token, sent.node, status, error, sent.due, sent.due, sent.due, head, now, size,
            100 + len(body), etag, -1, 3, len(body),
        )  # fmt: skip

    def cancellation(self, sent: Sent) -> Answer:
        """What the wire says of a request that was cancelled."""
        return self.answer(sent, status=0, error=CANCELLED)
