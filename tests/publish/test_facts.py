from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from hashlib import blake2b, md5, sha1, sha256, sha384, sha512

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.publish.facts import candidates, holds_digest, is_utf8
from edge.publish.rules import IMMUTABLE, NO_CACHE
from tests.publish.site import PROSE, ScanTestCase

BODY = b"console.log(1)\n"
#: Names of files that hold no digest, and their like were once taken to.
OTHERS = (
    "3fa85f64-5717-4562-b3fc-2c963f66afa6.json",  # a UUID
    "507f1f77bcf86cd799439011.json",  # an ObjectId
    "B08N5WRWNW.json",
    "deb12u1amd64.deb",
    "map-z12x2048y1361.png",
    "tile_12x34y56z.png",
    "mp3-128kbps44khz.mp3",
    "report-2024q1v2.pdf",
    "app.3f9c2a1b.js",  # of other contents
)


class FingerprintTests(SynchronousTestCase):
    def test_a_digest_of_the_contents_is_seen(self) -> None:
        hexadecimal = sha256(BODY).hexdigest()
        base64 = urlsafe_b64encode(sha256(BODY).digest()).decode()
        for name in (
            f"app.{hexadecimal[:8]}.js",
            f"app-{hexadecimal[:20]}.css",
            f"app_{hexadecimal.upper()[:12]}.css",
            f"main.{hexadecimal[:8]}.chunk.js",
            f"main.{hexadecimal[:8]}.js.map",
            f"{hexadecimal}.woff2",
            f"my-new-logo-{base64[:9]}.svg",
            f"app-{base64.rstrip('=')}.js",
            f"app.{md5(BODY).hexdigest()[:10]}.js",
            f"app.{sha1(BODY).hexdigest()}.js",
            f"app.{sha384(BODY).hexdigest()}.js",
            f"app.{sha512(BODY).hexdigest()}.js",
            f"app.{blake2b(BODY).hexdigest()[:16]}.js",
        ):
            self.assertTrue(holds_digest(name, [BODY[:4], BODY[4:]]), name)

    def test_nothing_else_is_taken_for_one(self) -> None:
        hexadecimal = sha256(BODY).hexdigest()
        for name in (
            *OTHERS,
            f"app.{hexadecimal[:7]}.js",  # too short
            f"app.{hexadecimal[1:20]}.js",  # not its beginning
            f"app.{hexadecimal}00.js",
            f"{hexadecimal[:16]}",  # no extension
            f"{hexadecimal[:16]}.d.ts.map",
            f"app.{hexadecimal[:8]}1.js",
        ):
            self.assertFalse(holds_digest(name, [BODY]), name)

    def test_words_and_numbers_cost_no_hashing(self) -> None:
        for name in ("index.html", "chapter-contents.js", "20240131.csv", "README", ".htaccess", "a.b", ""):
            self.assertEqual(candidates(name), frozenset(), name)

    @given(st.binary(min_size=1), st.integers(8, 64))
    def test_other_bytes_never_have_the_digest(self, body: bytes, length: int) -> None:
        name = f"a.{sha256(body).hexdigest()[:length]}.js"
        for other in (body + b"x", body[:-1], bytes([body[0] ^ 1]) + body[1:]):
            self.assertFalse(holds_digest(name, [other]))

    @given(st.text())
    def test_any_name_is_judged(self, name: str) -> None:
        holds_digest(name, [BODY])


class TextTests(SynchronousTestCase):
    @given(st.text().filter(lambda text: "\0" not in text), st.integers(1, 5))
    def test_utf_8_is_seen_wherever_it_is_cut(self, text: str, length: int) -> None:
        body = text.encode()
        self.assertTrue(is_utf8(body[at : at + length] for at in range(0, len(body), length)))

    @given(st.binary())
    def test_what_does_not_decode_is_none(self, body: bytes) -> None:
        try:
            is_text = "\0" not in body.decode()
        except UnicodeDecodeError:
            is_text = False
        self.assertEqual(is_utf8([body]), is_text)


class ImmutableTests(ScanTestCase):
    def control(self, name: str, **settings: object) -> bytes:
        """What is said of a file in a scan without a past, and in one of a node that has started again."""
        store = self.store()
        values = {
            line.partition(b": ")[2]
            for catalogue in (self.scan(store, **settings), self.scan(store, **settings))
            for one in catalogue[b"/" + name.encode()].representations
            for line in one.lines_304.splitlines()
            if line.startswith(b"Cache-Control")
        }
        self.assertEqual(len(values), 1)
        return values.pop()

    def test_only_a_digest_that_agrees_with_the_bytes_makes_immutable(self) -> None:
        for length in (50, 9000):  # in memory, and as a blob
            body = (PROSE * 9)[:length]
            name = f"app.{sha256(body).hexdigest()[:10]}.js"
            self.write(name, body)
            self.assertEqual(self.control(name, body_limit=5000), IMMUTABLE)
            for other in OTHERS:
                self.write(other, body)
                self.assertEqual(self.control(other, body_limit=5000), NO_CACHE, other)

    def test_half_of_a_fingerprinted_file_is_confirmed(self) -> None:
        name = f"app.{sha256(PROSE).hexdigest()[:10]}.js"
        store = self.store()
        self.write(name, PROSE[:100])
        half = self.scan(store)
        self.write(name, PROSE)
        whole = self.scan(store, half)
        self.write(name, PROSE + b"edited")
        edited = self.scan(store, whole)
        path = b"/" + name.encode()
        for catalogue, value in ((half, NO_CACHE), (whole, IMMUTABLE), (edited, NO_CACHE)):
            self.assertIn(b"Cache-Control: " + value, catalogue[path].representations[0].lines_200)

    def test_the_name_of_one_image_says_nothing_of_its_variants(self) -> None:
        digest = sha256(PROSE).hexdigest()[:10]
        self.write(f"a.{digest}.jpg")
        self.write(f"a.{digest}.webp", b"webp")
        self.assertEqual(self.control(f"a.{digest}.jpg"), NO_CACHE)
        self.assertEqual(self.control(f"a.{digest}.webp"), NO_CACHE)

    def test_hard_links_are_judged_each_by_its_own_name(self) -> None:
        name = f"a.{sha256(PROSE * 9).hexdigest()[:10]}.js"
        os.link(self.write(name, PROSE * 9), os.path.join(self.root, "b.0f9c2a1b7d.js"))
        self.assertEqual(self.control(name, body_limit=5000), IMMUTABLE)
        self.assertEqual(self.control("b.0f9c2a1b7d.js", body_limit=5000), NO_CACHE)
