"""For which hosts a connection may be asked: examples, and the C code against the Python code."""

from __future__ import annotations

from edge._native import ffi, lib
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.certificates import Certificates, Shown
from edge.fastpath.native import make_certificates
from edge.tls.interface import Credential
from edge.trust.listener_certificate import ListenerCertificates
from tests.trust.made import make

_LABELS = st.sampled_from([b"a", b"b", b"example", b"org", b"*"])
_NAMES = st.lists(_LABELS, min_size=1, max_size=4).map(b".".join)
_HOSTS = st.one_of(
    _NAMES,
    st.tuples(_NAMES, st.sampled_from([b".", b":443", b".:1", b"."])).map(b"".join),
    _NAMES.map(bytes.upper),
    st.binary(max_size=300),
)


@st.composite
def _certificates(draw: st.DrawFn) -> Certificates:
    own = draw(st.lists(st.frozensets(_NAMES, max_size=4), min_size=1, max_size=4))
    return Certificates({name: number for number, names in enumerate(own) for name in names}, own)


class TwinTests(SynchronousTestCase):
    """The C code against the Python code."""

    @given(_certificates(), st.integers(0, 3), _HOSTS)
    def test_both_say_the_same(self, certificates: Certificates, number: int, host: bytes) -> None:
        number %= len(certificates.own)
        made, _kept = make_certificates(certificates)
        span = ffi.new("edge_span *", (room := ffi.new("uint8_t[]", host or b"\0"), len(host)))[0]
        self.assertEqual(
            bool(lib.edge_certificates_misdirect(made, number, span)), certificates.misdirects(number, host)
        )
        self.assertEqual(lib.edge_certificates_shown_to(made, span), certificates.shown_to(host))
        del room


class ListenerTests(SynchronousTestCase):
    """What the certificates of a listener are for."""

    def take(self, *names: list[str], kinds: tuple[str, ...] = ("ec", "ec")) -> Certificates:
        listener = ListenerCertificates("modern")
        made = [make(*one, kind=kind) for one, kind in zip(names, kinds, strict=False)]
        listener.take([Credential(one.pem, one.key_pem(), "here") for one in made])
        return listener.certificates

    def test_each_site_has_its_own(self) -> None:
        certificates = self.take(["a.example", "www.a.example"], ["b.example", "*.c.example"])
        for name, host, misdirected in (
            (b"a.example", b"www.a.example", False),
            (b"a.example", b"b.example", True),
            (b"b.example", b"x.c.example", False),
            (b"b.example", b"a.example", True),
            (b"other.example", b"a.example", False),  # it was shown the first
            (b"other.example", b"b.example", True),
            (b"b.example", b"other.example", True),
            (b"a.example", b"other.example", False),
        ):
            shown = certificates.shown_to(name)
            self.assertEqual(certificates.misdirects(shown, host), misdirected, (name, host))

    def test_a_name_in_two_certificates_may_be_asked_for_over_both(self) -> None:
        certificates = self.take(["a.example"], ["b.example", "a.example"])
        self.assertFalse(certificates.misdirects(certificates.shown_to(b"b.example"), b"a.example"))
        self.assertTrue(certificates.misdirects(certificates.shown_to(b"a.example"), b"b.example"))

    def test_of_one_site_every_host_may_be_asked_for(self) -> None:
        certificates = self.take(["a.example"], ["b.example"])
        shown = Shown(certificates, certificates.shown_to(b"a.example"), 3)
        self.assertFalse(shown.misdirects(3, b"b.example"))
        self.assertTrue(shown.misdirects(4, b"b.example"))
        self.assertTrue(shown.misdirects(None, b"b.example"))

    def test_a_connection_shown_one_of_two_kinds_of_keys_is_for_what_both_are_for(self) -> None:
        both = ["*.a.example"], ["www.a.example", "b.example"]
        certificates = self.take(*both, ["c.example"], kinds=("ec", "rsa", "ec"))
        shown = certificates.shown_to(b"www.a.example")
        for host, misdirected in ((b"www.a.example", False), (b"b.example", True), (b"x.a.example", True)):
            self.assertEqual(certificates.misdirects(shown, host), misdirected, host)
        self.assertFalse(certificates.misdirects(certificates.shown_to(b"x.a.example"), b"www.a.example"))
