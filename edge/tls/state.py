"""The state of a record layer as bytes: what moves between the fast path and Twisted with a descriptor.

Numbers are little-endian; *k* and *h* are the lengths of the suite's keys and secrets::

     offset  bytes
          0      1  cipher suite: the low byte of 0x1301, 0x1302 or 0x1303
          1      1  flags, below
          2      1  useless records in a row, at most 32
          3      1  bytes of a KeyUpdate that have come, 0 to 4: they can only be 18 00 00 01
          4      4  zero
          8      8  sequence number of the next record that the peer sends
         16      8    ... that we send
         24     12  IV of what the peer sends
         36     12    ... of what we send
         48      k  key of what the peer sends
       48+k      k    ... of what we send
      48+2k      h  secret of what the peer sends, which key and IV are made of
    48+2k+h      h    ... of what we send

The whole takes 144 bytes with AES-128-GCM, 176 with ChaCha20-Poly1305 and 208 with AES-256-GCM.  Example:
``01010000 00000000 0000000000000000 0100000000000000`` begins the state of AES-128-GCM with ALPN agreed, one
ticket sent and nothing received.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntFlag

from edge.tls.direction import Direction
from edge.tls.interface import USELESS_RECORDS
from edge.tls.suites import IV_BYTES, SUITES, Suite

_HEAD = struct.Struct("<BBBB4xQQ12s12s")
#: Of a KeyUpdate that is not whole.
_MOST_PARTIAL = 4


class Flag(IntFlag):
    """The flags of a state."""

    #: ALPN agreed upon http/1.1.
    ALPN = 1
    #: The peer has sent close_notify.
    CLOSE_RECEIVED = 2
    #: We have sent close_notify or a fatal alert, or received one: nothing is sealed any more.
    CLOSE_SENT = 4
    #: The peer has asked for our KeyUpdate; it leaves before the next record.
    UPDATE_OWED = 8
    #: A fatal alert was received, or is our answer to an error of the peer: nothing is opened any more.
    DEAD = 16


_NO_FLAGS = Flag(0)
_KNOWN_FLAGS = 31


@dataclass(slots=True)
class State:
    """A record layer but for the bytes of records that are not whole."""

    suite: Suite
    #: What the peer sends, and what we send.
    opens: Direction
    seals: Direction
    flags: Flag = _NO_FLAGS
    useless: int = 0
    partial: int = 0

    def pack(self) -> bytes:
        """The bytes as drawn above."""
        opens, seals = self.opens, self.seals
        head = _HEAD.pack(
            self.suite.number & 0xFF,
            self.flags,
            self.useless,
            self.partial,
            opens.sequence,
            seals.sequence,
            opens.iv,
            seals.iv,
        )
        return head + opens.key + seals.key + opens.secret + seals.secret

    @classmethod
    def unpack(cls, state: bytes) -> State:
        """What *state* holds; :exc:`ValueError`: it is none."""
        padded = state.ljust(_HEAD.size, b"\0")
        number, flags, useless, partial, opened, sealed, _, _ = _HEAD.unpack_from(padded)
        suite = SUITES.get(0x1300 | number)
        if suite is None or len(state) != state_bytes(suite):
            raise ValueError(f"{len(state)} bytes, suite {number}: no state of a record layer")
        if any(state[4:8]) or flags & ~_KNOWN_FLAGS or useless > USELESS_RECORDS or partial > _MOST_PARTIAL:
            raise ValueError(f"it begins with {state[:8].hex()}: no state of a record layer")
        length = suite.secret_bytes
        opens = Direction(suite, state[-2 * length : -length], opened)
        seals = Direction(suite, state[-length:], sealed)
        return cls(suite, opens, seals, Flag(flags), useless, partial)


def state_bytes(suite: Suite) -> int:
    """The length of a state with *suite*."""
    assert _HEAD.size == 24 + 2 * IV_BYTES
    return _HEAD.size + 2 * (suite.key_bytes + suite.secret_bytes)
