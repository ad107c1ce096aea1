"""What the end of a connection counts as: alerts of TLS by kind, as ``edge_sealed.c`` counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.tls.interface import Alert, AlertDescription

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from edge.node.connection.context import ConnectionContext

_SENT = (
    AlertDescription.bad_record_mac,
    AlertDescription.unexpected_message,
    AlertDescription.handshake_failure,
)
#: What a peer says that does not accept our certificate.
_CERTIFICATE = (
    AlertDescription.bad_certificate,
    AlertDescription.unsupported_certificate,
    AlertDescription.certificate_revoked,
    AlertDescription.certificate_expired,
    AlertDescription.certificate_unknown,
    AlertDescription.unknown_ca,
)


def count_end(site: ConnectionContext, reason: Failure) -> None:
    """Count the alert that *reason*, the end of a connection, is; other ends count as nothing."""
    alert = reason.value
    if not isinstance(alert, Alert):
        return
    if alert.sent:
        site.count(f"tls_alerts_sent_{alert.name if alert.description in _SENT else 'other'}")
    else:
        kind = "certificate" if alert.description in _CERTIFICATE else "other"
        site.count(f"tls_alerts_received_{kind}")
