"""What messages are on a wire: Ethernet frames with IP and TCP in them, and the acknowledgements.

A full duplex link carries each direction for itself.  Of a frame it carries, beside the IP packet::

    preamble 7  start 1  header 14  [IP packet, at least 46]  checksum 4  gap 12      IEEE 802.3, clause 4

An IP packet has 20 bytes of head (IPv6: 40), TCP 20, and 12 more for timestamps, which Linux, Android and
Apple's systems use (RFC 7323).  Receivers acknowledge every second full segment at once (RFC 9293 section
3.8.6.3), and what is left with their next data or, some 40 ms later, alone: a server's acknowledgement goes
with its answer and spares one, a client has nothing to say after one.
"""

from __future__ import annotations

from typing import NamedTuple

FRAME = 38
LEAST_FRAME = 84
MTU = 1500
TCP_HEAD = 32
IP_HEAD = {4: 20, 6: 40}
#: The TCP head of SYN and SYN-ACK: maximum segment size, window scale, SACK, timestamps.
SYN_HEAD = 40
#: TLS 1.3: record header, content type and tag (RFC 8446 section 5.2), on each message of up to 16 KiB.
RECORD, RECORD_BYTES = 22, 16_384


class Crossing(NamedTuple):
    """What crosses a link in one direction: an amount, or an amount each second."""

    bytes: float
    packets: float

    def plus(self, other: Crossing) -> Crossing:
        """The sum of both."""
        return Crossing(self.bytes + other.bytes, self.packets + other.packets)

    def times(self, factor: float) -> Crossing:
        """So many of it."""
        return Crossing(self.bytes * factor, self.packets * factor)


def pieces(message: float, piece: float) -> float:
    """How many pieces messages take that have so many bytes on average: all but the last one are full.

    Sizes vary, and the last piece is half full on average; messages that are well below one piece take one.
    So the model has no steps where the mean of sizes crosses a border that no single message has.
    """
    return max(1.0, message / piece + 0.5) if message > 0 else 0.0


def acknowledgements(segments: float) -> float:
    """Of so many segments that arrive together."""
    return max(1.0, segments / 2) if segments > 0 else 0.0


class Wire(NamedTuple):
    """The overhead of IP, TCP and TLS that wraps messages, for one version of IP and one share of TLS."""

    ip_version: int = 4
    #: Of connections.
    tls_share: float = 0.0

    def segments(self, message: float) -> float:
        """How many segments messages of so many bytes take on average."""
        return pieces(message, MTU - IP_HEAD[self.ip_version] - TCP_HEAD)

    def exchange(self, request: float, answer: float) -> tuple[Crossing, Crossing]:
        """(inbound, outbound) of a request and its answer, bytes above TCP; 0: there is none."""
        request, answer = self._recorded(request), self._recorded(answer)
        asked, answered = self.segments(request), self.segments(answer)
        inbound = self._frames(request, asked).plus(self.empty(acknowledgements(answered)))
        alone = max(0.0, acknowledgements(asked) - 1) if answered else acknowledgements(asked)
        outbound = self._frames(answer, answered).plus(self.empty(alone))
        return inbound, outbound

    def connection(self) -> tuple[Crossing, Crossing]:
        """(inbound, outbound) of opening and closing: SYN, ACK, FIN, ACK; SYN-ACK, FIN-ACK."""
        syn = self._frames(SYN_HEAD - TCP_HEAD, 1)
        return syn.plus(self.empty(3)), syn.plus(self.empty(1))

    def empty(self, count: float) -> Crossing:
        """Segments without data."""
        return self._frames(0, count)

    def _recorded(self, message: float) -> float:
        return message + self.tls_share * RECORD * pieces(message, RECORD_BYTES)

    def _frames(self, payload: float, count: float) -> Crossing:
        return framed(payload, count, IP_HEAD[self.ip_version] + TCP_HEAD)


def framed(payload: float, count: float, head: float) -> Crossing:
    """*count* frames, each with *head* bytes of IP and TCP, that carry *payload* bytes together."""
    return Crossing(max(payload + (head + FRAME) * count, LEAST_FRAME * count), count)
