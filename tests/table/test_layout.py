"""The drawing of the bytes: in Python, in C, and in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.cache.record import HEAD_BYTES, AnswerRecord
from edge.resource import Coding, Media, variant_number
from edge.table import counters, layout

ROOT = Path(layout.__file__).parents[2]
HEADER = (ROOT / "edge/fastpath/src/edge_layout.h").read_text()


class LayoutTests(SynchronousTestCase):
    """Python and C agree, to the byte."""

    def test_numbers_are_the_same_in_c(self) -> None:
        """Every constant that both name."""
        for name in (
            "LAYOUT_VERSION",
            "HEADER_BYTES",
            "WORKER_BLOCK",
            "GRANULE",
            "MAX_PROBES",
            "OFFSET_COUNTERS",
            "ORIGIN_COUNT",
            "LENGTH_BITS",
            "COUNTER_COUNT",
            "OFFSET_HITS",
            "OFFSET_ANSWERS_LEASE",
            "OFFSET_DOUBTS",
            "APPLICATION_COUNT",
            "TICKS_PER_SECOND",
        ):
            found = re.search(rf"#define EDGE_{name} (\d+)\b", HEADER)
            assert found is not None, name
            self.assertEqual(int(found[1]), getattr(layout, name, getattr(counters, name, None)))

    def test_counters_are_numbered_alike(self) -> None:
        """In the same order, from zero."""
        names = re.findall(r"EDGE_C_([A-Z0-9_]+)", HEADER)
        self.assertEqual(names, [name.upper() for name in counters.COUNTERS[: len(names)]])

    def test_what_is_written_by_one_store_has_the_same_bytes(self) -> None:
        for whole, parts in ((layout.WHOLE_U32, layout.U32), (layout.WHOLE_U64, layout.U64)):
            self.assertEqual(whole.pack(0x01020304), parts.pack(0x01020304))

    def test_what_is_told_of_a_worker_that_is_gone_is_not_how_things_are(self) -> None:
        """The supervisor sets back what says how things are now: all of it."""
        text = Path(counters.__file__).read_text()
        said = re.findall(r'"(\w+)",  # gauge', text)
        self.assertEqual(sorted(counters.GAUGES), sorted(said))

    def test_variants_are_numbered_alike(self) -> None:
        """Codings and media, from zero, and how a variant is made of them."""
        header = (ROOT / "edge/fastpath/src/edge_variant.h").read_text()
        codings, media = re.findall(
            r"^enum \{ (.*), EDGE_CODINGS \};\nenum \{ (.*) \};", header, re.MULTILINE
        )[0]
        self.assertEqual(codings.split(", "), [f"EDGE_{one.name}" for one in Coding])
        self.assertEqual(media.split(", "), [f"EDGE_{one.name}" for one in Media])
        self.assertEqual(len(Coding), 4)
        self.assertEqual(variant_number(Media.WEBP, Coding.IDENTITY), 4)

    def test_states_are_numbered_alike(self) -> None:
        """Empty, live, deleted, template, answer, other, redirect; and the flags of answers."""
        names = re.findall(r"EDGE_(SLOT_[A-Z]+)\b", HEADER.split("enum")[1].split(";")[0])
        self.assertEqual([getattr(layout, name) for name in names], [0, 1, 2, 3, 4, 5, 6])
        flags = re.findall(r"#define EDGE_(OWN_[A-Z]+) 0x([0-9A-Fa-f]+)u", HEADER)
        self.assertEqual(
            {name: int(value, 16) for name, value in flags},
            {
                "OWN_ETAG": layout.OWN_ETAG,
                "OWN_CORS": layout.OWN_CORS,
            },
        )

    def test_ticks_are_the_same_in_c_and_know_what_came_first(self) -> None:
        """Also when they have run over."""
        self.assertIn("monotonic_ms * 2 / 125) + 0x80000000u", HEADER)
        self.assertEqual(layout.ticks_of(0), 2**31)
        self.assertEqual(layout.ticks_of(10_000) - layout.ticks_of(9_000), layout.TICKS_PER_SECOND)
        for earlier, later, ticks in (
            (5, 7, 2),
            (7, 5, -2),
            (2**32 - 1, 1, 2),
            (1, 2**32 - 1, -2),
            (3, 3, 0),
        ):
            self.assertEqual(layout.ticks_between(earlier, later), ticks)

    def test_the_record_of_an_answer_begins_as_c_reads_it(self) -> None:
        """With its date, in no fewer bytes than C asks for."""
        found = re.search(r"#define EDGE_RECORD_BYTES (\d+)", HEADER)
        assert found is not None
        self.assertEqual(int(found[1]), HEAD_BYTES)
        self.assertEqual(AnswerRecord(b"/", 200, 0x01020304).pack()[:4], bytes((4, 3, 2, 1)))

    def test_the_documentation_has_the_version_and_the_sizes(self) -> None:
        """Whatever stands in brackets in its table of the header."""
        text = (ROOT / "docs/reference/table.md").read_text()
        for about, value in (
            ("layout version", layout.LAYOUT_VERSION),
            ("header bytes", layout.HEADER_BYTES),
            ("bytes of one without its hits", layout.WORKER_BLOCK),
        ):
            self.assertIn(f"{about} ({value})", text)

    def test_the_worked_example_of_the_documentation_is_right(self) -> None:
        """The 64 bytes in docs/reference/table.md are what the format packs."""
        text = (ROOT / "docs/reference/table.md").read_text().split("**Worked example.**")[1]
        lines = [re.split(r"  +[a-zA-Z]", line)[0] for line in text.split("```")[1].strip().splitlines()]
        example = bytes.fromhex("".join(lines).replace("xx", "00").replace(" ", ""))
        packed = layout.SLOT.pack(
            2,
            layout.SLOT_LIVE,
            0,
            1,
            bytes(16),
            b"AAECAwQFBgcICQoL",
            0x200040 // 64,
            0,
            5,
            0x200000 // 64,
            1_700_000_000,
        )
        self.assertEqual(example.hex(" "), packed.hex(" "))
