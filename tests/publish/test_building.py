from __future__ import annotations

from hashlib import sha256

from twisted.trial.unittest import SynchronousTestCase

from edge.publish.building import build
from edge.publish.store import Coded
from edge.resource import Coding, Media, etag_of


def body(data: bytes) -> Coded:
    return Coded(sha256(data).digest(), len(data), data)


class Building(SynchronousTestCase):
    def test_every_variant_of_a_path_has_the_same_vary_and_cache_control(self) -> None:
        (resource,) = build(
            b"/a.js",
            b"text/javascript; charset=utf-8",
            b"no-cache",
            7.9,
            {Coding.BR: body(b"b"), Coding.IDENTITY: body(b"identity"), Coding.GZIP: body(b"gz")},
            {},
        )
        self.assertEqual(resource.modified, 7)
        self.assertEqual([r.variant for r in resource.representations], [0, 1, 2])
        self.assertEqual({r.lines_304 for r in resource.representations}, {
            b"Cache-Control: no-cache\r\nVary: Accept-Encoding\r\n"
        })  # fmt: skip
        tail = (
            b"Vary: Accept-Encoding\r\nCache-Control: no-cache\r\n"
            b"Edge-Client-Cache-Control: stale-while-revalidate=2592000\r\nAccept-Ranges: bytes\r\n"
            b"X-Content-Type-Options: nosniff\r\n"
        )
        type_ = b"Content-Type: text/javascript; charset=utf-8\r\n"
        self.assertEqual(
            [r.lines_200 for r in resource.representations],
            [
                type_ + tail,
                type_ + b"Content-Encoding: gzip\r\n" + tail,
                type_ + b"Content-Encoding: br\r\n" + tail,
            ],
        )

    def test_an_etag_is_that_of_the_variant_s_own_bytes(self) -> None:
        (resource,) = build(
            b"/a.js", b"text/javascript", b"x", 0, {Coding.IDENTITY: body(b"1"), Coding.BR: body(b"2")}, {}
        )
        for representation, data in zip(resource.representations, (b"1", b"2"), strict=True):
            self.assertEqual(representation.digest, sha256(data).digest())
            self.assertEqual(representation.etag, etag_of(representation.digest))
            self.assertEqual((representation.length, representation.body), (1, data))

    def test_media_variants_have_their_own_types(self) -> None:
        (resource,) = build(
            b"/p.jpg",
            b"image/jpeg",
            b"no-cache",
            0,
            {Coding.IDENTITY: body(b"j")},
            {Media.AVIF: body(b"a"), Media.WEBP: body(b"w")},
        )
        self.assertEqual([r.variant for r in resource.representations], [0, 4, 8])
        self.assertEqual(
            [r.lines_200.splitlines()[:2] for r in resource.representations],
            [[b"Content-Type: image/" + t, b"Vary: Accept"] for t in (b"jpeg", b"webp", b"avif")],
        )

    def test_a_path_without_a_choice_has_no_vary(self) -> None:
        (resource,) = build(b"/p.png", b"image/png", b"no-cache", 0, {Coding.IDENTITY: body(b"p")}, {})
        self.assertNotIn(
            b"Vary", resource.representations[0].lines_200 + resource.representations[0].lines_304
        )

    def test_an_index_file_stands_for_its_directory_too(self) -> None:
        for path, directory in ((b"/index.html", b"/"), (b"/a/index.html", b"/a/")):
            file, folder = build(path, b"text/html", b"no-cache", 0, {Coding.IDENTITY: body(b"p")}, {})
            self.assertEqual((file.path, folder.path), (path, directory))
            self.assertEqual(file.representations, folder.representations)
        self.assertEqual(
            len(build(b"/xindex.html", b"text/html", b"x", 0, {Coding.IDENTITY: body(b"p")}, {})), 1
        )

    def test_times_outside_of_the_table_s_field_are_brought_inside(self) -> None:
        for modified, expected in ((-5.5, 0), (2**33, 2**32 - 1)):
            (resource,) = build(b"/p", b"image/png", b"x", modified, {Coding.IDENTITY: body(b"p")}, {})
            self.assertEqual(resource.modified, expected)
