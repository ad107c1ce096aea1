"""Endpoint strings."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from edge.endpoint import CertificateFiles, ListenSpec, parse_endpoint, quote, systemd_index
from edge.errors import ConfigError

_names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
_ports = st.integers(0, 65535)
_interfaces = st.sampled_from(["", "127.0.0.1", "0.0.0.0", "::1", "2001:db8::7"])
_backlogs = st.integers(1, 2**31 - 1)
_pairs = st.builds(CertificateFiles, _names, _names, st.none())
_triples = st.builds(CertificateFiles, _names, _names, _names)
_certificates = st.builds(tuple, st.lists(_pairs, min_size=1) | st.lists(_triples, min_size=1))
_specs = st.one_of(
    st.builds(ListenSpec, st.just("tcp"), interface=_interfaces, port=_ports, backlog=_backlogs),
    st.builds(
        ListenSpec,
        st.just("tls"),
        interface=_interfaces,
        port=_ports,
        certificates=_certificates,
        backlog=_backlogs,
    ),
    st.builds(
        ListenSpec,
        st.just("unix"),
        path=_names,
        mode=st.none() | st.integers(0, 0o777),
        backlog=_backlogs,
    ),
    st.builds(
        ListenSpec,
        st.just("systemd"),
        domain=st.sampled_from(["INET", "INET6", "UNIX"]),
        index=st.integers(0, 9999),
    ),
    st.builds(
        ListenSpec,
        st.just("systemd"),
        domain=st.just("UNIX"),
        name=_names.filter(lambda name: ":" not in name),
    ),
)


class ParsingTests(SynchronousTestCase):
    """What strings mean."""

    def test_a_port_alone_is_all_of_ipv4(self) -> None:
        self.assertEqual(parse_endpoint("tcp:8080"), ListenSpec("tcp", port=8080))

    def test_tcp4_and_tcp6_say_the_family(self) -> None:
        self.assertEqual(parse_endpoint("tcp4:80").interface, "0.0.0.0")
        self.assertEqual(parse_endpoint("tcp6:80").interface, "::")
        self.assertEqual(parse_endpoint("tcp6:80:interface=localhost").interface, "::1")

    def test_colons_of_an_ipv6_address_are_escaped(self) -> None:
        spec = parse_endpoint(r"tcp:80:interface=\:\:1:backlog=50")
        self.assertEqual((spec.interface, spec.backlog, spec.is_loopback), ("::1", 50, True))

    def test_the_port_may_be_named(self) -> None:
        self.assertEqual(parse_endpoint("tcp:port=80"), parse_endpoint("tcp:80"))

    def test_ssl_is_tls(self) -> None:
        spec = parse_endpoint("ssl:443:privateKey=k.pem:certKey=c.pem:extraCertChain=x.pem")
        self.assertEqual((spec.kind, spec.files), ("tls", ("c.pem", "k.pem", "x.pem")))

    def test_a_tls_listener_may_have_several_certificates(self) -> None:
        spec = parse_endpoint("tls:443:privateKey=1.key:certKey=1.pem:certKey=2.pem:privateKey=2.key")
        self.assertEqual(
            spec.certificates, (CertificateFiles("1.pem", "1.key"), CertificateFiles("2.pem", "2.key"))
        )

    def test_a_unix_socket_has_a_mode_in_octal(self) -> None:
        spec = parse_endpoint("unix:/run/a\\:b.sock:mode=660:lockfile=0")
        self.assertEqual((spec.path, spec.mode), ("/run/a:b.sock", 0o660))

    def test_the_text_is_kept_for_messages_and_does_not_count_in_comparisons(self) -> None:
        self.assertEqual(parse_endpoint("tcp:080").text, "tcp:080")
        self.assertEqual(parse_endpoint("tcp:080"), parse_endpoint("tcp:80"))

    def test_relative_files_start_from_the_given_directory(self) -> None:
        spec = parse_endpoint("tls:443:privateKey=k.pem:certKey=/c.pem").resolved(Path("/etc/edge"))
        self.assertEqual(spec.files, ("/c.pem", "/etc/edge/k.pem"))
        self.assertEqual(parse_endpoint(spec.text), spec)

    @given(_specs)
    def test_what_is_described_is_understood_again(self, spec: ListenSpec) -> None:
        self.assertEqual(parse_endpoint(spec.describe()), spec)

    @given(_names)
    def test_twisted_understands_our_escapes(self, path: str) -> None:
        reactor = MemoryReactor()
        serverFromString(reactor, f"unix:{quote(path)}").listen(Factory())
        self.assertEqual(reactor.unixServers[0][0], path)

    @given(st.text(alphabet="tcpls6unix:=\\/80[]., ", max_size=30))
    def test_any_text_is_understood_or_refused_with_its_own_words(self, text: str) -> None:
        try:
            parse_endpoint(text)
        except ConfigError as error:
            self.assertTrue(str(error).startswith(text))


class RefusalTests(SynchronousTestCase):
    """Every refusal names the string and the way out."""

    def refused(self, text: str, remedy: str) -> None:
        message = str(self.assertRaises(ConfigError, parse_endpoint, text))
        self.assertTrue(message.startswith(f"{text}: "), message)
        self.assertIn(remedy, message)

    def test_an_unknown_kind(self) -> None:
        self.refused("tpc:80", "did you mean tcp?")
        self.refused("", "write for example tcp:8080")

    def test_a_port_without_a_kind(self) -> None:
        self.refused("8080", "write tcp:8080")

    def test_wrong_ports(self) -> None:
        for text in ("tcp", "tcp:", "tcp:http", "tcp:-1", "tcp:65536", "tcp:8\u0660", "tcp:" + "1" * 5000):
            self.refused(text, "no port from 0 to 65535; write for example tcp:8080")

    def test_an_interface_that_is_no_address(self) -> None:
        self.refused("tcp:80:interface=eth0", "write for example interface=127.0.0.1")

    def test_an_ipv6_address_without_escapes(self) -> None:
        self.refused("tcp:80:interface=::1", r"an IPv6 address needs \:")

    def test_an_address_of_the_other_family(self) -> None:
        self.refused("tcp4:80:interface=\\:\\:1", "write tcp6 or tcp")

    def test_an_unknown_argument(self) -> None:
        self.refused("tcp:80:interfaces=127.0.0.1", "did you mean interface?")
        self.refused("tcp:80:colour=red", "tcp has port, interface, backlog")

    def test_an_argument_given_twice(self) -> None:
        self.refused("tcp:80:port=81", "port is given twice; remove one")

    def test_tls_without_its_files(self) -> None:
        self.refused("tls:443:certKey=c.pem", "privateKey is missing; write for example tls:443:privateKey=")
        self.refused("tls:443:privateKey=k.pem:certKey=", "certKey is missing")

    def test_a_unix_socket_without_or_with_too_long_a_path(self) -> None:
        self.refused("unix:", "a path is missing")
        self.refused("unix:/" + "x" * 107, "has 108 bytes, at most 107")

    def test_a_mode_that_is_not_octal(self) -> None:
        for mode in ("", "rw", "888", "1777", "0o660"):
            self.refused(f"unix:/s:mode={mode}", "write for example mode=660")

    def test_an_owner_or_a_group_that_no_machine_has(self) -> None:
        for who in ("", "a b", "4294967296", "9" * 30):
            self.refused(f"unix:/s:owner={who}", "write for example owner=www-data")
            self.refused(f"unix:/s:group={who}", "write for example group=www-data")

    def test_a_file_of_a_certificate_whose_name_no_file_has(self) -> None:
        self.refused("tls:443:privateKey=k\0:certKey=c.pem", "privateKey is missing")

    def test_wrong_backlogs(self) -> None:
        for backlog in ("", "0", "many", "-1", "1" * 5000):
            self.refused(f"tcp:80:backlog={backlog}", "write for example backlog=")

    def test_systemd_needs_a_domain_and_one_way_to_choose(self) -> None:
        self.refused("systemd:domain=TCP:index=0", "not INET, INET6 or UNIX")
        self.refused("systemd:domain=INET", "either index= or name=")
        self.refused("systemd:domain=INET:index=0:name=web", "either index= or name=")
        self.refused("systemd:domain=INET:index=first", "no number from 0")
        self.refused("systemd:domain=INET:name=", "FileDescriptorName=")

    def test_a_backslash_at_the_end(self) -> None:
        self.refused("unix:/s\\", "write \\\\ for a backslash")


class SystemdTests(SynchronousTestCase):
    """Which of the sockets that systemd passed is meant."""

    def test_by_number(self) -> None:
        self.assertEqual(systemd_index(parse_endpoint("systemd:domain=INET:index=2"), {}), 2)

    def test_by_name(self) -> None:
        spec = parse_endpoint("systemd:domain=INET:name=web")
        self.assertEqual(systemd_index(spec, {"LISTEN_FDNAMES": "admin:web"}), 1)

    def test_a_name_that_was_not_passed(self) -> None:
        spec = parse_endpoint("systemd:domain=INET:name=web")
        error = self.assertRaises(ConfigError, systemd_index, spec, {"LISTEN_FDNAMES": "admin"})
        self.assertIn("no socket named web (but admin)", str(error))
