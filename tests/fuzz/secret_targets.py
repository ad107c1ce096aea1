"""What nodes tell each other in secret, to be fuzzed: keys of tickets, and certificates with their keys."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
from twisted.internet.task import Clock

from edge.node.cluster.shared_secrets import SharedSecrets
from edge.trust.automatic import AWAY, Issued, Trouble, is_sound
from edge.trust.automatic import Record as CertificateRecord
from edge.trust.automatic import decode as decode_record
from edge.trust.automatic import encode as encode_record
from edge.trust.tickets import EPOCHS, PER_EPOCH, Key, KeyRing
from edge.trust.tickets import decode as decode_ring
from edge.trust.tickets import encode as encode_ring


def secrets(data: bytes) -> None:
    """An exchange of what all nodes agree on; what is taken in can be passed on and acted upon."""
    shared = SharedSecrets(None, lambda: [], Random(1), Clock())  # type: ignore[arg-type]
    ring, record = Ring(), Care()
    shared.add("tickets", ring)
    shared.add("certificate", record)
    try:
        answer = shared.merge(data)
    except ValueError:
        return
    shared.merge(answer)
    assert len(ring.ring.keys) <= EPOCHS * PER_EPOCH
    ring.ring.with_next(lambda count: bytes(count))
    for now in (0.0, 1.7e9, 1e10):
        record.record.is_due("a", ["a", "b"], now)
    encode_record(record.record.claimed("a", 1.7e9))


class Ring:
    """Keys of tickets, as :class:`edge.node.certificates.ticket_keeper.TicketKeeper` merges them."""

    def __init__(self) -> None:
        self.ring = KeyRing((Key(3, bytes(16), bytes(32), bytes(32)),))

    def encode(self) -> bytes:
        return encode_ring(self.ring)

    def merge(self, data: bytes) -> bool:
        self.ring = self.ring.merged(decode_ring(data).keys)
        return True


class Care:
    """What is known of a certificate, as :class:`edge.node.certificates.keeper.Keeper` merges it."""

    def __init__(self) -> None:
        self.record = _RECORD

    def encode(self) -> bytes:
        return encode_record(self.record)

    def merge(self, data: bytes) -> bool:
        theirs = decode_record(data)
        if (theirs.directory, theirs.names) == (_RECORD.directory, _RECORD.names):
            merged = self.record.merged(theirs)
            if merged.issued is None or is_sound(merged.issued, merged.names):
                self.record = merged
        return True


_RECORD = CertificateRecord("https://ca.example/dir", ("a.example",)).claimed("b", 1.7e9)
TARGETS: dict[str, Callable[[bytes], None]] = {"secrets": secrets}
SEEDS: dict[str, list[bytes]] = {
    "secrets": [
        msgspec.msgpack.encode({"tickets": Ring().encode(), "certificate": encode_record(record)})
        for record in (
            _RECORD.challenging("b", ("token", "a.example")),
            _RECORD.failed("b", Trouble(AWAY, "why"), 1.7e9, 1.0),
            _RECORD.given("b", Issued(1.7e9, 1.8e9, "chain", "key"), 1.7e9),
        )
    ],
}
