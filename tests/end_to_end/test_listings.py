"""Listings, types and raw characters, as clients of a real node see them."""

from __future__ import annotations

from collections.abc import Callable

import zstandard
from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.node import RunningNode, shared

SCRIPT = b"document.title = 'it has run'\n" * 20


class ListingTests(SynchronousTestCase):
    @staticmethod
    def make() -> RunningNode:
        """A node for all tests."""
        node = RunningNode("--listing", "/pub/**", "--types", ".foo=text/x-foo", workers=1)
        for name, body in {
            "pub/a.txt": b"a\n" * 300,
            "pub/sub/b.txt": b"b\n",
            "lib/unknown": SCRIPT,
            "a.foo": b"foo\n",
            "100%.html": b"percent\n",
            "a|b[c].html": b"brackets\n",
        }.items():
            node.write(name, body)
        return node

    def setUp(self) -> None:
        self.node = shared(self.make)

    def test_a_listing_is_confirmed_and_follows_the_folder(self) -> None:
        status, fields, body = self.node.ask("/pub/", {"Accept-Encoding": "zstd"})
        self.assertEqual((status, fields["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(fields["Content-Encoding"], "zstd")
        text = zstandard.ZstdDecompressor().decompress(body)
        self.assertIn(b'<a href="./a.txt">', text)
        self.assertIn(b'<a href="./sub/">', text)
        ask = {"Accept-Encoding": "zstd", "If-None-Match": fields["ETag"]}
        self.assertEqual(self.node.ask("/pub/", ask)[0], 304)
        self.assertEqual(self.node.ask("/pub/.newest")[0], 200)
        self.assertEqual(self.node.ask("/pub")[1]["Location"], "/pub/")
        self.assertEqual(self.node.ask("/lib/")[0], 404)
        self.node.write("pub/new.txt", b"new\n")
        self.follows(lambda body: b"new.txt" in body)
        self.node.write("pub/index.html", b"index\n")
        self.follows(lambda body: body == b"index\n")
        self.node.wait_for(
            lambda: self.node.ask("/pub/.newest")[0] == 404, "other orders go with the listing"
        )
        (self.node.site / "pub/index.html").unlink()
        self.follows(lambda body: b"new.txt" in body)

    def test_a_script_of_an_unknown_type_may_run(self) -> None:
        """Browsers refuse it only where the answer says nosniff."""
        _, fields, body = self.node.ask("/lib/unknown")
        self.assertEqual((fields["Content-Type"], body), ("application/octet-stream", SCRIPT))
        self.assertNotIn("X-Content-Type-Options", fields)
        _, fields, _ = self.node.ask("/a.foo")
        self.assertEqual(fields["Content-Type"], "text/x-foo; charset=utf-8")
        self.assertEqual(fields["X-Content-Type-Options"], "nosniff")

    def test_names_that_browsers_do_not_encode_are_found(self) -> None:
        for target in (
            "/100%.html",
            "/100%25.html",
            "/a|b[c].html",
            "/a%7Cb%5Bc%5D.html",
            "/100%.html?x[]=|%",
        ):
            self.assertEqual(self.node.ask(target)[0], 200, target)

    def follows(self, condition: Callable[[bytes], bool]) -> None:
        """Wait until *condition* is true of /pub/, which is there all the time."""

        def is_so() -> bool:
            status, _, body = self.node.ask("/pub/")
            self.assertEqual(status, 200)
            return condition(body)

        self.node.wait_for(is_so, "the folder follows")
