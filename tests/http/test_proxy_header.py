"""The header of the PROXY protocol: examples of both versions, every split, hostile ones."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.proxy_header import MOST_BYTES, SIGNATURE, NoProxyHeader, Proxied, read
from edge.networks import packed

FOUR, SIX = packed(IPv4Address("192.0.2.1")), packed(IPv6Address("2001:db8::1"))


def version_2(command: int, family: int, body: bytes, length: int | None = None) -> bytes:
    """A header with these bytes."""
    size = len(body) if length is None else length
    return SIGNATURE + bytes((command, family)) + size.to_bytes(2, "big") + body


_FOUR = FOUR[12:] + b"\xc6\x33\x64\x01" + b"\xdc\x04\x01\xbb"
_SIX = SIX + SIX + b"\xdc\x04\x01\xbb"
#: Headers and the client that they name.
HEADERS = (
    (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", FOUR),
    (b"PROXY TCP4 192.0.2.1 192.0.2.1 0 65535\r\n", FOUR),
    (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", SIX),
    (b"PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::ffff:192.0.2.1 1 2\r\n", SIX),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 what ever\r\n", None),
    (version_2(0x21, 0x11, _FOUR), FOUR),
    (version_2(0x21, 0x12, _FOUR), FOUR),
    (version_2(0x21, 0x21, _SIX), SIX),
    (version_2(0x21, 0x11, _FOUR + b"\x04\x00\x03abc" * 100), FOUR),
    (version_2(0x21, 0x31, bytes(216)), None),
    (version_2(0x21, 0x00, b""), None),
    (version_2(0x21, 0x00, b"x" * 100), None),
    (version_2(0x20, 0x00, b""), None),
    (version_2(0x20, 0x11, _FOUR), None),
    (version_2(0x20, 0xFF, b""), None),
)
#: What is none.
REFUSED = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"proxy TCP4 192.0.2.1 192.0.2.1 1 2\r\n",
    b"PROXY  TCP4 192.0.2.1 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.1 1\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.1 1 2 3\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.1 1 65536\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.1 01 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.1 -1 2\r\n",
    b"PROXY TCP4 192.0.2.256 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 192.0.02.1 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 192.0.2 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.1 192.0.2.1 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    b"PROXY TCP6 :::1 ::1 1 2\r\n",
    b"PROXY UDP4 192.0.2.1 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.1 1 2\n",
    b"PROXY UNKNOWN\n",
    b"PROXY UNKNOWNx\r\n",
    b"PROXY " + b"x" * 200,
    version_2(0x22, 0x11, _FOUR),
    version_2(0x11, 0x11, _FOUR),
    version_2(0x21, 0x11, _FOUR[:11]),
    version_2(0x21, 0x21, _SIX[:35]),
    version_2(0x21, 0x31, bytes(215)),
    version_2(0x21, 0x41, bytes(300)),
    version_2(0x21, 0x13, _FOUR),
    version_2(0x21, 0x11, _FOUR, MOST_BYTES + 1),
    version_2(0x21, 0x11, _FOUR, 65535),
    SIGNATURE + b"\x31",
    SIGNATURE[:-1] + b"x",
)


class HeaderTests(SynchronousTestCase):
    """Examples."""

    def test_headers_name_the_client_and_their_length_whatever_follows_and_however_they_are_cut(self) -> None:
        for header, client in HEADERS:
            for rest in (b"", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", header, b"\n"):
                self.assertEqual(read(header + rest), Proxied(len(header), client), header)
            for cut in range(len(header)):
                self.assertIsNone(read(header[:cut]), header[:cut])

    def test_others_are_refused(self) -> None:
        for data in REFUSED:
            self.assertRaises(NoProxyHeader, read, data)

    def test_nobody_is_waited_for_longer_than_a_header_can_be(self) -> None:
        self.assertIsNone(read(b"PROXY " + b"x" * 100))
        self.assertRaises(NoProxyHeader, read, b"PROXY " + b"x" * 101)
        self.assertIsNone(read(version_2(0x21, 0x11, _FOUR, MOST_BYTES)))

    @given(
        st.binary(max_size=300),
        st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]),
    )
    def test_random_bytes_are_none_or_have_a_length_within_them(self, data: bytes, start: bytes) -> None:
        try:
            found = read(start + data)
        except NoProxyHeader:
            return
        if found is not None:
            self.assertLessEqual(found.length, len(start + data))
            self.assertEqual(read((start + data)[: found.length]), found)
            self.assertIn(None if found.client is None else len(found.client), (None, 16))
