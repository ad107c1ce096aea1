"""Networks of addresses, and X-Forwarded-For read by the C code as by the Python code."""

from __future__ import annotations

from edge._native import ffi
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.fastpath.answerer import PythonAnswerer
from edge.fastpath.interface import Next, Settings
from edge.fastpath.native import NativeAnswerer
from edge.networks import NO_ADDRESS, address_of_text, networks_of, text_of_address
from tests.fastpath import site

TRUSTED = networks_of(["10.0.0.0/9", "2001:db8::/33", "192.0.2.7", "::1"])
_ODD = """
10.1.2.3 10.127.255.255 10.128.0.0 2001:db8::1 2001:db8:8000::1 192.0.2.7 192.0.2.8 ::ffff:10.1.1.1 ::1
1.2.3.4:80 [::1] unknown 01.2.3.4 1.2.3 fe80::1%lo ::ffff:1.2.3.04 1::2::3 :: 0.0.0.0 1:2:3:4:5:6:7:8
1:2:3:4:5:6:1.2.3.4 1:2:3:4:5:6:7:1.2.3.4 12345::1 11111111111111111111111111111111111111111111111111
""".split()  # noqa: SIM905
_addresses = st.one_of(
    st.ip_addresses().map(str), st.sampled_from([*_ODD, "", " ", "\t10.1.1.1 ", '"x"', "10.0.0.1"])
)


class NetworkTests(SynchronousTestCase):
    """Examples."""

    def test_an_address_is_in_a_network_whose_bits_it_has(self) -> None:
        for text, expected in (
            ("10.0.0.0", True), ("10.127.255.255", True), ("10.128.0.0", False), ("9.255.255.255", False),
            ("192.0.2.7", True), ("192.0.2.6", False), ("::ffff:10.0.0.1", True), ("::10.0.0.1", False),
            ("2001:db8:7fff::", True), ("2001:db8:8000::", False), ("::1", True), ("::2", False),
        ):  # fmt: skip
            address = address_of_text(text.encode())
            assert address is not None
            self.assertEqual(TRUSTED.holds(address), expected, text)

    def test_no_ipv4_address_is_in_a_network_of_ipv6(self) -> None:
        """In C, neither: who trusts ::/0 has said nothing of IPv4."""
        both = networks_of(["::/0"])
        for text, expected in (("2001:db8::1", True), ("10.0.0.1", False), ("::ffff:10.0.0.1", False)):
            address = address_of_text(text.encode())
            assert address is not None
            self.assertEqual(both.holds(address), expected, text)

    def test_unix_sockets_have_a_word_of_their_own(self) -> None:
        self.assertFalse(TRUSTED.holds(NO_ADDRESS))
        self.assertFalse(networks_of(["::/0", "0.0.0.0/0"]).holds(NO_ADDRESS))
        self.assertTrue(networks_of(["unix"]).holds(NO_ADDRESS))

    def test_what_is_no_network_is_refused(self) -> None:
        for text in ("10.0.0.0/33", "10.0.0", "example.org", "", "::/129", "tcp"):
            self.assertRaises(ValueError, networks_of, [text])


class TwinTests(SynchronousTestCase):
    """Both answerers over one table, behind a proxy."""

    def setUp(self) -> None:
        segment = site.published()
        self.addCleanup(segment.close)
        told = Settings(trusted=TRUSTED)
        self.native, self.python = NativeAnswerer(segment, 0, told), PythonAnswerer(segment, 1, told)

    def clients(self, peer: str, *lines: str) -> tuple[str, str] | None:
        """Whom both take the request for; None: both let it go."""
        address = address_of_text(peer.encode())
        assert address is not None
        request = site.get(site.EMPTY, *(line.encode("latin-1") for line in lines))
        found = []
        for answerer in (self.native, self.python):
            answerer.receive_from(address, 0)
            found.append(answerer.answer(request, site.DATE))
        self.assertEqual(found[0], found[1], lines)
        if found[0][2] is Next.HAND_OFF:
            return None
        native = bytes(ffi.buffer(self.native._answerer.client, 16))
        return text_of_address(native), text_of_address(self.python._client)

    @given(st.lists(_addresses, max_size=5).map(",".join), st.sampled_from(["10.0.0.1", "8.8.8.8", "::1"]))
    def test_both_take_a_request_for_the_same_visitors(self, listed: str, peer: str) -> None:
        both = self.clients(peer, f"X-Forwarded-For: {listed}")
        if both is not None:
            self.assertEqual(*both)

    def test_the_visitor_is_the_rightmost_that_is_not_trusted(self) -> None:
        line = "X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.2.2.2"
        self.assertEqual(self.clients("10.0.0.1", line), ("203.0.113.9",) * 2)
        self.assertEqual(self.clients("8.8.8.8", line), ("8.8.8.8",) * 2)
        self.assertEqual(self.clients("8.8.8.8", "Forwarded: for=1.1.1.1"), ("8.8.8.8",) * 2)

    def test_what_is_said_otherwise_is_for_twisted(self) -> None:
        for lines in (
            ("Forwarded: for=1.1.1.1",),
            ("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2"),
            ("X-Forwarded-Host: other.example",),
            ("X-Forwarded-For: 1.1.1.1,,10.0.0.2",),
        ):
            self.assertIsNone(self.clients("10.0.0.1", *lines))
        self.assertIsNotNone(self.clients("10.0.0.1", "X-Forwarded-Host: example.org"))
