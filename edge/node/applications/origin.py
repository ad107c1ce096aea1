"""What a worker asks an application by: callbacks, no Deferreds, nothing that is whole in memory.

The law, for everybody who implements or wraps an :class:`Origin`:

* ``ask`` returns before the receiver hears anything, also of what fails at once.
* A receiver hears, in this order: ``informational`` any number of times; then either ``switched``, or
  ``started`` and any number of ``data``; then exactly one of ``ended`` and ``failed``.  An answer that is
  whole when it comes may be one ``answered`` in place of ``started``, ``data`` and ``ended``.  After
  ``switched`` both sides send raw bytes by ``data`` and ``send`` until one of them ends.  ``failed`` may come
  instead of any of them.
* After ``ended``, ``answered``, ``failed`` or ``Exchange.cancel`` nothing is heard, and every method of the
  exchange does nothing.
* The answer may be over before the question is: then the rest of the question is not wanted, and what is
  sent of it is dropped.
* Flow control is a wish, and takes effect soon: after ``Exchange.pause`` some ``data`` that was on its way
  may still come (at most what one read gave, 64 KiB), after ``Receiver.pause_body`` likewise.  Both begin
  unpaused, neither counts: two pauses are one.
* Callbacks run in the reactor's thread and may call any method of the exchange, ``cancel`` included.

Fields are lists of (name, value) as they are sent, in their order.  Neither side ever has the fields of the
connection itself (RFC 9110 section 7.6.1): ``Connection`` and what it names, ``Transfer-Encoding``, ``TE``,
``Upgrade``, ``Keep-Alive``, ``Proxy-Connection``.  ``Content-Length`` is not among them, either: how long a
body is, is told apart, in one number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from edge.http.fields import Fields
from edge.shares import NOBODY
from edge.traces.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Exchange",
    "Failure",
    "Fields",
    "Layer",
    "Origin",
    "OriginError",
    "Question",
    "Receiver",
    "Waiter",
]


class Waiter(Protocol):
    """Who stood for a request while the fast path held it (:mod:`.held`)."""

    @property
    def is_decided(self) -> bool:
        """Whether it is known what becomes of it; else it begins anew."""

    def arrived(self, asking: Any) -> None:
        """Tell *asking* (:class:`.caching.Asking`), which it has become, what is to become of it."""


@dataclass(slots=True)
class Question:
    """One request as an application gets it."""

    method: bytes
    #: Path and query, the exact bytes that the visitor sent; ``*`` in OPTIONS alone.
    target: bytes
    #: What the visitor sent without what he may not say (see the module), without Host.
    fields: Fields
    #: What the application is told as Host.
    host: bytes
    #: The visitor came over TLS.
    secure: bool = False
    #: The visitor's address; "" over a Unix socket.
    peer: str = ""
    #: What it counts as in shares (:mod:`edge.shares`), or who had it asked; NOBODY: it is not told apart.
    network: bytes = NOBODY
    #: Octets of the body, 0 for none; None: it ends with ``Exchange.finish``, nobody knows where.
    body_length: int | None = 0
    #: The visitor waits for ``100 Continue`` before he sends the body: ``informational(100, [])`` tells him.
    expect_continue: bool = False
    #: The protocol that the visitor asks to switch to, like ``websocket``; b"" for an ordinary request.
    upgrade: bytes = b""
    #: It holds nothing but the key of what is to be stored: the answer is for everybody.
    clean: bool = False
    #: When the head of the answer has to be here, in seconds of the reactor's clock; None: whenever it
    #: comes, or nobody knows yet, since the body has to come first.
    deadline: float | None = None
    #: The sequence of the table at which nothing was published under the path; None: that is not known.
    unpublished: int | None = None
    #: It was asked once already, and met that.
    met: OriginError | None = None
    #: Who stood for the request while the fast path held it; None: it was not held.
    waiter: Waiter | None = None
    #: Who asks next for the same is passed on by the fast path.
    is_relayed: bool = False
    #: When somebody was asked for an answer, in seconds of the reactor's clock; None: nobody, so far.
    asked_at: float | None = None
    #: The place in a trace of the request that has caused it; None: it is not traced, or nobody's.
    trace: Context | None = None
    #: Counts the bytes that are kept of what the visitor says after ``switched``: what is not whole, or not
    #: taken; false: they are too many.
    keep: Callable[[int], bool] = lambda count: True

    @property
    def has_body(self) -> bool:
        """Whether a body follows (one of unknown length may turn out empty)."""
        return self.body_length != 0


class Failure(Enum):
    """Why there is no answer, or no whole one: (word, status for the visitor, whether to try again soon)."""

    #: Nobody is there: not started, refused, all taken out.
    AWAY = ("away", 503, True)
    #: The queue is full, or the time in it was over.
    FULL = ("full", 503, True)
    #: The head did not come before the deadline, or the body stood still.
    TIMEOUT = ("timeout", 504, False)
    #: What came is no answer: malformed, ambiguous, over a limit.
    GARBAGE = ("garbage", 502, False)
    #: The connection or the process ended before the answer did.
    CLOSED_EARLY = ("closed early", 502, False)
    #: The question cannot be asked this way: a protocol that is not spoken there.
    REFUSED = ("refused", 501, False)

    @property
    def status(self) -> int:
        """The status that the visitor is answered."""
        return self.value[1]

    @property
    def may_retry(self) -> bool:
        """Whether the visitor is told to try again (``Retry-After``)."""
        return self.value[2]


@dataclass(slots=True)
class OriginError:
    """Why there is no answer, or no whole one."""

    failure: Failure
    #: For the log: which origin, and what; for nobody outside.
    sentence: str
    #: Something of the question may have been acted on: asking again is for who may do a thing twice.
    reached: bool = True


class Receiver(Protocol):
    """Who gets the answer.  See the law of the module."""

    def informational(self, status: int, fields: Fields) -> None:
        """An interim answer, 100 to 199 without 101: 103 (Early Hints) goes to the visitor, too."""

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """The head of the answer; *length* as of its Content-Length, None without.

        Of an answer without a body (to HEAD, 204, 304) the length is what its head says, and ``data`` never
        comes.
        """

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """A whole answer without trailers at once: head, *body* (b"" of one that has none) and end."""

    def switched(self, fields: Fields) -> None:
        """101: the protocol is the one asked for; *fields* are the others of that head."""

    def data(self, data: bytes) -> None:
        """A piece of the answer's body, at least one byte."""

    def ended(self, trailers: Fields) -> None:
        """The answer is whole."""

    def failed(self, error: OriginError) -> None:
        """There will be no answer, or, after ``started``, no more of it: it must not look whole."""

    def pause_body(self) -> None:
        """Send no more of the question's body for now."""

    def resume_body(self) -> None:
        """Send on."""


class Exchange(Protocol):
    """One question that was asked, in the hands of who asked it."""

    def send(self, data: bytes) -> None:
        """A piece of the question's body; after ``switched``, of what is said to the application."""

    def finish(self) -> None:
        """The question's body is whole; not called for a question without one.

        After ``switched``: the node ends, so both sides are told goodbye where that is known how, as by 1001
        on a WebSocket, and the receiver hears ``ended``.
        """

    def pause(self) -> None:
        """Give no more of the answer for now."""

    def resume(self) -> None:
        """Go on."""

    def cancel(self) -> None:
        """Nobody wants the answer any more; nothing more is heard of it.  Any number of times."""


class Origin(Protocol):
    """An application, one of its processes, one HTTP server, or a layer around any of these."""

    @property
    def name(self) -> str:
        """For log lines and figures."""

    @property
    def available(self) -> bool:
        """Whether it is worth asking now: an origin that is not may still be asked, and fails."""

    def ask(self, question: Question, receiver: Receiver) -> Exchange:
        """Ask; the receiver hears what comes of it, after this has returned."""


class Layer:
    """What the layers around another :class:`Origin`, *inner*, have in common."""

    def __init__(self, inner: Origin) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """That of who is asked."""
        return self.inner.name

    @property
    def available(self) -> bool:
        """Whether who is asked is."""
        return self.inner.available
