"""What edgectl prints fits a terminal."""

from __future__ import annotations

import io

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from edge.edgectl.tables import (
    age,
    certificate_tables,
    duration,
    facts_table,
    log_tables,
    members_table,
    revoked_table,
    size,
    tls_table,
)
from edge.node.telemetry.tls_figures import tls_figures


class TableTests(SynchronousTestCase):
    """Columns and units."""

    def test_nothing_of_a_node_is_markup_or_means_a_thing_to_a_terminal(self) -> None:
        bad = "[red]\x1b]0;pwned\x07\x9b2J\u202e\r"
        said = io.StringIO()
        found = {"own": True, "revoked": [{"name": bad, "serial": bad, "since": bad}]}
        for table in (revoked_table(found), facts_table("facts", {bad: bad})):
            Console(file=said, width=200).print(table)
        self.assertIn("[red]\\x1b]0;pwned\\x07\\x9b2J\\u202e\\r", said.getvalue())
        self.assertTrue(all(c.isprintable() or c == "\n" for c in said.getvalue()))

    def test_members_fit_eighty_columns(self) -> None:
        one = {
            "name": "node-1", "state": "suspect", "address": "10.0.0.101:7000", "this": True, "rtt_ms": 12.34,
            "utilization": 0.123, "age_ms": 1234, "behind": 12345, "bytes_in": 123_456_789,
            "bytes_out": None, "since_s": 36_000,
        }  # fmt: skip
        said = io.StringIO()
        found = {"node": "node-1", "health": 0, "members": [one]}
        Console(file=said, width=80).print(members_table(found))
        for word in (
            "node-1 *",
            "suspect",
            "10.0.0.101:7000",
            "12.34",
            "0.123",
            "12345",
            "118 M",
            "10 h",
        ):
            self.assertIn(word, said.getvalue())

    def test_certificates_say_who_renews_them_and_what_failed(self) -> None:
        one = {
            "names": ["www.example.org", "example.org"], "issuer": "Let's Encrypt, R11", "begins_at": 0.0,
            "expires_at": 7_776_000.0, "self_signed": False, "automatic": True, "file": "/state/acme/pem",
            "listeners": ["https://localhost:443"], "renewal_at": 5_184_000.0, "ordering": None,
            "last_error": "not validated", "failed_at": 60.0, "retry_at": 360.0, "problem": None,
        }  # fmt: skip
        said = io.StringIO()
        ordering = {**one, "ordering": "n2", "last_error": None}
        by_hand = {**one, "automatic": False, "self_signed": True, "problem": "it cannot be read"}
        for table in certificate_tables({"certificates": [one, ordering, by_hand]}):
            Console(file=said, width=80).print(table)
        for words in (
            "Let's Encrypt, R11", "1970-04-01 00:00:00+00:00", "1970-03-02", "not validated", "now, by n2",
            "by whoever writes the file", "self-signed", "it cannot be read",
        ):  # fmt: skip
            self.assertIn(words, said.getvalue())

    def test_tls_tells_shares_and_what_went_wrong(self) -> None:
        counted = {
            "tls_full": 300, "tls_resumed": 700, "tls_refused": 5, "tls_timeouts": 0, "tls_let_go": 12,
            "tls_aes_128_gcm": 900, "tls_chacha20": 100, "tls_x25519": 1000, "tls_handshake_us": 450_000,
            "tls_alerts_sent_bad_record_mac": 2, "tls_alerts_received_certificate": 1, "tls_states": 77,
        }  # fmt: skip
        said = io.StringIO()
        Console(file=said, width=80).print(tls_table(tls_figures([counted, {}], 7200.0)))
        for words in (
            "1,000, 70% resumed", "5 refused, 12 let go", "0.45", "77",
            "AES-128-GCM 90%, ChaCha20-Poly1305 10%",
            "X25519 100%", "2 bad record mac", "1 certificate", "2 h old",
        ):  # fmt: skip
            self.assertIn(words, said.getvalue())
        said = io.StringIO()
        Console(file=said, width=80).print(tls_table(tls_figures([], None)))
        self.assertNotIn("ticket", said.getvalue())

    def test_log(self) -> None:
        log = {"origin": "n1", "generation": 1, "sequence": 2, "behind": 3, "lease_s": -1.5, "own": False}
        said = io.StringIO()
        for table in log_tables({"logs": [log], "lag_p99_ms": 17, "counters": {"wants": 4}}):
            Console(file=said, width=80).print(table)
        for word in ("n1", "-1.5", "lag p99 ms", "17", "wants"):
            self.assertIn(word, said.getvalue())

    def test_units(self) -> None:
        self.assertEqual([size(n) for n in (None, 0, 999, 1000, 2048, 10**6, 5 * 10**9, 10**13)],
                         ["-", "0 B", "999 B", "1.0 K", "2.0 K", "977 K", "4.7 G", "9313 G"])  # fmt: skip
        self.assertEqual(duration(3725), "1:02:05")
        said = [age(n) for n in (0, 59.9, 60, 3661, 172_799, 172_800)]
        self.assertEqual(said, ["0 s", "59 s", "1 m", "1 h", "47 h", "2 d"])
