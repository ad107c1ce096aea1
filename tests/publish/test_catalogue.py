from __future__ import annotations

from hashlib import sha256

from twisted.trial.unittest import SynchronousTestCase

from edge.publish.building import build
from edge.publish.catalogue import Catalogue, PublishedFile, Statistics, is_same
from edge.publish.store import Coded
from edge.publish.types import content_type, media_type
from edge.resource import Coding, Resource


def page(path: bytes, body: bytes = b"", modified: int = 1, coded: bytes | None = None) -> Resource:
    """A resource as publishing makes it."""
    codings = {Coding.IDENTITY: Coded(sha256(body).digest(), len(body), body)}
    if coded is not None:
        codings[Coding.BR] = Coded(sha256(coded).digest(), len(coded), None)
    type_ = media_type(path.rpartition(b"/")[2].decode())
    return build(path, content_type(type_, True), b"no-cache", modified, codings, {})[0]


class SameTests(SynchronousTestCase):
    """Whether a resource has to be put again."""

    def test_what_is_the_same_needs_no_step(self) -> None:
        self.assertTrue(
            is_same(page(b"/a.html", b"x", coded=b"y"), page(b"/a.html", b"x", coded=b"y")),
        )

    def test_a_new_time_body_or_variant_is_a_step(self) -> None:
        old = page(b"/a.html", b"x")
        for other in (
            page(b"/a.html", b"x", modified=2),
            page(b"/a.html", b"y"),
            page(b"/a.html", b"x", coded=b"z"),
        ):
            self.assertFalse(is_same(old, other))


class Catalogues(SynchronousTestCase):
    def test_a_catalogue_maps_paths_to_resources(self) -> None:
        index = build(
            b"/d/index.html", b"text/html", b"no-cache", 1, {Coding.IDENTITY: Coded(b"d" * 32, 3, b"abc")}, {}
        )
        large = page(b"/a.js", b"body", coded=b"cd")
        catalogue = Catalogue(
            {
                "d/index.html": PublishedFile((), True, index, ()),
                "a.js": PublishedFile((), True, (large,), ()),
            }
        )
        self.assertEqual(set(catalogue), {b"/d/index.html", b"/d/", b"/a.js"})
        self.assertIs(catalogue[b"/a.js"], large)
        self.assertRaises(KeyError, catalogue.__getitem__, b"/d")
        self.assertEqual(catalogue.statistics(), Statistics(resources=3, representations=4, bytes=12))
        self.assertEqual(catalogue.blobs(), {large.representations[1].etag})
        self.assertEqual(len(Catalogue()), 0)
