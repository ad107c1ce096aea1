"""Which site a host belongs to: examples, the C code against them, and random hosts against both."""

from __future__ import annotations

from edge._native import ffi, lib
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.fastpath.native import make_sites
from edge.sites import ALONE, MAX_HOST, Hosts, SiteHosts, entry_name, host_name, split_name
from edge.table.hashing import path_hasher

SITES = (
    SiteHosts(b"", (b"example.org", b"www.example.org"), default=True),
    SiteHosts(b"blog", (b"blog.example.org", b"192.0.2.1", b"[2001:db8::1]")),
    SiteHosts(b"*.example.org", (b"*.example.org",)),
    SiteHosts(b"deep", (b"*.b.example.org", b"c.example.org")),
)
#: Host -> number of the site.
FOUND = {
    b"example.org": 0,
    b"www.example.org": 0,
    b"WWW.eXample.ORG:443": 0,
    b"blog.example.org": 1,
    b"blog.example.org.": 1,
    b"blog.example.org.:80": 1,
    b"192.0.2.1": 1,
    b"192.0.2.1:8080": 1,
    b"[2001:db8::1]": 1,
    b"[2001:DB8::1]:8080": 1,
    b"a.example.org": 2,
    b"a.c.example.org": 2,
    b"b.example.org": 2,
    b"a.b.example.org": 3,
    b"x.y.b.example.org": 3,
    b"c.example.org": 3,
    b"c.example.org:1": 3,
    b"": 0,
    b".": 0,
    b"org": 0,
    b"example.com": 0,
    b"example.org.evil": 0,
    b"evilexample.org": 0,
    b"192.0.2.10": 0,
    b"[2001:db8::2]": 0,
    b"xn--bcher-kva.example": 0,
    b"a" * MAX_HOST + b".example.org": 0,
}
_LABELS = (b"a", b"b", b"c", b"example", b"EXAMPLE", b"org", b"www", b"blog", b"", b"192", b"0", b"2")
_host = st.lists(st.sampled_from(_LABELS), max_size=8).map(b".".join)
_written = st.one_of(
    st.sampled_from(sorted(FOUND)),
    st.tuples(_host, st.sampled_from([b"", b":", b":80", b".", b".:80", b"]"])).map(b"".join),
    st.binary(max_size=300),
)


class HostsTests(SynchronousTestCase):
    """Examples."""

    def test_a_host_is_found_as_requests_write_it(self) -> None:
        hosts = Hosts(SITES)
        self.assertEqual({host: hosts.find(host) for host in FOUND}, FOUND)

    def test_without_a_default_others_are_nobodys(self) -> None:
        hosts = Hosts(SITES[1:])
        for host in (b"", b"example.org", b"org", b"example.com", b"a" * 9999):
            self.assertIsNone(hosts.find(host))
        self.assertEqual(hosts.find(b"a.example.org"), 1)

    def test_one_site_alone_takes_all(self) -> None:
        for host in FOUND:
            self.assertEqual(Hosts(ALONE).find(host), 0)
            self.assertEqual(Hosts().prefix(0), b"")

    def test_names_of_entries_tell_sites_apart_and_come_apart_again(self) -> None:
        for prefix in (b"", b"blog.example.org", b"*.example.org"):
            for path in (b"/", b"/a", b"//a", b"/blog.example.org/a?x"):
                self.assertEqual(split_name(entry_name(prefix, path)), (prefix, path))

    def test_the_nodes_own_resources_are_those_of_all_sites(self) -> None:
        for path in (b"/.edge/changes", b"/.edge/", b"/.edge/status?x"):
            self.assertEqual(entry_name(b"blog", path), path)
        self.assertEqual(entry_name(b"blog", b"/.edge/load"), b"blog/.edge/load")
        self.assertEqual(entry_name(b"blog", b"/.edge"), b"blog/.edge")


class TwinTests(SynchronousTestCase):
    """The C code finds what the Python code finds."""

    def setUp(self) -> None:
        self.kept = [make_sites(sites) for sites in (SITES, SITES[1:])]

    def find(self, which: int, host: bytes) -> int | None:
        room = ffi.new("uint8_t[]", host or b"\0")
        found = lib.edge_sites_find(self.kept[which][0], ffi.new("edge_span *", (room, len(host)))[0])
        return None if found < 0 else int(found)

    def test_examples(self) -> None:
        self.assertEqual({host: self.find(0, host) for host in FOUND}, FOUND)

    @given(_written)
    @example(b"[")
    @example(b"[].")
    @example(b":")
    @example(b"..")
    def test_both_find_the_same(self, host: bytes) -> None:
        for which, sites in enumerate((SITES, SITES[1:])):
            self.assertEqual(self.find(which, host), Hosts(sites).find(host), host)
        self.assertLessEqual(len(host_name(host)), len(host))

    def test_a_thousand_sites(self) -> None:
        sites = [SiteHosts(b"%d" % n, (b"s%d.example" % n, b"*.s%d.example" % n)) for n in range(1000)]
        self.kept, hosts = [make_sites(sites)], Hosts(sites)
        for host in (b"s0.example", b"s999.example", b"x.s500.example", b"s1000.example", b"example"):
            self.assertEqual(self.find(0, host), hosts.find(host), host)

    @given(st.binary(max_size=255), st.binary(min_size=1, max_size=1000))
    @example(b"a" * 255, b"/" * 1)
    @example(b"a" * 128, b"/" * 128)
    @example(b"a", b"/" * 255)
    @example(b"a", b"/" * 256)
    def test_keys_of_names_are_hashed_alike(self, prefix: bytes, path: bytes) -> None:
        state = ffi.new("edge_hash_state *")
        lib.edge_hash_prepare(state, b"k" * 16)
        key = lib.edge_hash_joined(state, prefix, len(prefix), path, len(path))
        hashed = key.low.to_bytes(8, "little") + key.high.to_bytes(8, "little")
        self.assertEqual(hashed, path_hasher(b"k" * 16)(prefix + path))
