"""The opening handshake of a WebSocket of the push service (RFC 6455 section 4.2): those answered here.

Twin of ``edge_opening.c``.  The recogniser has seen to its form; what is here decides on the origin and the
topics, or lets go, to :meth:`edge.node.resources.pushing.Pushing.open`, which accepts all of these alike and
refuses what is to be refused.  Sans-IO.

The topics of the push service, by number::

    0 load   1 changed   2 status   3 nodes   4 word

Version 2 of the feed (``v=2`` in the query) has 3 and 4 in the place of 0.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

LOAD, CHANGED, STATUS, NODES, WORD = range(5)
_NUMBER = {b"load": LOAD, b"changed": CHANGED, b"status": STATUS}
_DEFAULT = 1 << LOAD | 1 << CHANGED


class Audience(Enum):
    """Who may choose the topic status: ``--status``."""

    PUBLIC = "public"
    LOCAL = "local"
    OFF = "off"


class Opening(NamedTuple):
    """A WebSocket that is opened."""

    #: The number of its site.
    site: int
    #: Bits: what it gets; what it may ask for, but for the topic status of :attr:`Audience.LOCAL`.
    topics: int
    choice: int
    #: No page of another origin has sent it, as far as its host proves that.
    is_own: bool


def topics_of(query: bytes | None, audience: Audience) -> tuple[int, int] | None:
    """(topics, choice) of who asks with *query*; None: in a form that is not decided here."""
    choice = _DEFAULT | (1 << STATUS if audience is Audience.PUBLIC else 0)
    fields = [] if query is None else query.split(b"&")
    lists = [field for field in fields if field != b"v=2"]
    if len(lists) > 1 or fields.count(b"v=2") > 1:
        return None
    topics = _DEFAULT
    if lists:
        name, _, value = lists[0].partition(b"=")
        names = value.split(b",")
        if name != b"topics" or not all(name in _NUMBER for name in names):
            return None
        topics = sum(1 << number for number in {_NUMBER[name] for name in names})
    if topics & ~choice:
        return None
    return (_in_words(topics), _in_words(choice)) if len(fields) > len(lists) else (topics, choice)


def _in_words(topics: int) -> int:
    """In version 2 load comes as the nodes, and as words about them."""
    return topics & ~(1 << LOAD) | 1 << NODES | 1 << WORD if topics & 1 << LOAD else topics
