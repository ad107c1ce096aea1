"""Which variant a request gets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.negotiation import choose_variant
from edge.resource import Coding, Media, variant_number

IDENTITY, GZIP, BR, ZSTD = (variant_number(Media.ORIGINAL, coding) for coding in Coding)
WEBP, AVIF = (variant_number(media, Coding.IDENTITY) for media in (Media.WEBP, Media.AVIF))
ALL_CODINGS = 1 << IDENTITY | 1 << GZIP | 1 << BR | 1 << ZSTD
NO_BR = 1 << IDENTITY | 1 << GZIP
IMAGES = 1 << IDENTITY | 1 << WEBP | 1 << AVIF


class CodingTests(SynchronousTestCase):
    def test_with_all_codings_published(self) -> None:
        for value, expected in (
            (None, IDENTITY),
            (b"", IDENTITY),
            (b"gzip, deflate, br, zstd", BR),
            (b"gzip, deflate", GZIP),
            (b"GZip", GZIP),
            (b"x-gzip", GZIP),
            (b"BR", BR),
            (b"deflate", IDENTITY),
            (b"identity", IDENTITY),
            (b"*", BR),
            (b"*;q=0", IDENTITY),
            (b"*;q=0, gzip", GZIP),
            (b"gzip, deflate, zstd", ZSTD),
            (b"ZSTD", ZSTD),
            (b"zstd;q=0.9, br;q=0.8", ZSTD),
            (b"zstd;q=0.9, gzip", GZIP),
            (b"br;q=0, *", ZSTD),
            (b"br;q=0, zstd;q=0, *", GZIP),
            (b"br;q=0, gzip;q=0, zstd;q=0, *", IDENTITY),
            (b"br;q=0.5, gzip", GZIP),
            (b"br;q=0.5, gzip;q=0.5", BR),
            (b"br;q=0.001, gzip;q=0", BR),
            (b"br;q=0", IDENTITY),
            (b"br;q=0.000", IDENTITY),
            (b"gzip;q=0.3, identity;q=0.5", IDENTITY),
            (b"gzip;q=0.3, identity;q=0.3", GZIP),
            (b"identity;q=0", IDENTITY),
            (b"identity;q=0, gzip;q=0.001", GZIP),
            (b"*;q=0.5, gzip;q=0.3", BR),
            (b"br ; Q=0.2 ,\tgzip\t;\tq=0.4", GZIP),
            (b"gzip;q=0, gzip", GZIP),
            (b",, gzip ,,", GZIP),
        ):
            self.assertEqual(choose_variant(ALL_CODINGS, None, value), expected, value)

    def test_a_wildcard_weighs_identity_too(self) -> None:
        self.assertEqual(choose_variant(NO_BR, None, b"*;q=0.5, gzip;q=0.3"), IDENTITY)
        self.assertEqual(choose_variant(NO_BR, None, b"*;q=0.5, gzip;q=0.5"), GZIP)

    def test_what_is_not_published_is_not_chosen(self) -> None:
        self.assertEqual(choose_variant(NO_BR, None, b"br, gzip;q=0.1"), GZIP)
        self.assertEqual(choose_variant(NO_BR, None, b"br"), IDENTITY)
        self.assertEqual(choose_variant(1, None, b"br, gzip, identity;q=0"), IDENTITY)

    def test_a_malformed_member_is_ignored_alone(self) -> None:
        for member in (
            *(
                b"br;q=2",
                b"br;q=1.001",
                b"br;q=0.1234",
                b"br;q=",
                b"br;q",
                b"br;q=.5",
                b"br;q=-1",
                b"br;a=b",
                b"br;q=1;a",
            ),
            *(b"b r", b'"br"', b"br;", b";q=1", b"br/1", b"br;q=1e0", b"br; q =1", b'br;q="1"'),
        ):
            self.assertEqual(choose_variant(ALL_CODINGS, None, member + b", gzip;q=0.1"), GZIP, member)


class MediaTests(SynchronousTestCase):
    def test_images(self) -> None:
        for accept, expected in (
            (None, IDENTITY),
            (b"", IDENTITY),
            (b"*/*", IDENTITY),
            (b"image/*", IDENTITY),
            (b"image/avif,image/webp,image/apng,*/*;q=0.8", AVIF),
            (b"image/webp,*/*", WEBP),
            (b"IMAGE/AVIF", AVIF),
            (b"image/avif;q=0", IDENTITY),
            (b"image/avif;q=0, image/webp", WEBP),
            (b"image/avif;q=0.5, image/webp", WEBP),
            (b"image/avif;q=0.5, image/webp;q=0.5", AVIF),
            (b"image/avif;q=0.5, image/jpeg", AVIF),
            (b"image/avifx, ximage/webp", IDENTITY),
            (b"image/avif;q=nonsense, image/webp;q=0.1", WEBP),
            (b"image/avif;v=1, image/webp;q=0.1", WEBP),
            (b'text/a;b=",image/avif,"', IDENTITY),
            (b'text/a;b="\\",image/avif,", image/webp', WEBP),
        ):
            self.assertEqual(choose_variant(IMAGES, accept, None), expected, accept)

    def test_what_is_not_published_is_not_chosen(self) -> None:
        self.assertEqual(
            choose_variant(1 << IDENTITY | 1 << WEBP, b"image/avif, image/webp;q=0.1", None), WEBP
        )
        self.assertEqual(choose_variant(ALL_CODINGS, b"image/avif", b"br"), BR)

    def test_the_coding_is_chosen_among_those_of_the_media_variant(self) -> None:
        self.assertEqual(choose_variant(IMAGES | 1 << GZIP, b"image/avif", b"gzip"), AVIF)
        self.assertEqual(choose_variant(IMAGES | 1 << AVIF + 1, b"image/avif", b"gzip, br"), AVIF + 1)


class PropertyTests(SynchronousTestCase):
    @given(
        st.integers(0, 15),
        st.integers(0, 3),
        st.none() | st.lists(st.sampled_from([*b'image/avifwebp*,;q=01.5" \\'])).map(bytes),
        st.none() | st.lists(st.sampled_from([*b'brgzstdipenty*,;q=01.5" \\'])).map(bytes),
    )
    def test_the_choice_is_always_one_of_the_published(
        self, codings: int, media: int, accept: bytes | None, accept_encoding: bytes | None
    ) -> None:
        mask = 1 | codings | (media & 1) << 4 | (media >> 1) << 8
        self.assertTrue(mask >> choose_variant(mask, accept, accept_encoding) & 1)
