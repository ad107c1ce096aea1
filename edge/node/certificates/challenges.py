"""Challenges of an authority as entries of the table: every worker of every node answers them.

HTTP-01 (RFC 8555 section 8.3) asks for ``/.well-known/acme-challenge/TOKEN``, whose body is the answer.
TLS-ALPN-01 (RFC 8737) asks by the name alone, in a handshake, which cannot wait for a body to be fetched:
under ``/.well-known/acme-challenge/NAME`` the answer stands in a header line.  A token has no dot, and a name
that can be certified has one.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.task import deferLater

from edge.node.process.clocks import date_of
from edge.node.process.own_resources import CHALLENGES, key_authorization_line
from edge.resource import Representation, Resource, etag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: Seconds that other nodes are given to have the entries, until the authority is told to look anyway.
PATIENCE = 5.0
_LOOK = 0.02
_LINES_200 = b"Content-Type: application/octet-stream\r\nCache-Control: no-store\r\n"
_LINES_304 = b"Cache-Control: no-store\r\n"


class Table(Protocol):
    """What entries are put into: :class:`edge.node.publishing.table.Table`."""

    def put(self, resource: Resource, spill: Callable[[Representation], None]) -> bool:
        """Publish; a body without room goes to *spill*."""

    def remove(self, path: bytes) -> bool:
        """Take away."""


class Challenges:
    """Publishes challenges into *table*.

    *spill* keeps a body where other nodes can fetch it.  *everywhere*: whether all nodes that can be reached
    have all entries of this one.
    """

    def __init__(
        self,
        table: Table,
        spill: Callable[[Representation], None],
        everywhere: Callable[[], bool],
        reactor: Any,
    ) -> None:
        self._table = table
        self._spill = spill
        self._everywhere = everywhere
        self._reactor = reactor

    async def publish(self, tokens: Mapping[str, str], names: Mapping[str, str]) -> None:
        """Show what *tokens* and *names* lead to; return when other nodes have it, or had time enough."""
        for token, shown in tokens.items():
            self._put(token, shown.encode("ascii"), _LINES_200)
        for name, shown in names.items():
            self._put(name, b"", _LINES_200 + key_authorization_line(shown.encode("ascii")))
        until = self._reactor.seconds() + PATIENCE
        await deferLater(self._reactor, _LOOK)  # what was put is counted in the next turn
        while not self._everywhere() and self._reactor.seconds() < until:
            await deferLater(self._reactor, _LOOK)

    def _put(self, name: str, body: bytes, lines: bytes) -> None:
        digest = sha256(body).digest()
        made = Representation(0, etag_of(digest), digest, len(body), lines, _LINES_304, body)
        if body:
            self._spill(made)
        path = CHALLENGES + name.encode("ascii")
        self._table.put(Resource(path, int(date_of(self._reactor)), (made,)), self._spill)

    def withdraw(self, names: Iterable[str]) -> None:
        """Take the entries with these *names* away."""
        for name in names:
            self._table.remove(CHALLENGES + name.encode("ascii"))
