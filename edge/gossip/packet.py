"""The membership message (SWIM) on the wire, as a datagram or on a stream.

MessagePack arrays, by msgspec; positions are append-only.  A :class:`Packet` is::

    [probe, updates, loads, vector, urgent]

    probe    nil or ["ping", number, target] | ["ack", number] | ["nack", number]
             | ["request", number, target]: please ping the target for me
    updates  [[name, state, generation, incarnation, host, port, url, [low, high], accuser], ...]
    loads    [[age in ms, load report (edge.load.report)], ...]
    vector   [[origin, generation, sequence], ...]: how much of each node's change log the sender has
    urgent   [bytes, ...]: changes of the table (edge.gossip.changes) that cannot wait for a stream

A packet is filled by strict priority (:mod:`edge.gossip.piggyback`), so that no load on the table delays the
news of a death.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.errors import EdgeError
from edge.load.report import LoadReport, Name, Number

#: Bytes of one datagram's payload: with seal and headers below the IPv6 minimum MTU of 1,280.
MAX_PAYLOAD = 1150
#: Bytes of a membership message on a stream, which carries every update at once.
MAX_STREAM_PAYLOAD = 1 << 20

ALIVE, SUSPECT, DEAD, LEFT = range(4)
STATES = ("alive", "suspect", "dead", "left")


class GossipError(EdgeError):
    """A message of another node cannot be read."""


class Ping(msgspec.Struct, frozen=True, array_like=True, tag="ping"):
    """A direct probe: are you alive?  *target*: who is meant; an address may have another node by now."""

    number: Number
    target: Name


class Ack(msgspec.Struct, frozen=True, array_like=True, tag="ack"):
    """The answer to the ping, or the indirect probe, of the same number: the target is alive."""

    number: Number


class Nack(msgspec.Struct, frozen=True, array_like=True, tag="nack"):
    """A helper's answer to an indirect probe: it is alive, the target has not answered yet (Lifeguard)."""

    number: Number


class PingRequest(msgspec.Struct, frozen=True, array_like=True, tag="request"):
    """An indirect probe: please ping *target* for me."""

    number: Number
    target: Name


Probe = Ping | Ack | Nack | PingRequest | None


class MembershipUpdate(msgspec.Struct, frozen=True, array_like=True):
    """What some node holds to be true of a node: its state, incarnation and addresses (SWIM)."""

    name: Name
    state: Annotated[int, Meta(ge=0, le=3)]
    generation: Number
    incarnation: Number
    host: Annotated[str, Meta(max_length=64)]
    port: Annotated[int, Meta(ge=0, le=65535)]
    url: Annotated[str, Meta(max_length=256)]
    versions: tuple[int, int] = (1, 1)
    #: Of a suspicion: who suspects.
    accuser: Annotated[str, Meta(max_length=63)] = ""


class LogPosition(msgspec.Struct, frozen=True, array_like=True):
    """An entry of a version vector: how far a node has *origin*'s change log."""

    origin: Name
    generation: Number
    sequence: Number


_Age = Annotated[int, Meta(ge=0, lt=1 << 31)]


class Packet(msgspec.Struct, frozen=True, array_like=True):
    """A probe, and what is piggybacked on it."""

    probe: Probe = None
    updates: tuple[MembershipUpdate, ...] = ()
    loads: tuple[tuple[_Age, LoadReport], ...] = ()
    version_vector: tuple[LogPosition, ...] = ()
    urgent: tuple[bytes, ...] = ()


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Packet)


def encode(packet: Packet) -> bytes:
    """*packet* in MessagePack."""
    return _ENCODER.encode(packet)


def size_of(part: object) -> int:
    """Bytes that *part* takes in a packet."""
    return len(_ENCODER.encode(part))


def decode(data: bytes) -> Packet:
    """The packet in *data*; :class:`GossipError`."""
    if len(data) > MAX_STREAM_PAYLOAD:
        raise GossipError(f"a packet of {len(data)} bytes")
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise GossipError(f"no packet: {error}") from None
