"""Lines of access logs: each format, each server, and whatever a stranger makes a server write."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.logs.lines import FORMATS
from edge.logs.record import Record
from loadgen.logs.entries import Entry, LineError, parse

AT = 1700000000
COMBINED = (
    b'192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b HTTP/1.1" 200 5 '
    b'"https://x.example/p?q" "Mozilla/5.0"'
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def line(**members: object) -> bytes:
    """A line of JSON like nginx writes it."""
    usual = {"time": AT, "remote_addr": "192.0.2.1", "request": "GET /a HTTP/1.1", "status": "200"}
    return json.dumps(usual | members).encode()


class FormatTests(SynchronousTestCase):
    """Every format that is read."""

    def check(self, data: bytes, **fields: object) -> Entry:
        entry = parse(data)
        found = {name: getattr(entry, name) for name in fields}
        self.assertEqual(found, fields)
        return entry

    def test_combined_and_common_and_what_others_put_around_them(self) -> None:
        usual = {"at": AT, "method": b"GET", "target": b"/a?b", "status": 200, "size": 5}
        one = self.check(COMBINED, **usual, referer=b"/p?q", is_bot=False)
        common = self.check(COMBINED[: COMBINED.index(b' "https')], **usual, referer=b"")
        behind = self.check(COMBINED + b' "203.0.113.9" 0.003', **usual, referer=b"/p?q")
        hosted = self.check(b"www.example.org:443 " + COMBINED, **usual)
        self.assertEqual(one.client, behind.client)
        self.assertEqual(one.client, hosted.client)
        self.assertNotEqual(one.client, common.client)

    def test_time_zones_are_of_one_time(self) -> None:
        for text in (b"14/Nov/2023:23:13:20 +0100", b"14/Nov/2023:16:43:20 -0530"):
            self.check(COMBINED.replace(b"14/Nov/2023:22:13:20 +0000", text), at=AT)
        for text in (
            "2023-11-14T23:13:20+01:00",
            "2023-11-14T22:13:20Z",
            "2023-11-14 22:13:20.000",
            AT * 1000,
        ):
            self.check(line(time=text), at=AT)

    def test_json_of_nginx_caddy_and_traefik(self) -> None:
        self.check(line(request_time="0.5"), at=AT, method=b"GET", target=b"/a", status=200, size=-1)
        uri = {
            "request": None,
            "request_method": "GET",
            "request_uri": "/a?b",
            "time": None,
            "msec": f"{AT}.5",
        }
        self.check(line(**uri, body_bytes_sent="7"), at=AT + 0.5, target=b"/a?b", size=7)
        caddy = {
            "ts": AT + 0.5, "duration": 0.25, "size": 9, "status": 304,
            "request": {
                "remote_ip": "192.0.2.1", "method": "GET", "uri": "/c",
                "headers": {"User-Agent": ["Mozilla"], "Referer": ["http://h/p"], "Cookie": ["k=v"]},
            },
        }  # fmt: skip
        self.check(json.dumps(caddy).encode(), at=AT + 0.25, target=b"/c", status=304, size=9, referer=b"/p")
        traefik = {
            "StartUTC": "2023-11-14T22:13:20.5Z", "ClientHost": "192.0.2.1", "RequestMethod": "GET",
            "RequestPath": "/t", "DownstreamStatus": 200, "DownstreamContentSize": 3, "Duration": 1000,
        }  # fmt: skip
        self.check(json.dumps(traefik).encode(), at=AT + 0.5, target=b"/t", size=3)

    def test_what_our_own_node_writes_in_each_of_its_formats(self) -> None:
        record = Record(
            at=AT * 1_000_000, duration=0, address=bytes(10) + b"\xff\xff\xc0\x00\x02\x01", protocol=11,
            status=200, sent=5, cache="", cut=(), host=b"h", user=b"alice liddell", method=b"GET",
            target=b'/a?"b\xff', referer=b"http://h/p", user_agent=b"Mozilla", tls=b"",
        )  # fmt: skip
        for name, form in FORMATS.items():
            referer = b"" if name == "common" else b"/p"
            self.check(form(record, 0).encode(), at=AT, target=b'/a?"b%FF', status=200, referer=referer)
        cut = record._replace(cut=("target",))
        for form in FORMATS.values():
            with self.assertRaises(LineError) as caught:
                parse(form(cut, 0).encode())
            self.assertIn("cut", str(caught.exception))


class UselessTests(SynchronousTestCase):
    """Lines that are of no use, and why."""

    def test_each_has_its_reason(self) -> None:
        for data, reason in (
            (b"", "empty"),
            (b"hello", "neither"),
            (b"\x16\x03\x01\x02\x00\x01", "neither"),
            (b"{", "no JSON"),
            (b"[" * 100_000, "neither"),
            (b'{"a":' + b"[" * 50_000, "no JSON"),
            (line(time=None), "has no time"),
            (line(time="yesterday"), "time is no time"),
            (line(time=-5), "time is no time"),
            (line(time="9" * 20), "time is no time"),
            (line(status=None), "no status"),
            (line(status="9" * 5000), "no status"),
            (line(remote_addr=None), "no address of a client"),
            (line(request="\x16\x03"), "request is none"),
            (line(request="OPTIONS * HTTP/1.1"), "no address of the site"),
            (line(request="GET /" + "a" * 9000 + " HTTP/1.1"), "longer than"),
            (COMBINED.replace(b"14/Nov", b"31/Feb"), "time is no time"),
            (COMBINED.replace(b"22:13:20", b"22:61:20"), "time is no time"),
            (COMBINED.replace(b" 200 ", b" - "), "no status"),
            (COMBINED.replace(b"GET /a?b HTTP/1.1", b"\\x16\\x03"), "request is none"),
        ):
            with self.assertRaises(LineError) as caught:
                parse(data)
            self.assertIn(reason, str(caught.exception), data[:60])

    @given(
        st.one_of(
            st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))
        )
    )
    @settings(max_examples=150, deadline=None)
    def test_anything_is_an_entry_or_a_reason(self, data: bytes) -> None:
        for one in (data, COMBINED.replace(b"/a?b", data), COMBINED.replace(b"Mozilla", data)):
            try:
                entry = parse(one)
            except LineError:
                continue
            self.assertRegex(entry.target, rb"\A/[\x21-\x7e]*\Z")

    @given(st.dictionaries(
        st.sampled_from(["time", "ts", "peer", "request", "method", "target", "status", "bytes", "duration",
                         "headers", "user_agent", "referer", "truncated"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | FLOATS,
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
            max_leaves=4,
        ),
    ))  # fmt: skip
    @settings(max_examples=150, deadline=None)
    def test_any_members_are_an_entry_or_a_reason(self, members: dict[str, object]) -> None:
        try:
            entry = parse(line(**members))
        except LineError:
            return
        self.assertRegex(entry.target, rb"\A/[\x21-\x7e]*\Z")
        self.assertGreater(entry.at, 0)
