"""The states of one connection on the Twisted side, and all that can happen in them.

::

    handshake --handshake over--> idle
    idle --first byte--> head
    head --head read--> body
    body --request read--> answering
    answering --answered--> idle
    idle --returned--> gone
    answering --upgraded--> gone
    idle --upgraded--> gone
    handshake --last--> lingering
    idle --last--> lingering
    head --last--> lingering
    body --last--> lingering
    answering --last--> lingering
    handshake --aborted--> aborting
    idle --aborted--> aborting
    head --aborted--> aborting
    body --aborted--> aborting
    answering --aborted--> aborting
    lingering --aborted--> aborting
    aborting --aborted--> aborting
    handshake --lost--> gone
    idle --lost--> gone
    head --lost--> gone
    body --lost--> gone
    answering --lost--> gone
    lingering --lost--> gone
    aborting --lost--> gone

Over Twisted's TLS a connection begins with the handshake, else it begins idle.  It serves one request after
another, and *lingers* after the last one: its own direction is closed, and what still comes is discarded, so
that the kernel does not throw the answer away with a reset (RFC 9112 section 9.6).
"""

from __future__ import annotations

from enum import Enum

from edge.node.process.machine import StateMachine


class ConnectionState(Enum):
    """Where a connection is."""

    #: Of TLS, which is not over yet.
    HANDSHAKE = "handshake"
    #: Between two requests; not a byte of the next one has come.
    IDLE = "idle"
    #: The head of a request has begun.
    HEAD = "head"
    #: The head is whole; of the body something is missing.
    BODY = "body"
    #: The request is whole: a resource has it, and its answer is not complete.
    ANSWERING = "answering"
    #: The last answer is written, and the peer has time to read it.
    LINGERING = "lingering"
    #: The connection is being thrown away; its end has not been reported yet.
    ABORTING = "aborting"
    #: The channel has no connection any more.
    GONE = "gone"

    __hash__ = object.__hash__  # Enum's own is written in Python


class ConnectionEvent(Enum):
    """What happens to a connection."""

    HANDSHAKE_OVER = "handshake over"
    FIRST_BYTE = "first byte"
    HEAD_READ = "head read"
    #: The head and all of the body.
    REQUEST_READ = "request read"
    ANSWERED = "answered"
    #: The fast path has it, until the next request that it does not recognise.
    RETURNED = "returned"
    #: ``101 Switching Protocols``: it belongs to another protocol.
    UPGRADED = "upgraded"
    #: No further request is read: the last answer closes, a request was refused, a deadline is over, the node
    #: drains.
    LAST = "last"
    #: The answer cannot be completed.
    ABORTED = "aborted"
    LOST = "lost"

    __hash__ = object.__hash__  # Enum's own is written in Python


_S, _E = ConnectionState, ConnectionEvent
#: States in which requests are read or answered, or will be.
SERVING = (_S.HANDSHAKE, _S.IDLE, _S.HEAD, _S.BODY, _S.ANSWERING)

TRANSITIONS: dict[tuple[ConnectionState, ConnectionEvent], ConnectionState] = {
    (_S.HANDSHAKE, _E.HANDSHAKE_OVER): _S.IDLE,
    (_S.IDLE, _E.FIRST_BYTE): _S.HEAD,
    (_S.HEAD, _E.HEAD_READ): _S.BODY,
    (_S.BODY, _E.REQUEST_READ): _S.ANSWERING,
    (_S.ANSWERING, _E.ANSWERED): _S.IDLE,
    (_S.IDLE, _E.RETURNED): _S.GONE,
    (_S.ANSWERING, _E.UPGRADED): _S.GONE,
    (_S.IDLE, _E.UPGRADED): _S.GONE,  # it was before the fast path had it
    **{(state, _E.LAST): _S.LINGERING for state in SERVING},
    **{(state, _E.ABORTED): _S.ABORTING for state in (*SERVING, _S.LINGERING, _S.ABORTING)},
    **{(state, _E.LOST): _S.GONE for state in (*SERVING, _S.LINGERING, _S.ABORTING)},
}


class ConnectionLife(StateMachine[ConnectionState, ConnectionEvent]):
    """The state machine of one connection."""

    def __init__(self, handshake: bool = False) -> None:
        """*handshake*: it begins with that of TLS."""
        super().__init__(TRANSITIONS, ConnectionState.HANDSHAKE if handshake else ConnectionState.IDLE)

    @property
    def is_reading(self) -> bool:
        """Whether a request, or the rest of one, may come."""
        return self.state in (_S.IDLE, _S.HEAD, _S.BODY)

    @property
    def is_serving(self) -> bool:
        """Whether requests are read or answered, or will be: the last one is not over."""
        return self.state in SERVING
