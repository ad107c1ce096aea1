"""What bodies are, by their first bytes, and whether that is what the crawl found."""

from __future__ import annotations

from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.client import content_checking
from loadgen.run.client.content_checking import COMPRESSED, DAMAGED, HTML, ContentChecker, form_of
from loadgen.run.client.content_coding import decoded
from loadgen.wire import interface
from tests.loadgen.run.client.test_content_coding import coded

PAGE = b"\xef\xbb\xbf\n<!DOCTYPE html><h1>404</h1>"
LOST = "something compressed, and no Content-Encoding says so"
INSTEAD = "a page of HTML instead of what a page uses"


class Crawled(NamedTuple):
    """A resource."""

    kind: str
    form: str = ""


class ContentTests(SynchronousTestCase):
    """Each body of its own."""

    def test_forms(self) -> None:
        for form, texts in {
            HTML: (PAGE, b"<!doctype html>", b"  <HTML lang=en>"),
            COMPRESSED: (coded(b"x")["gzip"], coded(b"x")["zstd"]),
            "": (b"", b"h1 { }", b"<svg>", b"<?xml", b"{}", b"\x1f\x8b\7"),
        }.items():
            for text in texts:
                self.assertEqual(form_of(text), form, text)

    def test_a_form_that_nothing_can_be_made_of_is_told_unless_the_crawl_found_it(self) -> None:
        packed = coded(PAGE)["gzip"]
        for body, coding, resource, said in (
            (PAGE, "", Crawled("style"), INSTEAD),
            (packed, "gzip", Crawled("script"), INSTEAD),
            (PAGE, "", Crawled("script", HTML), ""),
            (PAGE, "", Crawled("document"), ""),
            (packed, "gzip", Crawled("document", HTML), ""),
            (packed, "", Crawled("document", HTML), LOST),
            (packed, "", Crawled("style"), LOST),
            (packed, "", Crawled("document", COMPRESSED), ""),
            (packed, "br", Crawled("document", HTML), DAMAGED),
            (packed, "other", Crawled("style"), ""),
        ):
            number = interface.CODINGS.index(coding)
            found = ContentChecker().problem(1, number, body, resource)
            self.assertEqual(found, said, (coding, resource))

    def test_the_same_bytes_under_another_coding_are_looked_at_again(self) -> None:
        checker, body = ContentChecker(), coded(PAGE)["gzip"]
        self.assertEqual(checker.form(1, interface.CODINGS.index("gzip"), body), HTML)
        self.assertIsNone(checker.form(1, interface.CODINGS.index("zstd"), body))
        self.assertEqual(checker.form(1, 0, body), COMPRESSED)


class ManyTests(SynchronousTestCase):
    """What is remembered."""

    def test_damaged_ones_are_told_each_time_and_whole_ones_decoded_once(self) -> None:
        made: list[bytes] = []

        def record(body: bytes, coding: str, most: int) -> bytes | None:
            made.append(body)
            return decoded(body, coding, most)

        self.patch(content_checking, "decoded", record)
        checker, whole = ContentChecker(), coded(PAGE)
        for name, body in whole.items():
            number = interface.CODINGS.index(name)
            for _ in range(3):
                self.assertEqual(checker.form(name, number, body), HTML)
                self.assertIsNone(checker.form(name + "!", number, memoryview(body)[:-5]))
        self.assertEqual(len(made), len(whole) * 4)

    def test_of_very_many_different_ones_a_part_is_decoded(self) -> None:
        checker = ContentChecker()
        found = [checker.form(number, 1, b"garbage") for number in range(2600)]
        self.assertEqual(found.count(None), 1000 + 100)
