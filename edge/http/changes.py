"""``GET /.edge/changes?since=S``: what has changed since the state S of the site, in one answer.

A *state* says how far somebody has what each publisher has published: a vector of log positions, of which
only those count that end a *step*, the changes that belong together (:mod:`edge.gossip.steps`).  As text it
is a list of components joined by ".", by ascending ID::

    k3Jx9aF.x2Lm0_0Z

    ID      6 digits: a publisher, and a life of its log
    NUMBER  the position, in digits of base 64, the first not "-"; nothing: 0

The digits are those of base64url in the order of ASCII, ``-`` 0, ``0`` to ``9``, ``A`` to ``Z``, ``_``, ``a``
to ``z``: of two numbers the longer one is greater, of two that are equally long the later one in ASCII.

The supervisor keeps, as the body of an entry of the table, what its node knows (the *history*)::

    k3Jx9aF.x2Lm0_0Z          the state of this node
    k3Jx98.x2Lm0_0Z           since when it knows all changes: the same publishers
    k3Jx9aF /index.html       the newest changes: publisher, position, and path; one line for a path
    k3Jx9a4 /app.js

:func:`since` makes an answer of it.  Its twin is ``edge_changes.c``.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from edge.digits import DIGITS

#: Of the entry that keeps the history.
PATH = b"/.edge/changes"
ID_LENGTH = 6
#: Publishers of a state, and bytes of a history: what is more is not told.
PUBLISHERS, HISTORY_BYTES = 64, 5120
#: The first line of an answer by a node that cannot say.
UNKNOWN = b"?"

#: ID -> NUMBER, both as text, by ascending ID.
Vector: TypeAlias = dict[bytes, bytes]

_COMPONENT = re.compile(rb"([-0-9A-Z_a-z]{6})((?:[0-9A-Z_a-z][-0-9A-Z_a-z]{0,10})?)")
_SINCE = re.compile(rb"since=([^&]*)(?:&.*)?", re.DOTALL)


def number(value: int) -> bytes:
    """*value*, 0 or more, as text."""
    digits = ""
    while value:
        value, digit = divmod(value, 64)
        digits = DIGITS[digit] + digits
    return digits.encode("ascii")


def parse(text: bytes) -> Vector | None:
    """The components of a state; None: *text* is none."""
    vector: Vector = {}
    last = b""
    for component in text.split(b"."):
        found = _COMPONENT.fullmatch(component)
        if found is None or found[1] <= last or len(vector) == PUBLISHERS:
            return None
        last = found[1]
        vector[last] = found[2]
    return vector


def render(vector: Vector) -> bytes:
    """The text of *vector*, which has at least one component."""
    return b".".join(key + vector[key] for key in sorted(vector))


def is_greater(one: bytes, other: bytes) -> bool:
    """Whether the NUMBER *one* is greater than the NUMBER *other*."""
    return (len(one), one) > (len(other), other)


def asked_since(query: bytes | None) -> bytes | None:
    """The state that the query of a request names; None: it names none."""
    found = _SINCE.fullmatch(query or b"")
    return None if found is None else found[1]


def tag_of(state: bytes) -> bytes:
    """The ETag of *state*, the same at all nodes: 16 characters."""
    return urlsafe_b64encode(blake2b(state, digest_size=12).digest())


def state_of(history: bytes) -> bytes:
    """The state of the node that keeps *history*."""
    return history.partition(b"\n")[0]


class Answer(NamedTuple):
    """What a request for :data:`PATH` gets."""

    #: None: 304.
    body: bytes | None
    #: Whether it is the same for the same state, and so has validators.
    is_state: bool


def answer(
    history: bytes, is_confirmed: bool, is_current: bool, query: bytes | None, prefix: bytes = b""
) -> Answer:
    """The answer by *history* to who asks the site whose names of entries begin with *prefix*.

    *is_confirmed*: the state may be confirmed now; *is_current*: and the request's validators are its ETag.
    """
    asked = asked_since(query)
    if is_current:
        return Answer(None, True)
    if not is_confirmed:
        return Answer(UNKNOWN + b"\n", False)
    if asked is not None:
        return Answer(since(history, asked, prefix), False)
    return Answer(state_of(history) + b"\n", True)


def without(history: bytes, is_hidden: Callable[[bytes], bool]) -> bytes:
    """*history* without the changes of what *is_hidden*, by the names of entries."""
    lines = history.split(b"\n")
    kept = [line for line in lines[2:] if not is_hidden(line.partition(b" ")[2])]
    return b"\n".join(lines[:2] + kept)


def since(history: bytes, asked: bytes, prefix: bytes = b"") -> bytes | None:
    """The body of the answer to who was at the state *asked*; None: nothing has changed (304).

    Told are the paths of the site with this *prefix* (:mod:`edge.sites`).

    The first line is the state now; then come the paths that differ between the two, whatever has become of
    them.  All other paths are now what they were at *asked*.  :data:`UNKNOWN` alone: nothing can be said,
    because *asked* is ahead of this node, of another log, or too old.
    """
    state, _, rest = history.partition(b"\n")
    floors, _, changes = rest.partition(b"\n")
    if asked == state:
        return None
    now, known, then = parse(state), parse(floors), parse(asked)
    if now is None or known is None or then is None:
        return UNKNOWN + b"\n"
    if any(key not in now or is_greater(position, now[key]) for key, position in then.items()):
        return UNKNOWN + b"\n"
    if any(is_greater(floor, then.get(key, b"")) for key, floor in known.items()):
        return UNKNOWN + b"\n"
    answer = [state]
    for line in changes.split(b"\n"):
        change, _, name = line.partition(b" ")
        path = name[len(prefix) :]
        if (
            name.startswith(prefix)
            and path.startswith(b"/")
            and len(change) >= ID_LENGTH
            and is_greater(change[ID_LENGTH:], then.get(change[:ID_LENGTH], b""))
        ):
            answer.append(path)
    return b"\n".join(answer) + b"\n"
