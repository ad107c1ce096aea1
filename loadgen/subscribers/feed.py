"""The messages that a node pushes, and since when it could have.  Sans-IO: bytes and times in, messages out.

A node pushes the same bytes to all its subscribers: they are read once, and recognised after that
(:attr:`Feed.known`).  The time from which a push counts is

* for ``load``: when the document was made, as it says itself (``at``; clocks have to agree).  In version 2
  of the feed, which is asked for, its figures come in a word that says the same;
* for ``changed``: when the driver published (:meth:`Feed.expect`).  A number that is new from a node answers
  all publishes of which it has not told yet, and counts from the oldest of them: waiting for a node that
  tells of two at once is not forgiven.  What nobody expected counts from nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

#: ``Message.kind`` is the place in it.
KINDS = ("changed", "load")
CHANGED, LOAD = range(len(KINDS))
#: How a message of figures in a word begins, and bytes of its head (``docs/reference/socket.md``).
WORD, WORD_HEAD = b"\4\0", 10
#: No clock says more, ms: the year 2242.
LATEST_MS = 1 << 43
#: Pieces that are recognised, and numbers of changes that are remembered, at most.
KNOWN, TOLD = 64, 64


class FeedError(Exception):
    """What came is no message of a node."""


class Message(NamedTuple):
    """A message that is understood."""

    #: Place in :data:`KINDS`.
    kind: int
    #: Since when it could have come; 0: unknown.
    since_ns: int
    #: Of load figures: they are in a word, not a document.
    is_word: bool = False


class _Document(msgspec.Struct):
    #: Unix milliseconds.
    at: int


class _Said(msgspec.Struct):
    type: str
    seq: int | None = None
    document: _Document | None = None


class Feed:
    """The messages of one node."""

    def __init__(self) -> None:
        #: Bytes that make whole messages and nothing else, and these.
        self.known: dict[bytes, tuple[Message, ...]] = {}
        #: Since when each change counts of which the node has told.
        self.told: dict[int, int] = {}
        self._expected: list[int] = []

    def expect(self, at_ns: int) -> None:
        """Expect a change, published at that time; to be called before the node can have told of it."""
        self._expected.append(at_ns)

    def read(self, text: str | bytes, to_monotonic_ns: int) -> Message | None:
        """The message that *text* is; None: of a type that we know nothing of.

        :param to_monotonic_ns: what makes a time of ``CLOCK_MONOTONIC`` of one of ``CLOCK_REALTIME``.
        :raises FeedError: it is no message.
        """
        if isinstance(text, bytes) and text.startswith(WORD) and len(text) >= WORD_HEAD:
            at = int.from_bytes(text[4:WORD_HEAD], "big")
            return Message(LOAD, self._made(at, to_monotonic_ns), is_word=True)
        try:
            if not isinstance(text, str):
                raise msgspec.DecodeError
            said = msgspec.json.decode(text, type=_Said)
        except msgspec.DecodeError:
            raise FeedError("not a message") from None
        if said.type == "changed" and said.seq is not None:
            return Message(CHANGED, self._since(said.seq))
        if said.type == "load" and said.document is not None:
            return Message(LOAD, self._made(said.document.at, to_monotonic_ns))
        if said.type in KINDS:
            raise FeedError("not a message")
        return None

    def remember(self, data: bytes, messages: tuple[Message, ...]) -> None:
        """Recognise *data*, which makes *messages*, from now on."""
        if len(self.known) >= KNOWN:
            del self.known[next(iter(self.known))]
        self.known[data] = messages

    @staticmethod
    def _made(at: int, to_monotonic_ns: int) -> int:
        """:exc:`FeedError`: that is no time."""
        if not 0 <= at < LATEST_MS:
            raise FeedError("not a message")
        return at * 1_000_000 + to_monotonic_ns

    def _since(self, number: int) -> int:
        if number not in self.told:
            if len(self.told) >= TOLD:
                del self.told[next(iter(self.told))]
            self.told[number] = min(self._expected, default=0)
            self._expected.clear()
        return self.told[number]
