from __future__ import annotations

import os

import brotlicffi

from edge.publish.coding import encode
from edge.publish.groups import ImageSiblings
from edge.publish.problems import Kind
from edge.resource import Coding
from tests.publish.site import PROSE, ScanTestCase


class Siblings(ScanTestCase):
    def test_fresh_siblings_are_used_and_are_no_files_of_their_own(self) -> None:
        coded = {coding: encode(PROSE, coding, 9) for coding in (Coding.GZIP, Coding.BR, Coding.ZSTD)}
        for limit in (1 << 20, 10):
            self.write("a.js")
            self.write("a.js.gz", coded[Coding.GZIP])
            self.write("a.js.br", coded[Coding.BR], age=0)
            self.write("a.js.zst", coded[Coding.ZSTD])
            catalogue = self.scan(self.store(), body_limit=limit)
            self.assertEqual(set(catalogue), {b"/a.js"})
            self.assertEqual(self.bodies(catalogue[b"/a.js"]), {0: PROSE, **coded})
        self.assertEqual(self.problems, [])

    def test_siblings_are_published_too_if_so_wished(self) -> None:
        self.write("a.js")
        self.write("a.js.gz", encode(PROSE, Coding.GZIP, 9))
        self.assertEqual(set(self.scan(self.store(), publish_siblings=True)), {b"/a.js", b"/a.js.gz"})

    def test_a_sibling_older_than_the_file_is_not_used(self) -> None:
        coded = encode(PROSE, Coding.BR, 9)
        self.write("a.js", age=50)
        self.write("a.js.br", coded, age=100)
        catalogue = self.scan(self.store())
        self.assertEqual(set(catalogue), {b"/a.js", b"/a.js.br"})
        self.assertNotEqual(self.bodies(catalogue[b"/a.js"])[2], coded)

    def test_a_sibling_with_other_contents_is_reported_and_not_used(self) -> None:
        wrong = {"br": encode(PROSE + b"!", Coding.BR, 5), "gz": b"nonsense"}
        self.write("a.js")
        for suffix, body in wrong.items():
            self.write("a.js." + suffix, body)
        catalogue = self.scan(self.store())
        self.assertEqual(set(catalogue), {b"/a.js", b"/a.js.br", b"/a.js.gz"})
        self.assertEqual(self.kinds(), {"a.js.br": Kind.SIBLING, "a.js.gz": Kind.SIBLING})
        self.assertEqual(brotlicffi.decompress(self.bodies(catalogue[b"/a.js"])[2]), PROSE)

    def test_a_sibling_that_is_not_smaller_is_not_used(self) -> None:
        self.write("a.js", b"x")
        self.write("a.js.gz", encode(b"x", Coding.GZIP, 9))
        self.assertEqual(set(self.bodies(self.scan(self.store())[b"/a.js"])), {0})

    def test_files_of_compressed_types_have_no_coded_siblings(self) -> None:
        self.write("a.tar")
        self.write("a.tar.gz", encode(PROSE, Coding.GZIP, 9))
        self.assertEqual(set(self.scan(self.store())), {b"/a.tar", b"/a.tar.gz"})

    def test_images_have_media_variants_where_siblings_exist(self) -> None:
        for name in ("p.jpg", "p.avif", "p.webp", "q.png", "q.webp", "r.jpeg", "s.gif", "s.webp"):
            self.write(name, name.encode())
        catalogue = self.scan(self.store())
        self.assertEqual(len(catalogue), 8)
        self.assertEqual(self.bodies(catalogue[b"/p.jpg"]), {0: b"p.jpg", 4: b"p.webp", 8: b"p.avif"})
        self.assertEqual(self.bodies(catalogue[b"/q.png"]), {0: b"q.png", 4: b"q.webp"})
        for path in (b"/p.avif", b"/r.jpeg", b"/s.gif"):
            self.assertEqual(len(catalogue[path].representations), 1)
            self.assertNotIn(b"Vary", catalogue[path].representations[0].lines_200)

    def test_an_image_older_than_the_original_does_not_answer_for_it(self) -> None:
        self.write("p.jpg", b"new", age=50)
        self.write("p.webp", b"old", age=100)
        self.write("p.avif", b"new, too", age=50)
        catalogue = self.scan(self.store())
        self.assertEqual(self.bodies(catalogue[b"/p.jpg"]), {0: b"new", 8: b"new, too"})
        self.assertEqual(self.bodies(catalogue[b"/p.webp"]), {0: b"old"})
        self.assertEqual(self.kinds(), {"p.webp": Kind.SIBLING})

    def test_an_original_that_is_replaced_has_no_variants_until_they_are_made_anew(self) -> None:
        self.write("p.jpg", b"1", age=100)
        self.write("p.webp", b"one", age=90)
        store = self.store()
        first = self.scan(store)
        self.write("p.jpg", b"2", age=50)
        second = self.scan(store, first)
        self.write("p.webp", b"two", age=40)
        third = self.scan(store, second)
        found = [self.bodies(catalogue[b"/p.jpg"]) for catalogue in (first, second, third)]
        self.assertEqual(found, [{0: b"1", 4: b"one"}, {0: b"2"}, {0: b"2", 4: b"two"}])

    def test_an_image_that_could_be_made_from_two_answers_for_none(self) -> None:
        self.write("p.jpg", b"jpg")
        self.write("p.webp", b"webp")
        store = self.store()
        first = self.scan(store)
        self.assertEqual(len(first[b"/p.jpg"].representations), 2)
        self.write("p.png", b"another picture")
        second = self.scan(store, first)
        for path, body in ((b"/p.jpg", b"jpg"), (b"/p.png", b"another picture")):
            self.assertEqual(self.bodies(second[path]), {0: body})

    def test_images_are_paired_by_their_whole_names_or_not_at_all_if_so_wished(self) -> None:
        for name in ("p.jpg", "p.png", "p.jpg.webp", "p.png.avif", "p.webp"):
            self.write(name, name.encode())
        catalogue = self.scan(self.store(), image_siblings=ImageSiblings.NAME)
        self.assertEqual(self.bodies(catalogue[b"/p.jpg"]), {0: b"p.jpg", 4: b"p.jpg.webp"})
        self.assertEqual(self.bodies(catalogue[b"/p.png"]), {0: b"p.png", 8: b"p.png.avif"})
        catalogue = self.scan(self.store(), image_siblings=ImageSiblings.OFF)
        self.assertEqual({len(resource.representations) for resource in catalogue.values()}, {1})

    def test_a_resource_is_made_anew_when_a_sibling_comes_changes_or_goes(self) -> None:
        self.write("p.jpg", b"j")
        store = self.store()
        first = self.scan(store)
        sibling = self.write("p.avif", b"a")
        second = self.scan(store, first)
        self.write("p.avif", b"aa")
        third = self.scan(store, second)
        os.unlink(sibling)
        fourth = self.scan(store, third)
        found = [self.bodies(catalogue[b"/p.jpg"]) for catalogue in (first, second, third, fourth)]
        self.assertEqual(found, [{0: b"j"}, {0: b"j", 8: b"a"}, {0: b"j", 8: b"aa"}, {0: b"j"}])
