"""The interface of a record layer, for both builds: native (``edge._tls``) and Python (``twin.py``).

A record layer is what is left of a TLS 1.3 connection when its handshake is over: two keys, two sequence
numbers, and the rules of RFC 8446 section 5.  It is sans-IO: bytes from the peer go in, verified plaintext
and bytes for the peer come out.  How the bytes were cut into pieces makes no difference.

The law, which each build keeps to:

* Nothing is acted upon that has not been verified.
* After close_notify, or an alert of either side, nothing that comes is looked at.
* A state has one owner.  :meth:`RecordLayer.export` moves it; a record sealed twice under one sequence number
  would give the key away, so there is no copy.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, Protocol

#: Bytes of the plaintext of one record at most (RFC 8446 section 5.1).
RECORD_BYTES = 1 << 14
#: Bytes of a record's header: type, version, length.
HEADER_BYTES = 5
#: Bytes after the header at most: content, its type, padding, and what the AEAD adds (section 5.2).
SEALED_BYTES = RECORD_BYTES + 256
#: Records in a row that carry nothing; one more is refused (empty, key updates, user_canceled).
USELESS_RECORDS = 32
#: Records sealed under one key; then it is updated (section 5.5 allows 2^24.5 with AES-GCM).
RECORDS_PER_KEY = 1 << 23
#: The version that there is a record layer of, as OpenSSL calls it.
VERSION = "TLSv1.3"
#: The protocol that is agreed upon.
ALPN = b"http/1.1"


class AlertDescription(IntEnum):
    """The descriptions of alerts (RFC 8446 section 6), by their names in the RFC."""

    close_notify = 0
    unexpected_message = 10
    bad_record_mac = 20
    record_overflow = 22
    handshake_failure = 40
    bad_certificate = 42
    unsupported_certificate = 43
    certificate_revoked = 44
    certificate_expired = 45
    certificate_unknown = 46
    illegal_parameter = 47
    unknown_ca = 48
    access_denied = 49
    decode_error = 50
    decrypt_error = 51
    protocol_version = 70
    insufficient_security = 71
    internal_error = 80
    inappropriate_fallback = 86
    user_canceled = 90
    missing_extension = 109
    unsupported_extension = 110
    unrecognized_name = 112
    bad_certificate_status_response = 113
    unknown_psk_identity = 115
    certificate_required = 116
    no_application_protocol = 120


def alert_name(description: int) -> str:
    """The name of the alert *description*; ``alert_N`` of one that has none."""
    try:
        return AlertDescription(description).name
    except ValueError:
        return f"alert_{description}"


class Alert(Exception):
    """A fatal alert, of ours or the peer's: the connection is over.

    Plaintext that came in the same call is dropped.
    """

    def __init__(self, description: int, sent: bool, answer: bytes = b"") -> None:
        """*sent*: it is ours; *answer*: the record to send, or nothing if our direction was closed."""
        super().__init__(f"{alert_name(description)} ({'sent' if sent else 'received'})")
        self.description = description
        self.name = alert_name(description)
        self.sent = sent
        self.answer = answer


class Credential(NamedTuple):
    """A certificate and its key."""

    #: PEM: the certificate, and then its chain.
    chain: bytes
    #: PEM, without passphrase.
    key: bytes
    #: For sentences: where they come from.
    where: str


class Opened(NamedTuple):
    """What came of bytes from the peer."""

    #: Verified, and in order.
    plaintext: bytes
    #: To be sent before anything that is sealed later: our KeyUpdate, if the peer asked for one.
    answer: bytes = b""
    #: The peer's direction has ended.
    closed: bool = False


class RecordLayer(Protocol):
    """One TLS 1.3 connection after its handshake, seen from one of its ends.  Not thread-safe.

    All methods but :meth:`discard` raise :exc:`ValueError` once the state was exported or discarded.
    """

    @property
    def suite(self) -> str:
        """The cipher suite by its name in RFC 8446 section B.4: ``TLS_AES_128_GCM_SHA256``."""

    @property
    def alpn(self) -> bytes | None:
        """The protocol that was agreed upon (RFC 7301): ``http/1.1``, or none."""

    def open(self, data: bytes, replies: bool = True) -> Opened:
        """Takes what was received; a record that is not whole is kept (at most 16,645 bytes).

        *replies*: a KeyUpdate that the peer has asked for is sealed now; else before what is
        sealed next.

        :exc:`Alert`: the connection is over.  From then on, and after the end of the peer's direction, what
        comes is thrown away.
        """

    def seal(self, data: bytes) -> bytes:
        """Records with *data*, to be sent in the order of the calls; before them a KeyUpdate that is due.

        Nothing once our direction is closed.
        """

    def close(self) -> bytes:
        """The record with our close_notify; nothing if our direction is closed.  Opening goes on."""

    def export(self) -> tuple[bytes, bytes]:
        """State, as ``state.py`` draws it, and the bytes of a record that is not whole: for a new owner."""

    def discard(self) -> None:
        """Forgets the keys: the connection is gone.  Not for the first time: nothing."""
