"""Sans-IO: splits a byte stream into HTTP/1.1 answers (RFC 9112 section 6), for GET requests.

Only what a closed-loop client needs: statuses, body lengths by Content-Length, 204 and 304 without a
body.  A chunked or unframed answer is an error here, because its end could not be told cheaply.
"""

from __future__ import annotations

import re

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)
_HEAD_LIMIT = 64 * 1024


class AnswerError(Exception):
    """The bytes are no answer this reader can frame."""


class AnswerReader:
    """Feed it bytes; it returns the statuses of the answers that they complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body_left = 0
        self._status = 0
        #: The server said that it closes after an answer.
        self.closing = False

    def receive(self, data: bytes) -> list[int]:
        """Statuses of the answers that end within *data*; :exc:`AnswerError`."""
        statuses: list[int] = []
        buffer = self._buffer
        buffer += data
        at = 0
        while True:
            if self._body_left or self._status:
                taken = min(self._body_left, len(buffer) - at)
                self._body_left -= taken
                at += taken
                if self._body_left:
                    break
                statuses.append(self._status)
                self._status = 0
            end = buffer.find(b"\r\n\r\n", at)
            if end < 0:
                if len(buffer) - at > _HEAD_LIMIT:
                    raise AnswerError("an answer's head is over 64 KiB")
                break
            self._begin(bytes(buffer[at : end + 2]))
            at = end + 4
        del buffer[:at]
        return statuses

    def _begin(self, head: bytes) -> None:
        status = _STATUS.match(head)
        if status is None:
            raise AnswerError(f"not an HTTP/1.1 answer: {head[:40]!r}")
        self._status = int(status[1])
        if _CLOSE.search(head):
            self.closing = True
        if self._status in (204, 304):
            self._body_left = 0
            return
        length = _LENGTH.search(head)
        if length is None:
            raise AnswerError(f"an answer without Content-Length (status {self._status})")
        self._body_left = int(length[1])
