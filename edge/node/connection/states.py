"""The states of one connection on the Twisted side, and all that can happen to it: a table, and nothing else.

A connection serves one request after another::

    IDLE --FIRST_BYTE--> HEAD --HEAD_READ--> BODY --REQUEST_READ--> ANSWERING --ANSWERED--> IDLE

and ends in one of four ways:

* LAST: no further request is read (the last answer closes, a request was refused, a deadline is over, the
  node drains).  It *lingers*: its own direction is closed, and what still comes is discarded, so that the
  kernel does not throw the answer away with a reset (RFC 9112 section 9.6).
* RETURNED: idle, it goes back to the fast path.
* UPGRADED: after ``101 Switching Protocols`` it belongs to another protocol.
* ABORTED: the answer cannot be completed; then, as after lingering, it is LOST.

What is not in the table cannot happen: :func:`next_state` raises.  :func:`print_table` shows all of it.
"""

from __future__ import annotations

from enum import IntEnum, auto


class State(IntEnum):
    """Where a connection is; in the order of its life: from LINGERING on no request is read."""

    #: Between two requests; not a byte of the next one has come.
    IDLE = auto()
    #: The head of a request has begun.
    HEAD = auto()
    #: The head is whole; of the body something is missing.
    BODY = auto()
    #: The request is whole: a resource has it, and its answer is not complete.
    ANSWERING = auto()
    #: The last answer is written, and the peer has time to read it.
    LINGERING = auto()
    #: The connection is being thrown away; its end has not been reported yet.
    ABORTING = auto()
    #: This channel has no connection any more.
    GONE = auto()


class Happening(IntEnum):
    """What moves a connection from one state to another."""

    FIRST_BYTE = auto()
    HEAD_READ = auto()
    REQUEST_READ = auto()
    ANSWERED = auto()
    LAST = auto()
    RETURNED = auto()
    UPGRADED = auto()
    ABORTED = auto()
    LOST = auto()


#: States in which requests are served.
SERVING = (State.IDLE, State.HEAD, State.BODY, State.ANSWERING)

TRANSITIONS: dict[tuple[State, Happening], State] = {
    (State.IDLE, Happening.FIRST_BYTE): State.HEAD,
    (State.HEAD, Happening.HEAD_READ): State.BODY,
    (State.BODY, Happening.REQUEST_READ): State.ANSWERING,
    (State.ANSWERING, Happening.ANSWERED): State.IDLE,
    (State.IDLE, Happening.RETURNED): State.GONE,
    (State.ANSWERING, Happening.UPGRADED): State.GONE,
    **{(state, Happening.LAST): State.LINGERING for state in SERVING},
    **{(state, Happening.ABORTED): State.ABORTING for state in (*SERVING, State.LINGERING, State.ABORTING)},
    **{(state, Happening.LOST): State.GONE for state in (*SERVING, State.LINGERING, State.ABORTING)},
}


def next_state(state: State, happening: Happening) -> State:
    """The state after *happening*.

    :raises RuntimeError: it cannot happen in *state*: a mistake of the caller.
    """
    try:
        return TRANSITIONS[state, happening]
    except KeyError:
        raise RuntimeError(f"{happening.name} in the state {state.name}") from None


def print_table() -> str:
    """All transitions, a line for each state: ``python -m edge.node.connection.states`` prints them."""
    lines = []
    for state in State:
        ways = [
            f"{happening.name} -> {after.name}"
            for (before, happening), after in TRANSITIONS.items()
            if before is state
        ]
        lines.append(f"{state.name:9}  {', '.join(ways) or 'the end'}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(print_table())
