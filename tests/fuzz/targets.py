"""What is fuzzed.  A target takes any bytes; whatever it raises is a finding.

Not only the decoders: what they let through goes on into a live core, as it would from a node that has a
certificate and bad intentions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from random import Random

from edge.gossip.batches import Batch
from edge.gossip.changes import (
    Changes,
    Entries,
    Hashes,
    Paths,
    Record,
    Repair,
    Root,
    VersionVector,
    Want,
    decode_message,
    encode_message,
)
from edge.gossip.members import GossipConfig, Identity
from edge.gossip.membership import Membership
from edge.gossip.packet import (
    MAX_PAYLOAD,
    Ack,
    LogPosition,
    MembershipUpdate,
    Nack,
    Packet,
    Ping,
    PingRequest,
    decode,
    encode,
)
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from edge.gossip.schema import GossipError
from edge.gossip.sealing import Session, Sessions
from edge.load.report import LoadReport
from simulation.keyring import HashKeyring
from tests.fuzz import answer_targets, app_targets, cluster_cache_targets, secret_targets, tls_targets

_NOW_MS = 1_700_000_000_000
_SECRET = bytes(range(64))


def packet(data: bytes) -> None:
    """A membership message of another node."""
    try:
        found = decode(data)
    except GossipError:
        return
    life = Membership(
        Identity("a", 5, "10.0.0.1", 7000, ""), GossipConfig(), HashKeyring("a"), Random(1), 0.0
    )
    life.connected("b", 1, "10.0.0.2", 7000, "", 0.0)
    life.receive("b", found, 1.0)
    for step in range(20):
        life.tick(1.0 + step / 2)
        for one in life.outputs():
            sent = getattr(one, "packet", None)
            if sent is not None and not one.stream:
                assert len(encode(sent)) <= MAX_PAYLOAD, len(encode(sent))


def message(data: bytes) -> None:
    """A table message of another node."""
    try:
        found = decode_message(data)
    except GossipError:
        return
    replica = Replica("a", Rows(":memory:", HashKeyring("a")), _NOW_MS)
    replica.put(b"/x", 0, (Record(0, bytes(32), 1, b"A: b\r\n", b""),), _NOW_MS)
    for _ in range(2):
        received = replica.receive("b", found, _NOW_MS)
        for reply in received.replies:
            decode_message(encode_message(reply))
    replica.save(_NOW_MS)


def datagram(data: bytes) -> None:
    """A datagram of anybody; nothing but what was sealed may be opened."""
    sender = Session.derive(_SECRET, "c", True, "a", "b")
    receiver = Sessions()
    receiver.add(Session.derive(_SECRET, "c", False, "b", "a"))
    sealed = sender.seal(b"ping")
    assert data == sealed or receiver.open(data) is None
    assert receiver.open(sealed) == ("a", b"ping")
    assert receiver.open(sealed) is None


TARGETS: dict[str, Callable[[bytes], None]] = {
    "packet": packet, "message": message, "datagram": datagram, **tls_targets.TARGETS,
    **secret_targets.TARGETS, **answer_targets.TARGETS, **app_targets.TARGETS,
    **cluster_cache_targets.TARGETS,
}  # fmt: skip

_UPDATE = MembershipUpdate("b", 1, 1, 2, "10.0.0.2", 7000, "http://b", (1, 1), "c")
_ITEM = (b"/a", 3, _NOW_MS << 16, 5, ((0, bytes(32), 6, 0, 1),), 0)
_BATCHES = (Batch("b", bytes(16), 1, 3, bytes(32), b"signature"),)
_LOAD = (12, LoadReport("b", 1, 2, 0.5, 0.5, 1.0, 0.0, 3, 4, 0.1, False), bytes(16), b"signature")
_HEADS = (b"Content-Type: text/html\r\n", b"")
#: Where fuzzing begins: one good message of each kind.
SEEDS: dict[str, list[bytes]] = {
    "packet": [
        encode(Packet(probe, (_UPDATE,), (_LOAD,), (LogPosition("b", 1, 2),), (b"x",)))
        for probe in (Ping(7, "a"), Ack(7), Nack(7), PingRequest(7, "b"), None)
    ],
    "message": [
        encode_message(one)
        for one in (
            VersionVector((LogPosition("b", 1, 2),)), Want("a", _NOW_MS, 0), Root(12), Hashes(bytes(32768)),
            Changes("b", 1, 0, 3, 0, 3, True, _HEADS, (_ITEM,), _BATCHES, 0), Entries(7, ((b"/a", 1, "b"),)),
            Paths((b"/x",)), Repair(_HEADS, (("b", _ITEM),), _BATCHES),
        )
    ],
    "datagram": [Session.derive(_SECRET, "c", True, "a", "b").seal(b"ping")],
    **tls_targets.SEEDS,
    **secret_targets.SEEDS,
    **answer_targets.SEEDS,
    **app_targets.SEEDS,
    **cluster_cache_targets.SEEDS,
}  # fmt: skip


def mutate(random: Random, data: bytes) -> bytes:
    """*data* with a little damage."""
    made = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(made) + 1)
        with contextlib.suppress(IndexError):
            match random.randrange(4):
                case 0:
                    made[at] = random.randrange(256)
                case 1:
                    made[at] ^= 1 << random.randrange(8)
                case 2:
                    del made[at : at + random.randint(1, 8)]
                case 3:
                    made[at:at] = random.randbytes(random.randint(1, 8))
    return bytes(made)
