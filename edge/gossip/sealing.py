"""Sealed datagrams: AEAD (ChaCha20-Poly1305) with keys that only the two nodes of a TLS session have.

The keys come from a TLS 1.3 session between the two (exporter, RFC 8446 section 7.5; RFC 5705), so only who
held both certificates' keys at that time has them: what was stolen from a third node opens nothing here.
From the exported secret HKDF-SHA256 (RFC 5869) makes, for each direction, a key and an identifier, bound
to the cluster's name and to both nodes' names.

One datagram::

     0  1  version, 1
     1  8  session: which key; made from the same secret, so it tells a stranger nothing
     9  8  number of the datagram in its direction, from 0, big-endian
    17  n  payload (edge.gossip.packet), encrypted with ChaCha20-Poly1305 (RFC 8439)
    17+n  16  tag; authenticates the 17 bytes before the payload as well

The nonce is four zero bytes and the number, so none is ever used twice with a key.  A datagram of an unknown
session, with a wrong tag, or with a number that has been there (:mod:`edge.gossip.replay`) is dropped,
counted, and never answered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge.gossip.replay import ReplayWindow

EXPORTER_LABEL = b"EXPORTER-twistd-edge-gossip"
EXPORTER_BYTES = 64
VERSION = 1
_HEADER = 17
_TAG = 16
#: Bytes that sealing adds.
OVERHEAD = _HEADER + _TAG
#: Sessions with one node that are accepted: each side may have dialled, and one of them again.
SESSIONS_EACH = 4
#: Nodes of which sessions are kept; the one that was not heard of for longest goes first.
NODES = 4096


class Session:
    """The keys of one stream between this node and *name*."""

    def __init__(self, name: str, sending: tuple[bytes, bytes], receiving: tuple[bytes, bytes]) -> None:
        """*sending*, *receiving*: (identifier, key)."""
        self.name = name
        self.receiving_id = receiving[0]
        self._sending_id = sending[0]
        self._seal = ChaCha20Poly1305(sending[1])
        self._open = ChaCha20Poly1305(receiving[1])
        self._number = 0
        self._window = ReplayWindow()

    @classmethod
    def derive(cls, secret: bytes, cluster: str, dialer: bool, local_name: str, remote_name: str) -> Session:
        """The session of a stream that exported *secret*; *dialer*: this node opened it."""
        first, second = (local_name, remote_name) if dialer else (remote_name, local_name)
        info = "\0".join(("twistd-edge gossip 1", cluster, first, second)).encode()
        made = HKDF(SHA256(), 80, None, info).derive(secret)
        from_dialer, to_dialer = (made[0:8], made[16:48]), (made[8:16], made[48:80])
        sending, receiving = (from_dialer, to_dialer) if dialer else (to_dialer, from_dialer)
        return cls(remote_name, sending, receiving)

    def seal(self, payload: bytes) -> bytes:
        """The datagram with *payload*."""
        number = self._number.to_bytes(8, "big")
        self._number += 1
        header = bytes((VERSION,)) + self._sending_id + number
        return header + self._seal.encrypt(b"\0\0\0\0" + number, payload, header)

    def open(self, datagram: bytes) -> tuple[str, bytes | None]:
        """("", payload), or (why it is refused, None); the datagram is of this session."""
        number = datagram[9:_HEADER]
        value = int.from_bytes(number, "big")
        if not self._window.is_new(value):
            return "replayed", None
        try:
            payload = self._open.decrypt(b"\0\0\0\0" + number, datagram[_HEADER:], datagram[:_HEADER])
        except InvalidTag:
            return "forged", None
        self._window.note(value)
        return "", payload


@dataclass
class RefusedDatagrams:
    """Datagrams that were dropped, by reason."""

    malformed: int = 0
    unknown: int = 0
    forged: int = 0
    replayed: int = 0


@dataclass
class Sessions:
    """All sessions of this node; the newest with a node is used for sending."""

    refused: RefusedDatagrams = field(default_factory=RefusedDatagrams)
    _by_id: dict[bytes, Session] = field(default_factory=dict)
    _by_name: OrderedDict[str, list[Session]] = field(default_factory=OrderedDict)

    def add(self, session: Session) -> None:
        """Use *session* from now on."""
        sessions = self._by_name.setdefault(session.name, [])
        sessions.append(session)
        self._by_id[session.receiving_id] = session
        self._by_name.move_to_end(session.name)
        while len(sessions) > SESSIONS_EACH:
            del self._by_id[sessions.pop(0).receiving_id]
        while len(self._by_name) > NODES:
            self.forget(next(iter(self._by_name)))

    def forget(self, name: str) -> None:
        """Neither send to *name* nor accept from it, until there is a new session."""
        for session in self._by_name.pop(name, ()):
            del self._by_id[session.receiving_id]

    def seal_for(self, name: str, payload: bytes) -> bytes | None:
        """The datagram for *name*; None: there is no session with it."""
        sessions = self._by_name.get(name)
        return sessions[-1].seal(payload) if sessions else None

    def open(self, datagram: bytes) -> tuple[str, bytes] | None:
        """(who sent it, payload); None for everything that is not authentic, or was there before."""
        if len(datagram) < OVERHEAD or datagram[0] != VERSION:
            self.refused.malformed += 1
            return None
        session = self._by_id.get(datagram[1:9])
        if session is None:
            self.refused.unknown += 1
            return None
        why, payload = session.open(datagram)
        if payload is None:
            setattr(self.refused, why, getattr(self.refused, why) + 1)
            return None
        return session.name, payload

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)
