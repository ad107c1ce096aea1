"""Lines of records: what a stranger has sent stays within them, and C and Python make the same bytes."""

from __future__ import annotations

import json
import mmap

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.logs.lines import FORMATS, combined_line, common_line, journal_entry, json_line
from edge.logs.reading import JournalReader, LineReader, NativeLineReader, Reader, reader_of
from edge.logs.record import TEXTS, Record, pack, unpack
from edge.logs.ring import HEADER_BYTES
from edge.networks import NO_ADDRESS, mapped
from tests.logs.records import RECORD, RECORDS, ring_memory, ring_of


def journal_fields(entry: bytes) -> dict[str, bytes]:
    """As journald reads an entry."""
    fields: dict[str, bytes] = {}
    while entry:
        name, _, rest = entry.partition(b"\n")
        length = int.from_bytes(rest[:8], "little")
        assert rest[8 + length : 9 + length] == b"\n"
        fields[name.decode("ascii")] = rest[8 : 8 + length]
        entry = rest[9 + length :]
    return fields


class FormatTests(SynchronousTestCase):
    """Each format, by example."""

    def test_combined_log_format(self) -> None:
        self.assertEqual(
            combined_line(RECORD, 0),
            '192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b HTTP/1.1" 200 5 '
            '"https://example.org/" "curl/8.0"\n',
        )
        bare = RECORD._replace(address=NO_ADDRESS, user=b"a b", referer=b"", user_agent=b"", protocol=0)
        self.assertEqual(
            combined_line(bare, 0),
            '- - a\\x20b [14/Nov/2023:22:13:20 +0000] "GET /a?b" 200 5 "-" "-"\n',
        )

    def test_common_log_format(self) -> None:
        self.assertEqual(
            common_line(RECORD, 0),
            '192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b HTTP/1.1" 200 5\n',
        )

    def test_json_has_every_field(self) -> None:
        self.assertEqual(
            json.loads(json_line(RECORD._replace(user=b"ada", cut=("host", "tls")), 3)),
            {"time": 1_700_000_000.25, "worker": 3, "peer": "192.0.2.1", "host": "example.org", "user": "ada",
             "method": "GET", "target": "/a?b", "protocol": "HTTP/1.1", "status": 200, "bytes": 5,
             "duration": 1.000042, "cache": "hit", "referer": "https://example.org/",
             "user_agent": "curl/8.0",
             "tls": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "truncated": ["host", "tls"]},
        )  # fmt: skip

    def test_what_is_cut_is_marked(self) -> None:
        """By what no other text can end with."""
        (record,) = filter(None, [unpack(pack(RECORD._replace(target=b"/" * 3000, host=b"h" * 3000)))])
        self.assertIn("GET /" + "/" * 2047 + '\\... HTTP/1.1"', combined_line(record, 0))
        self.assertEqual(json.loads(json_line(record, 0))["truncated"], ["target", "host"])
        self.assertEqual(journal_fields(journal_entry(record, 0))["EDGE_TRUNCATED"], b"target host")
        honest = combined_line(RECORD._replace(target=b"/\\..."), 0)
        self.assertIn("GET /\\x5c... HTTP", honest)

    def test_the_journal_has_structured_fields(self) -> None:
        fields = journal_fields(journal_entry(RECORD, 2))
        self.assertEqual(fields["MESSAGE"].decode(), combined_line(RECORD, 2).rstrip("\n"))
        self.assertEqual(
            (fields["EDGE_STATUS"], fields["EDGE_PEER"], fields["EDGE_WORKER"], fields["EDGE_DURATION"]),
            (b"200", b"192.0.2.1", b"2", b"1.000042"),
        )
        self.assertNotIn("EDGE_USER", fields)

    def test_addresses(self) -> None:
        """As RFC 5952 writes them."""
        for packed, text in (
            (bytes(15) + b"\1", "::1"),
            (b"\x20\x01\x0d\xb8" + bytes(11) + b"\1", "2001:db8::1"),
            (b"\x20\x01" + bytes(2) + b"\0\1" * 6, "2001:0:1:1:1:1:1:1"),
            (mapped(b"\x7f\0\0\1"), "127.0.0.1"),
        ):
            for line in both(RECORD._replace(address=packed), "common"):
                self.assertEqual(line.split()[0].decode(), text)


def both(record: Record, log_format: str) -> list[bytes]:
    """The line of *record*, by C and by Python."""
    readers: list[Reader] = [
        reader_of(log_format)(ring_of(record), 1),
        LineReader(ring_of(record), 1, log_format),
    ]
    assert isinstance(readers[0], NativeLineReader)
    return [b"".join(reader.pieces()) for reader in readers]


class HostileTests(SynchronousTestCase):
    """Whatever a stranger sends."""

    @given(RECORDS)
    def test_no_byte_of_a_stranger_leaves_its_place(self, record: Record) -> None:
        """One line, printable ASCII, with as many quotes and words as that of an honest one."""
        for log_format in FORMATS:
            native, python = both(record, log_format)
            self.assertEqual(native, python)
            line = native.decode("ascii")
            self.assertEqual((line[-1], line.count("\n")), ("\n", 1))
            self.assertTrue(line[:-1].isprintable(), line)
            if log_format != "json":
                self.assertEqual(line.count('"'), 6 if log_format == "combined" else 2)
                self.assertEqual(line.split('"')[0].count(" "), 5)

    @given(RECORDS)
    def test_json_gives_back_every_byte(self, record: Record) -> None:
        made = json.loads(both(record, "json")[0])
        for name in ("method", "target", "host", "user", "referer", "user_agent"):
            text = made.get(name, "").encode("latin-1")
            self.assertEqual(text, getattr(record, name)[: TEXTS[name]])

    @given(RECORDS)
    def test_an_entry_of_the_journal_has_our_fields_alone(self, record: Record) -> None:
        """Values are framed by their lengths; the text is printable ASCII all the same."""
        fields = journal_fields(journal_entry(record, 0))
        self.assertLessEqual(len(fields), 17)
        for name, value in fields.items():
            self.assertTrue(name.startswith(("EDGE_", "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER")))
            self.assertTrue(value.decode("ascii").isprintable())

    @given(
        st.lists(RECORDS, max_size=5),
        st.integers(0, 400),
        st.binary(min_size=1, max_size=9),
        st.integers(0, 63),
    )
    def test_a_damaged_ring_makes_whole_lines_and_the_same_ones(
        self, records: list[Record], at: int, noise: bytes, skew: int
    ) -> None:
        """Of a worker that has been taken over: whatever it writes where."""
        memories = []
        for _ in range(2):
            memory = ring_of(*records)
            memory[HEADER_BYTES + at : HEADER_BYTES + at + len(noise)] = noise
            head = int.from_bytes(memory[64:72], "little")
            memory[64:72] = ((head - skew) & (2**64 - 1)).to_bytes(8, "little")
            memories.append(memory)
        for log_format in FORMATS:
            tails = [bytes(memory[128:136]) for memory in memories]
            native, python = reader_of(log_format)(memories[0], 0), LineReader(memories[1], 0, log_format)
            lines = [b"".join(piece for _ in range(9) for piece in one.pieces()) for one in (native, python)]
            self.assertEqual(lines[0], lines[1])
            self.assertEqual(native.ring.damaged, python.ring.damaged)
            self.assertTrue(lines[0].replace(b"\n", b"").decode("ascii").isprintable() or not lines[0])
            for memory, tail in zip(memories, tails, strict=True):
                memory[128:136] = tail

    def test_more_than_there_is_room_for_comes_in_pieces(self) -> None:
        """Each of whole lines; nothing is lost between them."""
        memory = ring_memory(1 << 20)
        for reader in (reader_of("json")(memory, 0), LineReader(memory, 0, "json"), JournalReader(memory, 0)):
            count = 0
            while not reader.ring.dropped:
                reader.ring.write(RECORD._replace(target=b"/%d" % count, referer=b"\xff" * 1000))
                count += 1
            self.assertGreater(count, 600)
            pieces = []
            while made := reader.pieces():
                pieces += made
            self.assertGreater(len(pieces), 2)
            if not isinstance(reader, JournalReader):
                self.assertTrue(all(piece.endswith(b"\n") for piece in pieces))
                targets = [json.loads(line)["target"] for line in b"".join(pieces).splitlines()]
                self.assertEqual(targets, [f"/{number}" for number in range(count - 1)])
            memory[64:88] = memory[128:136] * 0 + bytes(24)
            memory[128:136] = bytes(8)
        self.assertIsInstance(memory, mmap.mmap)
