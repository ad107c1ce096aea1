"""What TLS costs a node, from the counters of its workers: for ``edgectl status`` and the metrics.

``status`` has it as (counts since the workers started; shares of the completed handshakes, 0 to 1)::

    {"handshakes": {"full", "resumed", "refused", "failed", "timed_out", "let_go"}, "in_progress", "states",
     "handshake_ms": the mean or null, "ciphers": {name: share}, "groups": {name: share},
     "alerts_sent": {kind: count}, "alerts_received": {kind: count}, "key_updates",
     "ticket_key_age_s": seconds or null}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What becomes of hellos -> counter.
HANDSHAKES = {
    "full": "tls_full",
    "resumed": "tls_resumed",
    "refused": "tls_refused",
    "failed": "tls_failed",
    "timed_out": "tls_timeouts",
    "let_go": "tls_let_go",
}
#: As OpenSSL names them.
CIPHERS = {
    "AES-128-GCM": "tls_aes_128_gcm",
    "AES-256-GCM": "tls_aes_256_gcm",
    "ChaCha20-Poly1305": "tls_chacha20",
}
GROUPS = {"X25519": "tls_x25519", "P-256": "tls_p256", "X25519MLKEM768": "tls_x25519mlkem768"}
ALERTS_SENT = {
    kind: f"tls_alerts_sent_{kind}"
    for kind in ("bad_record_mac", "unexpected_message", "handshake_failure", "other")
}
ALERTS_RECEIVED = {kind: f"tls_alerts_received_{kind}" for kind in ("certificate", "other")}


def tls_figures(workers: Iterable[Mapping[str, int]], ticket_key_age: float | None) -> dict[str, Any]:
    """The figures of all *workers*, each counter by name; *ticket_key_age* in seconds, None: no key."""
    counted = list(workers)

    def total(name: str) -> int:
        return sum(one.get(name, 0) for one in counted)

    def counts(names: Mapping[str, str]) -> dict[str, int]:
        return {label: total(name) for label, name in names.items()}

    def shares(names: Mapping[str, str]) -> dict[str, float]:
        found = counts(names)
        whole = sum(found.values())
        return {label: round(count / whole, 4) for label, count in found.items() if count}

    done = total("tls_full") + total("tls_resumed")
    return {
        "handshakes": counts(HANDSHAKES),
        "in_progress": total("tls_handshakes"),
        "states": total("tls_states"),
        "handshake_ms": round(total("tls_handshake_us") / done / 1000, 3) if done else None,
        "ciphers": shares(CIPHERS),
        "groups": shares(GROUPS),
        "alerts_sent": counts(ALERTS_SENT),
        "alerts_received": counts(ALERTS_RECEIVED),
        "key_updates": total("tls_key_updates"),
        "ticket_key_age_s": None if ticket_key_age is None else round(ticket_key_age, 1),
    }
