"""Names of the counters that every worker keeps in its block of the shared segment.

A counter is a u64 that only its worker writes; readers sum over workers.  The index is the
position in :data:`COUNTERS`, which is append-only; ``edge_layout.h`` numbers them alike.
"""

from __future__ import annotations

COUNTERS: tuple[str, ...] = (
    "requests",  # answered by the fast path
    "not_modified",  # of those, 304
    "ok",  # of those, 200 to GET and HEAD
    "revalidations",  # of those, POST /.edge/revalidate
    "validators",  # lines in those POSTs
    "handoffs",  # connections given to Twisted
    "returns",  # connections given back
    "accepts",  # connections accepted
    "refused_total",  # closed at once: connection limit of the node
    "refused_address",  # closed at once: connection limit per address
    "timeouts_head",  # 408: request head too slow
    "timeouts_idle",  # keep-alive expired
    "timeouts_write",  # answer not taken in time
    "bytes_in",
    "bytes_out",
    "connections",  # gauge: open now (fast path and handed off)
    "twisted_requests",  # answered by Twisted
    "twisted_1xx",
    "twisted_2xx",
    "twisted_3xx",
    "twisted_4xx",
    "twisted_5xx",
    "lag_us",  # gauge: reactor lag, microseconds
    "twisted_bytes_in",
    "twisted_bytes_out",
    "sockets",  # gauge: WebSockets of /.edge/socket
    "refused_share",  # connections closed, requests refused: more of a pool than the share of their address
    "tls_full",  # handshakes of TLS on the fast path: with a key exchange and a certificate
    "tls_resumed",  # with a session ticket
    "tls_refused",  # not begun: too many at once, in all or from one address
    "tls_failed",  # begun, and ended by either side
    "tls_timeouts",  # not over in time
    "tls_let_go",  # hellos that went to Twisted's TLS
    "tls_handshakes",  # gauge: under way
    "tls_states",  # gauge: connections past their handshake
    "tls_handshake_us",  # time that handshakes took, microseconds
    "tls_aes_128_gcm",  # of the handshakes that were completed: the cipher suite
    "tls_aes_256_gcm",
    "tls_chacha20",
    "tls_x25519",  # and the group of the key exchange
    "tls_p256",
    "tls_x25519mlkem768",
    "tls_alerts_sent_bad_record_mac",
    "tls_alerts_sent_unexpected_message",
    "tls_alerts_sent_handshake_failure",
    "tls_alerts_sent_other",
    "tls_alerts_received_certificate",  # the peer does not accept ours
    "tls_alerts_received_other",
    "tls_key_updates",  # of peers
    "answers_hit",  # applications' answers from the table, fresh: by the fast path and by Twisted
    "answers_stale",  # no longer fresh: while they were asked for anew, or because the application failed
    "answers_filled",  # clean questions whose answer was stored
    "answers_coalesced",  # requests that waited for an answer to another's question
    "answers_passed",  # requests that applications were asked whole
    "refused_rate",  # 429: more requests than an address may make
    "refused_login",  # 401: no password, or a wrong one
    "refused_network",  # 403: an address that may not
    "relay_resting",  # gauge: connections of the relay to HTTP upstreams on which nothing is asked
    "upstreams_resting",  # gauge: the same of Python
)
#: Those that say how things are now: what a worker that is gone has said is not so any more.
GAUGES = (
    "connections",
    "lag_us",
    "sockets",
    "tls_handshakes",
    "tls_states",
    "relay_resting",
    "upstreams_resting",
)
COUNTER_COUNT = 256
INDEX: dict[str, int] = {name: index for index, name in enumerate(COUNTERS)}
