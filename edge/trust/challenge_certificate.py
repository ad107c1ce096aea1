"""The certificate that proves a name by TLS-ALPN-01 (RFC 8737): made where it is asked for, and not kept.

An authority opens a TLS connection for the name and offers the protocol ``acme-tls/1`` alone.  It wants to
see a self-signed certificate for the name with the digest of a key authorization in it; no secret is needed
for that.
"""

# Much of pyOpenSSL has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509
from OpenSSL import SSL, crypto

from edge.trust.listener_certificate import NoProtocol, select_protocol
from edge.trust.web_certificate import Identity, server_certificate

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = re.compile(rb"[a-z0-9.-]{1,253}")
#: What the authority offers in ALPN.
ALPN_ACME = b"acme-tls/1"
#: id-pe-acmeIdentifier (RFC 8737 section 6.1).
_ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


def challenge_certificate(name: str, key_authorization: bytes) -> Identity:
    """The certificate that shows *key_authorization* for *name*, valid for a day."""
    digest = sha256(key_authorization).digest()
    shown = x509.UnrecognizedExtension(_ACME_IDENTIFIER, b"\x04\x20" + digest)  # DER: an OCTET STRING
    return server_certificate([name], 1, None, (shown, True))


def challenge_context(name: str, key_authorization: bytes) -> SSL.Context:
    """The TLS context of a connection on which *key_authorization* is shown for *name*."""
    made = challenge_certificate(name, key_authorization)
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(crypto.X509.from_cryptography(made.certificate))
    context.use_privatekey(crypto.PKey.from_cryptography_key(made.key))
    context.set_alpn_select_callback(lambda connection, offered: ALPN_ACME)
    return context


def answer_challenges(context: SSL.Context, find: Callable[[bytes], bytes | None]) -> None:
    """Have the connections of *context* answer who offers ``acme-tls/1``, others with what they speak.

    *find*: the key authorization for a name, None if nobody asked for one.  The certificate is exchanged
    while the handshake runs, which works from TLS 1.3 on: that is what authorities speak.
    """

    def select(connection: SSL.Connection, offered: list[bytes]) -> bytes:
        if offered == [ALPN_ACME]:
            name = (connection.get_servername() or b"").lower()
            shown = find(name) if _NAME.fullmatch(name) else None
            if shown is None or connection.get_protocol_version() < SSL.TLS1_3_VERSION:
                raise NoProtocol
            connection.set_context(challenge_context(name.decode("ascii"), shown))
            return ALPN_ACME
        return select_protocol(connection, offered)

    context.set_alpn_select_callback(select)
