"""The membership message (SWIM) on the wire, as a datagram or on a stream.

MessagePack arrays, by msgspec; positions are append-only.  A :class:`Packet` is::

    [probe, updates, loads, vector, urgent, namesakes, part]

    probe    nil or ["ping", number, target] | ["ack", number, date of the sender, Unix ms] | ["nack", number]
             | ["request", number, target]: please ping the target for me
    updates  [[name, state, generation, incarnation, host, port, url, [low, high], accuser], ...]
    loads    [[age in ms, load report (edge.load.report), fingerprint, signature], ...]; signed by its node
    vector   [[origin, generation, sequence], ...]: how much of each node's change log the sender has
    urgent   [bytes, ...]: changes of the table (edge.gossip.changes) that cannot wait for a stream
    namesakes  [[name, host, port, host, port], ...]: two processes with one name, which the sender has seen
    part     some entries of the vector, others each time, on packets that have no room for all of it

A packet is filled by strict priority (:mod:`edge.gossip.piggyback`), so that no load on the table delays the
news of a death.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.gossip.batches import Fingerprint, Signature
from edge.gossip.fields import URL, Host, MaybeName, Port, Version
from edge.gossip.schema import Decoder
from edge.load.report import LoadReport
from edge.load.wire import Generation, Name, Number, Word

#: Bytes of one datagram's payload: with seal and headers below the IPv6 minimum MTU of 1,280.
MAX_PAYLOAD = 1150
#: Bytes of a membership message on a stream, which carries every update at once.
MAX_STREAM_PAYLOAD = 1 << 20

ALIVE, SUSPECT, DEAD, LEFT = range(4)
STATES = ("alive", "suspect", "dead", "left")


class Ping(msgspec.Struct, frozen=True, array_like=True, tag="ping"):
    """A direct probe: are you alive?  *target*: who is meant; an address may have another node by now."""

    number: Word
    target: Name


class Ack(msgspec.Struct, frozen=True, array_like=True, tag="ack"):
    """The answer to the ping, or the indirect probe, of the same number: the target is alive."""

    number: Word
    #: The date of the sender, Unix milliseconds; 0: it says nothing of it.
    date_ms: Number = 0


class Nack(msgspec.Struct, frozen=True, array_like=True, tag="nack"):
    """A helper's answer to an indirect probe: it is alive, the target has not answered yet (Lifeguard)."""

    number: Word


class PingRequest(msgspec.Struct, frozen=True, array_like=True, tag="request"):
    """An indirect probe: please ping *target* for me."""

    number: Word
    target: Name


Probe = Ping | Ack | Nack | PingRequest | None


class MembershipUpdate(msgspec.Struct, frozen=True, array_like=True):
    """What some node holds to be true of a node: its state, incarnation and addresses (SWIM)."""

    name: Name
    state: Annotated[int, Meta(ge=0, le=3)]
    generation: Generation
    incarnation: Number
    host: Host
    port: Port
    url: URL
    versions: tuple[Version, Version] = (1, 1)
    #: Of a suspicion: who suspects.
    accuser: MaybeName = ""


class LogPosition(msgspec.Struct, frozen=True, array_like=True):
    """An entry of a version vector: how far a node has *origin*'s change log."""

    origin: Name
    generation: Generation
    sequence: Number


#: Nodes of a cluster, at most: of more than these nothing is kept.
NODES = 1024
#: Entries of a version vector: nodes that are there, and as many that are not any more.
VECTOR = 2 * NODES
#: Something of each node; a node may have restarted while it was told of, so twice as many.
_NODES = Meta(max_length=VECTOR)
#: Names that are borne twice, told in one packet at most.
NAMESAKES = 4


class Namesake(msgspec.Struct, frozen=True, array_like=True):
    """Two processes that bear the same name, and where their gossip ports are."""

    name: Name
    host: Host
    port: Port
    other_host: Host
    other_port: Port


_Age = Annotated[int, Meta(ge=0, lt=1 << 31)]
#: (its age in milliseconds, the report, the certificate whose key signed it, the signature)
Load = tuple[_Age, LoadReport, Fingerprint, Signature]
_Urgent = Annotated[bytes, Meta(max_length=MAX_PAYLOAD)]


class Packet(msgspec.Struct, frozen=True, array_like=True):
    """A probe, and what is piggybacked on it."""

    probe: Probe = None
    updates: Annotated[tuple[MembershipUpdate, ...], _NODES] = ()
    loads: Annotated[tuple[Load, ...], _NODES] = ()
    version_vector: Annotated[tuple[LogPosition, ...], _NODES] = ()
    urgent: Annotated[tuple[_Urgent, ...], Meta(max_length=64)] = ()
    namesakes: Annotated[tuple[Namesake, ...], Meta(max_length=NAMESAKES)] = ()
    part: Annotated[tuple[LogPosition, ...], _NODES] = ()


_ENCODER = msgspec.msgpack.Encoder()
_DECODER: Decoder[Packet] = Decoder(Packet, "packet", MAX_STREAM_PAYLOAD)


def encode(packet: Packet) -> bytes:
    """*packet* in MessagePack."""
    return _ENCODER.encode(packet)


def load_statement(report: LoadReport) -> bytes:
    """What a node signs of its load."""
    return b"edge load\0" + _ENCODER.encode(report)


def size_of(part: object) -> int:
    """Bytes that *part* takes in a packet."""
    return len(_ENCODER.encode(part))


def decode(data: bytes) -> Packet:
    """The packet in *data*; :class:`~edge.gossip.schema.GossipError`."""
    return _DECODER.decode(data)
