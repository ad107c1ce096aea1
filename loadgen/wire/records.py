"""What the Python wire keeps of a request and of a connection."""

from __future__ import annotations

import socket
import time

from loadgen.wire.answers import AnswerReader
from loadgen.wire.interface import Answer
from loadgen.wire.secure import SecureSocket


class Request:
    """One, from :meth:`~loadgen.wire.interface.Wire.send` to its answer."""

    __slots__ = (
        "begun", "bytes_in", "bytes_out", "connection", "due", "finished", "head", "head_only", "node",
        "reader", "request", "retried", "sent", "token", "unsent", "user",
    )  # fmt: skip

    def __init__(self, token: int, user: int, node: int, due: int, request: bytes) -> None:
        self.token = token
        self.user = user
        self.node = node
        self.due = due
        self.request = request
        self.unsent = memoryview(request)
        self.head_only = request.startswith(b"HEAD ")
        self.begun = self.sent = self.head = self.bytes_in = self.bytes_out = 0
        self.connection: Connection | None = None
        self.reader: AnswerReader | None = None
        self.retried = self.finished = False

    def answer(self, error: int, body_at: int, body_length: int) -> Answer:
        """It has ended now."""
        reader = self.reader
        return Answer(
            self.token, self.node, reader.status if reader else 0, error,
            self.due, self.begun, self.sent, self.head, time.monotonic_ns(),
            self.bytes_out, self.bytes_in, reader.etag if reader else b"",
            reader.max_age if reader else -1, body_at, body_length, reader.age if reader else 0,
            reader.weak if reader else 0, reader.coding if reader else 0, reader.later if reader else 0,
            reader.modified if reader else b"",
        )  # fmt: skip


class Connection:
    """One to a node."""

    __slots__ = (
        "connected",
        "leaving",
        "node",
        "request",
        "rested",
        "shaking_since",
        "socket",
        "used",
        "user",
        "writing",
    )

    def __init__(self, made: socket.socket | SecureSocket, user: int, node: int) -> None:
        self.socket = made
        self.user = user
        self.node = node
        self.request: Request | None = None
        #: It took bytes; it has brought an answer; it will not rest; epoll tells when it is writable.
        self.connected = self.used = self.leaving = self.writing = False
        self.rested = 0
        #: When the first bytes of its TLS handshake were sent.
        self.shaking_since = 0
