"""What one membership message holds, as a datagram or on a stream.

MessagePack arrays, by msgspec; positions are append-only.  A :class:`Packet` is::

    [probe, claims, figures, marks, urgent]

    probe    nil or ["ping", number, target] | ["ack", number] | ["nack", number]
             | ["request", number, target]: please ping the target for me
    claims   [[name, state, generation, incarnation, host, port, url, [low, high], accuser], ...]
    figures  [[age in ms, [name, generation, sequence, utilization, ...]], ...]
    marks    [[origin, generation, sequence], ...]: how much of each node's change log the sender has
    urgent   [bytes, ...]: changes of the table (edge.gossip.changes) that cannot wait for a stream

The lanes are strict: a packet is filled with claims before figures before marks before urgent changes
(:class:`edge.gossip.membership.Membership`), so that no load on the table delays the news of a death.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.errors import EdgeError

#: Bytes of one datagram's payload: with seal and headers below the IPv6 minimum MTU of 1,280.
MAX_PAYLOAD = 1150
#: Bytes of a membership message on a stream, which carries every claim at once.
MAX_STREAM_PAYLOAD = 1 << 20

ALIVE, SUSPECT, DEAD, LEFT = range(4)
STATES = ("alive", "suspect", "dead", "left")

Name = Annotated[str, Meta(min_length=1, max_length=63)]
Number = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class GossipError(EdgeError):
    """A message of another node cannot be read."""


class Ping(msgspec.Struct, frozen=True, array_like=True, tag="ping"):
    """Are you there?  *target*: who is meant, since an address may have another node by now."""

    number: Number
    target: Name


class Ack(msgspec.Struct, frozen=True, array_like=True, tag="ack"):
    """Yes."""

    number: Number


class Nack(msgspec.Struct, frozen=True, array_like=True, tag="nack"):
    """To who asked for an indirect probe: I am here, but the target has not answered yet."""

    number: Number


class PingRequest(msgspec.Struct, frozen=True, array_like=True, tag="request"):
    """Please ping *target* for me."""

    number: Number
    target: Name


Probe = Ping | Ack | Nack | PingRequest | None


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """What somebody holds to be true of a node."""

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


class Figures(msgspec.Struct, frozen=True, array_like=True):
    """The load of one node; the newest (generation, sequence) counts."""

    name: Name
    generation: Number
    sequence: Number
    utilization: float
    weight: float
    rps: float
    eps: float
    connections: Number
    egress_bps: Number
    lag_ms: float
    draining: bool


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """How far one has *origin*'s change log."""

    origin: Name
    generation: Number
    sequence: Number


_Age = Annotated[int, Meta(ge=0, lt=1 << 31)]


class Packet(msgspec.Struct, frozen=True, array_like=True):
    """One message; see the module's docstring."""

    probe: Probe = None
    claims: tuple[Claim, ...] = ()
    figures: tuple[tuple[_Age, Figures], ...] = ()
    marks: tuple[Mark, ...] = ()
    urgent: tuple[bytes, ...] = ()


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Packet)


def encode(packet: Packet) -> bytes:
    """As bytes."""
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
