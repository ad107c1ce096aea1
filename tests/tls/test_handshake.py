"""Handshakes by libssl that end in a record layer of ours; the clients have other TLS libraries."""

from __future__ import annotations

import os

from edge._tls import lib
from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.tls.interface import AlertDescription, Credential
from edge.tls.native import NativeContext, NativeTls, TicketKey, version
from edge.tls.twin import PythonRecordLayer
from tests.tls.handshakes import PyClient, Server, StdClient, credential, shake_hands
from tests.tls.hellos import real_hello

_SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


def ticket_key() -> TicketKey:
    """A random one."""
    return TicketKey(os.urandom(16), os.urandom(32), os.urandom(32))


class Base(SynchronousTestCase):
    """A worker's TLS, and a listener with one certificate."""

    def setUp(self) -> None:
        self.tls = NativeTls(1024)
        self.context = self.tls.context([credential("example.org")])

    def connect(
        self, client: PyClient | StdClient, piece: int = 1 << 20, context: NativeContext | None = None
    ) -> Server:
        """A server's end that *client* has shaken hands with."""
        server = Server(self.tls, context or self.context)
        self.addCleanup(server.close)
        shake_hands(server, client, piece)
        return server

    def assert_talk(self, server: Server, client: PyClient | StdClient) -> None:
        """Both hear each other."""
        assert server.layer is not None, server.progress
        self.assertEqual(server.layer.open(server.rest + client.say(b"question")).plaintext, b"question")
        server.rest = b""
        self.assertEqual(client.receive(server.layer.seal(b"answer")), b"answer")


class HandshakeTests(Base):
    """From a hello to a record layer."""

    def test_every_suite_leaves_a_record_layer_that_talks(self) -> None:
        for suite in _SUITES:
            client = PyClient(suites=suite)
            server = self.connect(client)
            self.assert_talk(server, client)
            assert server.layer is not None
            self.assertEqual((server.layer.suite, server.layer.alpn), (suite, b"http/1.1"))
            self.assertEqual(client.connection.get_alpn_proto_negotiated(), b"http/1.1")

    def test_aes_128_is_preferred_unless_chacha20_comes_first(self) -> None:
        for offered, chosen in (
            (":".join((_SUITES[1], _SUITES[2], _SUITES[0])), _SUITES[0]),
            (":".join((_SUITES[2], _SUITES[0])), _SUITES[2]),
        ):
            server = self.connect(PyClient(suites=offered))
            assert server.layer is not None
            self.assertEqual(server.layer.suite, chosen)

    def test_a_client_without_alpn_is_served(self) -> None:
        client = PyClient(protocols=())
        server = self.connect(client)
        self.assert_talk(server, client)
        assert server.layer is not None
        self.assertIsNone(server.layer.alpn)

    def test_bytes_that_come_one_by_one_make_the_same(self) -> None:
        for piece in (1, 3, 100):
            client = PyClient()
            self.assert_talk(self.connect(client, piece), client)

    def test_a_request_behind_the_finished_is_not_libssl_s(self) -> None:
        """It comes in the same bytes, and is opened by the record layer."""
        client, server = PyClient(), Server(self.tls, self.context)
        client.receive(b"")
        client.receive(server.receive(client.output()))
        finished, request = client.output(), client.say(b"early")
        client.receive(server.receive(finished + request + request[:7]))
        assert server.layer is not None
        self.assertEqual(server.rest, request + request[:7])
        self.assertEqual(server.layer.open(request).plaintext, b"early")

    def test_the_group_is_told(self) -> None:
        for curve, number in (("prime256v1", 23), ("X25519", 29)):
            client = StdClient(curve)
            server = self.connect(client)
            self.assert_talk(server, client)
            self.assertEqual(server.outcome.group, number)

    def test_the_hybrid_group_is_agreed_on_where_libssl_has_it(self) -> None:
        """pyOpenSSL's own OpenSSL offers it first, and X25519 beside it."""
        server = self.connect(PyClient())
        self.assertEqual(server.outcome.group, 4588 if "X25519MLKEM768" in self.tls.groups else 29)
        major, minor = (int(part) for part in version().split()[1].split(".")[:2])
        self.assertEqual("X25519MLKEM768" in self.tls.groups, (major, minor) >= (3, 5))

    def test_the_twin_goes_on_where_native_stops(self) -> None:
        client = PyClient()
        server = self.connect(client)
        self.assert_talk(server, client)
        assert server.layer is not None
        twin = PythonRecordLayer(*server.layer.export())
        self.assertEqual(twin.open(client.say(b"more")).plaintext, b"more")
        self.assertEqual(client.receive(twin.seal(b"and more")), b"and more")
        layer = self.tls.record_layer(*twin.export())
        self.assertEqual(layer.open(client.say(b"back")).plaintext, b"back")

    def test_states_of_handshakes_that_end_are_given_up(self) -> None:
        servers = [self.connect(PyClient()) for _ in range(3)]
        self.assertEqual(self.tls.states(), 3)
        for server in servers:
            assert server.layer is not None
            server.layer.discard()
        self.assertEqual(self.tls.states(), 0)


class ProofTests(Base):
    """Keys are proved before libssl's are thrown away."""

    def test_the_write_sequence_is_the_number_of_tickets(self) -> None:
        """Of one ticket; a client that takes none gets none."""
        server = self.connect(PyClient())
        assert server.layer is not None
        state, _ = server.layer.export()
        self.assertEqual((state[8:16], state[16:24]), (bytes(8), (1).to_bytes(8, "little")))

    def test_keys_that_do_not_open_the_ticket_are_not_used(self) -> None:
        self.tls.tls.spoil = True
        server = self.connect(PyClient())
        self.assertEqual((server.progress, server.layer), (lib.EDGE_TLS_FAILED, None))
        self.assertEqual((self.tls.tls.unproved, self.tls.states()), (1, 0))

    def test_after_that_every_hello_is_let_go(self) -> None:
        """A libssl that we do not understand is left to Twisted, which needs no keys of it."""
        hello = real_hello()
        recognise = lib.edge_tls_native.recognise
        self.assertEqual(recognise(self.tls.tls, hello, len(hello)), lib.EDGE_TLS_RECOGNISED)
        self.tls.tls.spoil = True
        self.connect(PyClient())
        self.assertEqual(recognise(self.tls.tls, hello, len(hello)), lib.EDGE_TLS_LET_GO)


class TicketTests(Base):
    """Session tickets under keys that are set from outside."""

    def test_a_resumed_client_gets_a_new_ticket(self) -> None:
        """Browsers use each but once: with the newest key, too."""
        client = self.client()
        for _ in range(3):
            again = PyClient(resumes=client)
            server = self.connect(again)
            self.assert_talk(server, again)
            self.assertTrue(server.outcome.resumed)
            assert server.layer is not None
            state, _ = server.layer.export()
            self.assertEqual(state[16:24], (2).to_bytes(8, "little"))  # the ticket, and our answer
            client = again

    def resume(
        self, client: PyClient, tls: NativeTls | None = None, context: NativeContext | None = None
    ) -> bool:
        """Whether the session of *client* is taken; what then follows is talked about, too."""
        again = PyClient(resumes=client)
        server = Server(tls or self.tls, context or self.context)
        self.addCleanup(server.close)
        shake_hands(server, again)
        self.assert_talk(server, again)
        return bool(server.outcome.resumed)

    def client(self) -> PyClient:
        """One that has its ticket."""
        client = PyClient()
        self.assert_talk(self.connect(client), client)
        return client

    def test_a_ticket_resumes(self) -> None:
        self.assertTrue(self.resume(self.client()))

    def test_the_first_keys_are_of_this_process_alone(self) -> None:
        other = NativeTls(16)
        self.assertFalse(self.resume(self.client(), other, other.context([credential("example.org")])))

    def test_whoever_has_the_key_takes_the_ticket(self) -> None:
        """Another worker, another node, another certificate."""
        key, other = ticket_key(), NativeTls(16)
        self.tls.set_ticket_keys([key])
        other.set_ticket_keys([ticket_key(), key])
        self.assertTrue(self.resume(self.client(), other, other.context([credential("other.example")])))

    def test_keys_rotate_and_the_oldest_is_forgotten(self) -> None:
        keys = [ticket_key() for _ in range(4)]
        self.tls.set_ticket_keys(keys[:1])
        client = self.client()
        self.tls.set_ticket_keys([keys[1], keys[0]])
        self.assertTrue(self.resume(client))
        self.tls.set_ticket_keys([keys[2], keys[1], keys[0]])
        self.assertTrue(self.resume(client))
        self.tls.set_ticket_keys([keys[3], keys[2], keys[1]])
        self.assertFalse(self.resume(client))

    def test_a_reload_keeps_tickets_good(self) -> None:
        client = self.client()
        self.assertTrue(self.resume(client, None, self.tls.context([credential("example.org", kind="rsa")])))

    def test_keys_of_other_lengths_are_refused(self) -> None:
        for keys in ([], [TicketKey(b"", b"", b"")], [ticket_key()] * 17):
            self.assertRaises(ValueError, self.tls.set_ticket_keys, keys)


class CertificateTests(Base):
    """Which certificate a client is shown."""

    def shown(self, context: NativeContext, name: str | None = None) -> str:
        client = PyClient(name)
        self.assert_talk(self.connect(client, context=context), client)
        return client.certificate

    def test_the_name_decides(self) -> None:
        context = self.tls.context(
            [credential("a.example"), credential("b.example", "*.b.example", "c.example")]
        )
        for name, certificate in (
            ("a.example", "ecdsa a.example"),
            ("B.example", "ecdsa b.example"),
            ("www.b.example", "ecdsa b.example"),
            ("c.example", "ecdsa b.example"),
            ("x.www.b.example", "ecdsa a.example"),
            ("nobody.example", "ecdsa a.example"),
            (None, "ecdsa a.example"),
        ):
            self.assertEqual(self.shown(context, name), certificate, name)
        self.assertEqual(context.names, ("*.b.example", "a.example", "b.example", "c.example"))

    def test_ecdsa_and_rsa_stand_side_by_side(self) -> None:
        """Chosen by what the client can verify: hellos that offer one kind alone."""
        both = [credential("a.example", kind="rsa"), credential("a.example")]
        context = self.tls.context(both)
        self.assertEqual(self.shown(context, "a.example"), "ecdsa a.example")
        self.assertEqual(self.shown(self.tls.context(both[:1]), "a.example"), "rsa a.example")

    def test_an_exact_name_has_the_wildcard_of_the_other_kind_beside_it(self) -> None:
        context = self.tls.context([credential("*.a.example", kind="rsa"), credential("www.a.example")])
        self.assertEqual(self.shown(context, "www.a.example"), "ecdsa www.a.example")
        self.assertEqual(self.shown(context, "x.a.example"), "rsa *.a.example")

    def test_a_new_context_leaves_handshakes_under_way_alone(self) -> None:
        client, server = PyClient(), Server(self.tls, self.context)
        client.receive(b"")
        told = server.receive(client.output())
        del self.context, server._context
        client.receive(told)
        client.receive(server.receive(client.output()))
        self.assert_talk(server, client)

    def test_what_cannot_be_used_is_named(self) -> None:
        good, other = credential("a.example"), credential("b.example")
        for chain, key, reason in (
            (good.chain, other.key, "values mismatch"),
            (b"nothing", good.key, "no start line"),
            (good.chain, b"nothing", "unsupported|no start line"),
            (good.chain[: len(good.chain) // 2], good.key, "bad end line"),
            (good.chain + good.chain[:-60], good.key, "bad end line"),
        ):
            self.assertRaisesRegex(
                ConfigError,
                f"a.pem cannot be used: .*{reason}",
                self.tls.context,
                [Credential(chain, key, "a.pem")],
            )
        self.assertRaises(ConfigError, self.tls.context, [])


class RefusalTests(Base):
    """Handshakes that fail."""

    def test_garbage_instead_of_the_finished_fails_with_an_alert(self) -> None:
        client, server = PyClient(), Server(self.tls, self.context)
        client.receive(b"")
        server.receive(client.output())
        told = server.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
        self.assertEqual((server.progress, server.layer), (lib.EDGE_TLS_FAILED, None))
        self.assertTrue(told)
        self.assertEqual(server.outcome.sends, AlertDescription.bad_record_mac)

    def test_a_record_that_is_too_long_fails(self) -> None:
        client, server = PyClient(), Server(self.tls, self.context)
        client.receive(b"")
        server.receive(client.output())
        server.receive(b"\x17\x03\x03\xff\xff")
        self.assertEqual(server.progress, lib.EDGE_TLS_FAILED)

    def test_a_client_that_refuses_the_certificate_is_heard(self) -> None:
        import ssl

        context = ssl.create_default_context()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="example.org")
        server = Server(self.tls, self.context)
        self.assertRaises(ssl.SSLWantReadError, client.do_handshake)
        incoming.write(server.receive(outgoing.read()))
        self.assertRaises(ssl.SSLCertVerificationError, client.do_handshake)
        server.receive(outgoing.read())
        self.assertEqual(server.progress, lib.EDGE_TLS_FAILED)
        self.assertEqual(server.outcome.received, AlertDescription.unknown_ca)

    def test_endless_records_before_the_finished_fail(self) -> None:
        """ChangeCipherSpecs here, of which libssl itself takes many."""
        client, server = PyClient(), Server(self.tls, self.context)
        client.receive(b"")
        server.receive(client.output())
        for _ in range(30_000):
            server.receive(b"\x14\x03\x03\x00\x01\x01")
            if server.progress != lib.EDGE_TLS_RECEIVE:
                break
        self.assertEqual(server.progress, lib.EDGE_TLS_FAILED)

    def test_tls_1_2_is_let_go(self) -> None:
        import ssl

        server = self.connect(StdClient(version=ssl.TLSVersion.TLSv1_2))
        self.assertEqual((server.progress, server.layer), (lib.EDGE_TLS_RECEIVE, None))
