"""What is made of texts is remembered within bounds, whatever strangers send."""

from __future__ import annotations

import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from edge.access.rules import AccessRule, Rules
from edge.cache.keys import KeyMaker
from edge.fastpath.recognise import fields_of
from edge.http.negotiation import choose_variant
from edge.remembered import LONGEST, remembered


class RememberedTests(SynchronousTestCase):
    """:func:`edge.remembered.remembered`, and who uses it for what strangers send."""

    def test_what_comes_again_is_made_once_if_it_is_short(self) -> None:
        made: list[bytes] = []

        @remembered(2)
        def upper(text: bytes, more: int = 0) -> bytes:
            made.append(text)
            return text.upper() + b"%d" % more

        longest, longer = b"a" * LONGEST, b"a" * (LONGEST + 1)
        for text in (b"x", longest, longer):
            self.assertEqual(upper(text, more=1), upper(text, more=1))
        self.assertEqual(made, [b"x", longest, longer, longer])
        self.assertEqual((upper(b"y"), upper(b"z"), upper(b"x", more=1)), (b"Y0", b"Z0", b"X1"))
        self.assertEqual(made[4:], [b"y", b"z", b"x"])

    def test_ever_new_texts_of_eight_kibibytes_fill_no_memory(self) -> None:
        rules = Rules(access=[AccessRule("/admin/**", ("10.0.0.0/8",))])
        keys = KeyMaker((), [(b"x-a", [b"1"])])
        longs = [b"%04d" % number + b"a" * 8000 for number in range(300)]
        self.assertEqual(rules.holding(b"/admin/x").networks is None, False)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for text in longs:
            rules.holding(b"/" + bytes(text))
            choose_variant(0x33, b"text/" + text, b"x, " + text)
            keys.key(b"/", None, {b"x-a": b"1" + text})
            fields_of(b"Host: a\r\nA: " + text + b"\r\n")
        grown, _ = tracemalloc.get_traced_memory()
        self.assertLess(grown, 400_000)
