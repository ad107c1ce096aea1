"""Exchanges between clients and a node: what one of each kind weighs on the wire, and what CPU time it takes.

Bytes of heads and CPU times are measured (:mod:`loadgen.constants`); frames, acknowledgements and TLS records
are added by :mod:`loadgen.demand.wire`.  *Payload* is what applications count, above TCP and TLS: the
node's own metrics, and ``loadgen run``.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.load.riding import NODES
from loadgen.constants import Constants
from loadgen.demand.changed import LINE_BYTES
from loadgen.demand.wire import Crossing, Wire

#: A stale line's number in the answer to a batch.
STALE_BYTES = 4
#: The head of the answer that opens a WebSocket: 101 with three field lines.
SWITCHING_BYTES = 129
#: A word of a publish: a frame's head and its message.
CHANGED_BYTES = 2 + len('{"type": "changed", "seq": 1234567}')


#: Of each node in a word of load figures; of more nodes than that there is none (edge/load/riding.py).
WORD_NODE_BYTES = 2


class Exchange(NamedTuple):
    """One exchange: both directions on the wire, the node's CPU time, and the payload of both directions."""

    inbound: Crossing
    outbound: Crossing
    #: CPU seconds of a core like the measured one.
    cpu_s: float
    #: Bytes above TCP and TLS: to the node, and from it.
    asked: float = 0.0
    answered: float = 0.0

    def plus(self, other: Exchange) -> Exchange:
        """The sum of both."""
        return Exchange(
            self.inbound.plus(other.inbound),
            self.outbound.plus(other.outbound),
            self.cpu_s + other.cpu_s,
            self.asked + other.asked,
            self.answered + other.answered,
        )

    def times(self, factor: float) -> Exchange:
        """So many of it."""
        return Exchange(
            self.inbound.times(factor),
            self.outbound.times(factor),
            self.cpu_s * factor,
            self.asked * factor,
            self.answered * factor,
        )


class Exchanges:
    """The kinds of exchanges of one site and cluster."""

    def __init__(
        self,
        costs: Constants,
        wire: Wire,
        nodes: int,
        *,
        path_bytes: float,
        head_bytes: float | None = None,
        resumed_share: float = 0.0,
        certificate_bytes: float | None = None,
    ) -> None:
        """Weigh exchanges with measured *costs* on *wire*.

        *nodes*: in the load document; *path_bytes*: of a resource; *head_bytes*: of a page's request, if not
        as measured; *resumed_share*: of TLS handshakes, from a ticket; *certificate_bytes*: of the chain that
        a full one carries, if not as measured.
        """
        self._costs, self._wire, self._resumed = costs, wire, resumed_share
        self._path = path_bytes
        #: What all heads of requests have more than the measured ones.
        more = 0.0 if head_bytes is None else head_bytes - costs.request_bytes
        self._head = costs.request_bytes + more
        self._confirm_head = max(0.0, costs.confirm_request_bytes + more)
        self._batch_head = max(0.0, costs.batch_request_bytes + more)
        self._load_head = max(0.0, costs.load_request_bytes + more)
        self._look_head = max(0.0, costs.look_request_bytes + more)
        #: What the chain of certificates has more than the measured one.
        self._chain = 0.0 if certificate_bytes is None else certificate_bytes - costs.certificate_bytes
        #: Bytes of the load document beyond that of one node.
        self._others = (nodes - 1) * costs.load_node_bytes
        #: Bytes of the word of them all; 0: there is none.
        self._word = costs.word_bytes + (nodes - 1) * WORD_NODE_BYTES if nodes <= NODES else 0.0

    # ---- requests ----

    def body(self, size: float) -> Exchange:
        """A GET and its 200 with a body of *size* bytes."""
        return self._body(self._head, size)

    def new_version(self, size: float) -> Exchange:
        """A conditional GET and the 200 with what is new."""
        return self._body(self._confirm_head, size)

    def not_modified(self) -> Exchange:
        """A conditional GET and its 304."""
        costs = self._costs
        return self._request(self._confirm_head, costs.not_modified_bytes, costs.not_modified_s)

    def look(self) -> Exchange:
        """The browser's own conditional GET of the worker's script, and its 304."""
        costs = self._costs
        return self._request(self._look_head, costs.not_modified_bytes, costs.not_modified_s)

    def batch(self, lines: float, stale: float = 0.0) -> Exchange:
        """A POST /.edge/revalidate with so many validators, of which *stale* are answered as such."""
        costs = self._costs
        asked = self._batch_head + lines * (costs.validator_bytes + self._path)
        answered = costs.batch_answer_bytes + STALE_BYTES * stale
        return self._request(asked, answered, costs.batch_s + costs.validator_s * lines)

    def changes(self, lines: float = 0.0) -> Exchange:
        """A GET /.edge/changes, which confirms everything: 304, or a list of *lines* changed paths."""
        costs = self._costs
        told = self._changed(lines) + costs.batch_answer_bytes if lines else costs.not_modified_bytes
        return self._request(costs.changes_request_bytes, told, costs.changes_s)

    def load_poll(self) -> Exchange:
        """A GET /.edge/load."""
        costs = self._costs
        document = costs.load_answer_bytes + costs.load_node_bytes + self._others
        cpu_s = costs.body_s + costs.body_s_per_kilobyte * document / 1000
        return self._request(self._load_head, document, cpu_s)

    def upgrade(self) -> Exchange:
        """The opening of a WebSocket on a connection of its own, and the first load document on it.

        In version 2 of the feed, as the smart client has it: with the word that comes behind that.
        """
        first = self._costs.push_bytes + self._others + self._word
        return self._request(self._head, SWITCHING_BYTES + first, self._costs.upgrade_s)

    # ---- no requests ----

    def question(self, lines: float = 0.0) -> Exchange:
        """The same as :meth:`changes`, over a WebSocket."""
        costs = self._costs
        told = costs.question_answer_bytes + self._changed(lines)
        return self._plain(costs.question_bytes, told, costs.question_s)

    def load_push(self) -> Exchange:
        """Load figures pushed on a WebSocket: in a word, or in a document of many nodes."""
        told = self._word or self._costs.push_bytes + self._others
        return self._plain(0, told, self._costs.push_s)

    def publish_told(self) -> Exchange:
        """A word of a publish pushed on a WebSocket."""
        return self._plain(0, CHANGED_BYTES, self._costs.push_s)

    def connection(self) -> Exchange:
        """Opening and closing a TCP connection."""
        return Exchange(*self._wire.connection(), self._costs.connection_s)

    def handshake(self) -> Exchange:
        """A TLS handshake with a certificate."""
        costs = self._costs
        sent = max(0.0, costs.handshake_out_bytes + self._chain)
        return self._handshake(costs.handshake_in_bytes, sent, costs.handshake_s)

    def resumption(self) -> Exchange:
        """A TLS handshake from a ticket."""
        costs = self._costs
        return self._handshake(costs.resumed_in_bytes, costs.resumed_out_bytes, costs.resumed_s)

    def encrypted_connection(self) -> Exchange:
        """A TCP connection with the TLS handshakes that come with it on average."""
        full, short = self.handshake().times(1 - self._resumed), self.resumption().times(self._resumed)
        return self.connection().plus(full.plus(short).times(self._wire.tls_share))

    def _changed(self, lines: float) -> float:
        return lines * (self._path + LINE_BYTES)

    def _body(self, head: float, size: float) -> Exchange:
        costs = self._costs
        cpu_s = costs.body_s + costs.body_s_per_kilobyte * size / 1000
        return self._request(head, costs.body_head_bytes + size, cpu_s)

    def _request(self, asked: float, answered: float, cpu_s: float) -> Exchange:
        return self._plain(asked, answered, cpu_s + self._wire.tls_share * self._costs.tls_request_s)

    def _plain(self, asked: float, answered: float, cpu_s: float) -> Exchange:
        return Exchange(*self._wire.exchange(asked, answered), cpu_s, asked, answered)

    def _handshake(self, asked: float, answered: float, cpu_s: float) -> Exchange:
        # Its bytes are TLS already.
        return Exchange(*Wire(self._wire.ip_version).exchange(asked, answered), cpu_s)
