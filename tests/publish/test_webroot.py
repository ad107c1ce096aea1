from __future__ import annotations

import gzip
import os
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import brotlicffi

from edge.errors import ConfigError, PublishError
from edge.publish import reading, webroot
from edge.publish.catalogue import Catalogue, is_same
from edge.publish.coding import Qualities, encode
from edge.publish.encoding import Encoder
from edge.publish.problems import Kind
from edge.publish.reading import Reader
from edge.publish.rules import IMMUTABLE, NO_CACHE
from edge.publish.settings import ScanProgress
from edge.resource import Coding
from tests.publish.site import PROSE, ScanTestCase, noise, refuse

LARGE = PROSE * 10


def differing(old: Catalogue, new: Catalogue) -> list[bytes]:
    """Paths of *new* under which *old* has nothing, or something else."""
    return [path for path in new if path not in old or not is_same(old[path], new[path])]


class Contents(ScanTestCase):
    def test_a_site_is_published_with_all_its_variants(self) -> None:
        image = noise(3000)
        self.write("index.html")
        self.write("img/p.png", image)
        self.write("a b.css", b"tiny")
        self.write("empty.js", b"")
        catalogue = self.scan(self.store())
        self.assertEqual(set(catalogue), {b"/", b"/index.html", b"/img/p.png", b"/a%20b.css", b"/empty.js"})
        page = self.bodies(catalogue[b"/"])
        self.assertEqual(page[0], PROSE)
        self.assertEqual(gzip.decompress(page[1]), PROSE)
        self.assertEqual(brotlicffi.decompress(page[2]), PROSE)
        self.assertEqual(self.bodies(catalogue[b"/img/p.png"]), {0: image})
        self.assertEqual(self.bodies(catalogue[b"/a%20b.css"]), {0: b"tiny"})
        self.assertEqual(self.bodies(catalogue[b"/empty.js"]), {0: b""})
        self.assertEqual(self.problems, [])

    def test_text_that_does_not_shrink_is_left_alone_and_has_no_vary(self) -> None:
        self.write("a.txt", noise(5000))
        (representation,) = self.scan(self.store())[b"/a.txt"].representations
        self.assertNotIn(b"Vary", representation.lines_200)

    def test_large_bodies_are_blobs_in_every_coding_that_is_large(self) -> None:
        self.write("a.html", LARGE + noise(3000))
        self.write("b.html", LARGE)
        catalogue = self.scan(self.store(), body_limit=2000)
        a, b = catalogue[b"/a.html"], catalogue[b"/b.html"]
        self.assertEqual([r.body is None for r in a.representations], [True] * 4)
        self.assertEqual([r.body is None for r in b.representations], [True, False, False, False])
        for resource, body in ((a, LARGE + noise(3000)), (b, LARGE)):
            bodies = self.bodies(resource)
            self.assertEqual(bodies[0], body)
            self.assertEqual(brotlicffi.decompress(bodies[2]), body)

    def test_files_beyond_the_coding_limit_are_not_coded(self) -> None:
        self.write("a.html", LARGE)
        self.assertEqual(len(self.scan(self.store(), coding_limit=1000)[b"/a.html"].representations), 1)

    def test_last_modified_is_the_file_s_but_never_in_the_future(self) -> None:
        path = self.write("a.html")
        os.utime(path, (1_000_000_000.9, 1_000_000_000.9))
        self.write("b.html", age=-10_000_000)
        catalogue = self.scan(self.store())
        self.assertEqual(catalogue[b"/a.html"].modified, 1_000_000_000)
        self.assertLess(catalogue[b"/b.html"].modified, time.time() + 60)

    def test_rules_reach_all_lines(self) -> None:
        self.write("a.js")
        proved = f"a.{sha256(PROSE).hexdigest()[:8]}.js"
        self.write(proved)
        catalogue = self.scan(self.store(), cache_rules=(("a.js", "max-age=5"),))
        fingerprinted = b"/" + proved.encode()
        for path, value in ((b"/a.js", b"max-age=5"), (fingerprinted, b"max-age=31536000,immutable")):
            for representation in catalogue[path].representations:
                line = b"Cache-Control: %b\r\n" % value
                self.assertIn(line, representation.lines_200)
                self.assertIn(line, representation.lines_304)

    def test_a_wrong_rule_stops_the_scan(self) -> None:
        self.assertRaises(ConfigError, self.scan, self.store(), cache_rules=(("*", "\n"),))

    def test_a_missing_webroot_stops_the_scan(self) -> None:
        os.rmdir(self.root)
        self.assertRaises(PublishError, self.scan, self.store())

    def test_a_state_directory_inside_of_the_webroot_is_not_published(self) -> None:
        self.state = os.path.join(self.root, "state")
        self.write("a.html", LARGE)
        store = self.store()
        for _ in range(2):
            self.assertEqual(set(self.scan(store, body_limit=100)), {b"/a.html"})

    def test_links_are_published_as_what_they_lead_to(self) -> None:
        self.write("a.html")
        self.link("b.html", "a.html")
        catalogue = self.scan(self.store())
        self.assertEqual(
            catalogue[b"/a.html"].representations[0].etag, catalogue[b"/b.html"].representations[0].etag
        )


class Encodings(ScanTestCase):
    def test_text_that_is_not_utf_8_names_no_character_encoding(self) -> None:
        """What is wrong once stays unreadable: browsers believe the field, not the page."""
        text = "Grüße, 世界, \N{PILE OF POO}"
        for name, body, is_utf8 in (
            ("utf8.html", text.encode(), True),
            ("ascii.html", b"<p>a", True),
            ("nothing.txt", b"", True),
            ("bom.txt", text.encode("utf-8-sig"), True),
            ("latin1.html", b"Gr\xfc\xdfe", False),
            ("sjis.txt", "日本語".encode("shift_jis"), False),
            ("utf16.html", text.encode("utf-16"), False),
            ("utf16-without-a-mark.txt", "ascii".encode("utf-16-le"), False),
            ("surrogate.txt", b"\xed\xa0\x80", False),
            ("overlong.txt", b"\xc0\xaf", False),
            ("cut-short.txt", "ü".encode()[:1], False),
            ("late.css", b"a" * 4999 + b"\xff", False),
            ("large.css", b"a" * 9000 + b"\xff", False),
            ("large.js", b"a" * (1 << 20) + "ü".encode(), True),
            ("over-the-border-of-two-reads.txt", b"a" * ((1 << 20) - 1) + "ü".encode(), True),
        ):
            with self.subTest(name):
                self.write(name, body)
                store = self.store()
                for catalogue in (
                    self.scan(store, body_limit=5000),
                    self.scan(store, body_limit=5000),  # what was found out is known now
                ):
                    for representation in catalogue[b"/" + name.encode()].representations:
                        line = representation.lines_200.splitlines()[0]
                        self.assertEqual(line.endswith(b"; charset=utf-8"), is_utf8, line)

    def test_a_file_that_becomes_utf_8_says_so(self) -> None:
        self.write("a.html", b"\xfc" * 6000)
        store = self.store()
        first = self.scan(store, body_limit=5000)
        self.assertNotIn(b"charset", first[b"/a.html"].representations[0].lines_200)
        self.write("a.html", "ü".encode() * 3000)
        second = self.scan(store, first, body_limit=5000)
        self.assertIn(b"charset=utf-8", second[b"/a.html"].representations[0].lines_200)


class Versions(ScanTestCase):
    """Last-Modified and immutable of a file whose contents change."""

    def modified(self, catalogue: Catalogue) -> int:
        return catalogue[b"/a.html"].modified

    def test_last_modified_moves_when_bytes_change_under_an_equal_or_older_time(self) -> None:
        store = self.store()
        previous = None
        seen: list[int] = []
        for body, when in (
            (b"one", 1_000_000_000),
            (b"two", 1_000_000_000),  # a reproducible build
            (b"three", 1_000_000_000),
            (b"four", 900_000_000),  # a rollback
            (b"one", 0),
            (b"five", 1_100_000_000),
        ):
            os.utime(self.write("a.html", body), (when, when))
            previous = self.scan(store, previous)
            seen.append(self.modified(previous))
        self.assertEqual(seen, sorted(set(seen)))
        self.assertEqual((seen[0], seen[-1]), (1_000_000_000, 1_100_000_000))

    def test_it_moves_also_when_the_bytes_changed_while_the_node_was_down(self) -> None:
        """Reproducible builds give all files the same time, and a deploy may come with a restart."""
        seen: list[int] = []
        for body in (b"one", b"one", b"two", b"one"):
            os.utime(self.write("a.html", body), (1e9, 1e9))
            seen.append(self.modified(self.scan(self.store(), node="n1")))
        self.assertEqual(seen, [1_000_000_000, 1_000_000_000, 1_000_000_001, 1_000_000_002])

    def test_it_moves_when_a_file_goes_and_comes_back_otherwise(self) -> None:
        store = self.store()
        os.utime(path := self.write("a.html", b"one"), (1e9, 1e9))
        first = self.scan(store, node="n1")
        os.unlink(path)
        second = self.scan(store, first, node="n1")
        os.utime(self.write("a.html", b"two"), (1e9, 1e9))
        self.assertEqual(self.modified(self.scan(store, second, node="n1")), 1_000_000_001)

    def test_nodes_that_share_a_state_directory_do_not_meddle(self) -> None:
        os.utime(self.write("a.html", b"one"), (1e9, 1e9))
        self.scan(self.store(), node="n1")
        os.utime(self.write("a.html", b"two"), (1e9, 1e9))
        self.assertEqual(self.modified(self.scan(self.store(), node="n2")), 1_000_000_000)

    def test_a_variant_that_comes_or_changes_moves_it_too(self) -> None:
        store = self.store()
        self.write("a.jpg", b"j", age=100)
        first = self.scan(store)
        self.write("a.webp", b"w", age=100)
        second = self.scan(store, first)
        self.write("a.webp", b"x", age=100)
        third = self.scan(store, second)
        times = [catalogue[b"/a.jpg"].modified for catalogue in (first, second, third)]
        self.assertEqual(times, sorted(set(times)))

    def test_it_stays_while_the_bytes_stay(self) -> None:
        store = self.store()
        os.utime(self.write("a.html", b"one"), (1e9, 1e9))
        first = self.scan(store)
        os.utime(self.write("a.html", b"two"), (1e9, 1e9))
        second = self.scan(store, first)
        again = self.scan(store, second, body_limit=1)
        self.assertEqual(self.modified(again), self.modified(second))

    def test_two_changes_in_one_second_show_in_the_next(self) -> None:
        now = float(int(time.time()) + 10)
        store = self.store()
        hooks = {"now": lambda: now}
        os.utime(self.write("a.html", b"one"), (now, now))
        first = self.scan(store, hooks=hooks)
        os.utime(self.write("a.html", b"two"), (now, now))
        second = self.scan(store, first, hooks=hooks)
        self.assertEqual(self.modified(second), int(now))
        self.assertTrue(second.look_again)
        now += 2
        third = self.scan(store, second, hooks={"now": lambda: now})
        self.assertFalse(third.look_again)
        self.assertGreater(self.modified(third), self.modified(second))

    def test_what_a_rule_calls_immutable_is_so_until_it_changes(self) -> None:
        rules = (("/assets/**", "max-age=31536000,immutable"),)
        store = self.store()
        path = b"/assets/app.0f9c2a1b.js"
        previous = None
        for body, value in ((b"one", IMMUTABLE), (b"one", IMMUTABLE), (b"two", NO_CACHE), (b"two", NO_CACHE)):
            self.write("assets/app.0f9c2a1b.js", body)
            previous = self.scan(store, previous, cache_rules=rules)
            self.assertIn(b"Cache-Control: " + value, previous[path].representations[0].lines_304)
        self.assertEqual(self.kinds(), {"assets/app.0f9c2a1b.js": Kind.CHANGED})


class Writing(ScanTestCase):
    """Files that somebody is writing."""

    def at(self, seconds: float) -> dict[str, Any]:
        return {"now": lambda: time.time() + seconds}

    def test_what_a_writer_has_open_is_published_when_it_is_closed(self) -> None:
        store = self.store()
        with open(self.write("new.js", b""), "wb") as file:
            file.write(b"half")
            file.flush()
            half = self.scan(store, hooks=self.at(0))
            self.assertEqual((set(half), half.look_again), (set(), True))
            self.assertEqual(self.kinds(), {"new.js": Kind.WRITING})
            file.write(b" and half")
        whole = self.scan(store, half, hooks=self.at(1))
        self.assertEqual(whole[b"/new.js"].representations[0].body, b"half and half")
        self.assertFalse(whole.look_again)

    def test_meanwhile_the_version_before_stays(self) -> None:
        store = self.store()
        path = self.write("a.js", b"whole")
        first = self.scan(store)
        with open(path, "wb") as file:
            second = self.scan(store, first, hooks=self.at(0))  # truncated, nothing written yet
            self.assertEqual(second[b"/a.js"].representations[0].body, b"whole")
            file.write(b"new")
        third = self.scan(store, second, hooks=self.at(0))
        self.assertEqual(third[b"/a.js"].representations[0].body, b"new")

    def test_a_file_that_grows_for_ever_is_published_as_it_is_after_a_while(self) -> None:
        store = self.store()
        with open(self.write("a.log", b""), "ab", buffering=0) as file:
            previous = None
            found = []
            for seconds in (0, 20, 40, 42):
                file.write(b"line\n")
                status = os.stat(file.name)
                now = status.st_ctime + 1
                # Time passes for the scan; the file is always of the second before.
                for module in (reading, webroot):
                    self.patch(module, "WRITING_SECONDS", seconds + 10)
                previous = self.scan(store, previous, hooks={"now": lambda now=now + seconds: now})
                found.append(b"/a.log" in previous)
                self.assertTrue(previous.look_again or found[-1])
            self.assertEqual(found, [False, False, True, True])
            self.assertEqual(previous[b"/a.log"].representations[0].body, b"line\n" * 4)

    def test_a_file_that_is_only_kept_open_counts_as_whole(self) -> None:
        with open(self.write("a.db", b"rows"), "r+b"):
            self.assertIn(b"/a.db", self.scan(self.store(), hooks=self.at(60)))


class Repeating(ScanTestCase):
    def count(self, name: str, owner: type) -> list[object]:
        """The arguments of all calls of a method from now on."""
        calls: list[object] = []
        real = getattr(owner, name)

        def counted(self: object, *arguments: object) -> object:
            calls.append(arguments)
            return real(self, *arguments)

        self.patch(owner, name, counted)
        return calls

    def test_what_is_unchanged_is_taken_over_without_reading(self) -> None:
        self.write("index.html")
        self.write("b.html", LARGE)
        store = self.store()
        first = self.scan(store, body_limit=2000)
        reads = self.count("_read", Reader)
        second = self.scan(store, first, body_limit=2000)
        self.assertEqual(reads, [])
        for path in first:
            self.assertIs(second[path], first[path])

    def test_only_what_changed_is_read_and_differs(self) -> None:
        self.write("a.html")
        self.write("b.html")
        store = self.store()
        first = self.scan(store)
        self.write("b.html", PROSE + b"more")
        reads = self.count("_read", Reader)
        second = self.scan(store, first)
        self.assertEqual(len(reads), 1)
        self.assertEqual(differing(first, second), [b"/b.html"])

    def test_a_change_that_stat_cannot_show_is_found_by_the_next_scan(self) -> None:
        changed = os.stat(self.write("a.html", b"one")).st_ctime
        store = self.store()
        first = self.scan(store, hooks={"now": lambda: changed})  # it may change within the same tick
        reads = self.count("_read", Reader)
        second = self.scan(store, first)
        self.assertEqual(len(reads), 1)
        self.assertEqual(differing(first, second), [])
        self.scan(store, second)
        self.assertEqual(len(reads), 1)

    def test_other_settings_make_everything_anew(self) -> None:
        self.write("a.html")
        store = self.store()
        first = self.scan(store)
        second = self.scan(store, first, cache_rules=(("*", "no-store"),))
        self.assertIn(b"no-store", second[b"/a.html"].representations[0].lines_200)

    def test_a_restart_codes_nothing_again_and_reads_no_large_file(self) -> None:
        self.write("a.html")
        self.write("b.txt", noise(1500))
        self.write("c.html", LARGE + noise(3000))
        first = self.scan(self.store(), body_limit=2000)
        encodes, reads = self.count("encode", Encoder), self.count("_read", Reader)
        again = self.scan(self.store(), body_limit=2000)
        self.assertEqual((len(encodes), len(reads)), (0, 2))
        self.assertEqual(dict(again), dict(first))

    def test_another_quality_or_body_limit_is_respected_after_a_restart(self) -> None:
        self.write("c.html", LARGE + noise(3000))
        for limit in (2000, 1 << 20, 2000, 1 << 20):
            (resource,) = self.scan(self.store(), body_limit=limit).values()
            self.assertEqual({r.body is None for r in resource.representations}, {limit == 2000})
            self.assertEqual(brotlicffi.decompress(self.bodies(resource)[2]), LARGE + noise(3000))

    def test_lost_and_damaged_blobs_are_written_again(self) -> None:
        self.write("a.html", LARGE + noise(3000))
        store = self.store()
        catalogue = self.scan(store, body_limit=2000)
        paths = [store.blobs.path(etag) for etag in sorted(catalogue.blobs())]
        self.assertEqual(len(paths), 4)
        for damage in (os.unlink, lambda path: os.truncate(path, 5)):
            for path in paths:
                damage(path)
            catalogue = self.scan(store, catalogue, body_limit=2000)
            body = brotlicffi.decompress(self.bodies(catalogue[b"/a.html"])[2])
            self.assertEqual(body, LARGE + noise(3000))

    def test_a_blob_with_wrong_bytes_is_never_coded(self) -> None:
        body = LARGE + noise(3000)
        self.write("a.html", body)
        store = self.store()
        first = self.scan(store, body_limit=2000)
        path = store.blobs.path(first[b"/a.html"].representations[0].etag)
        with open(path, "r+b") as file:
            file.write(b"X")
        second = self.scan(store, None, body_limit=2000, qualities=Qualities(brotli=2, gzip=2))
        self.assertEqual(self.kinds(), {"a.html": Kind.DAMAGED})
        self.assertNotIn(b"/a.html", second)
        third = self.scan(store, second, body_limit=2000)
        self.assertEqual(self.bodies(third[b"/a.html"])[0], body)

    def test_blobs_are_collected_one_publish_later(self) -> None:
        self.write("a.html", LARGE)
        store = self.store()
        first = self.scan(store, body_limit=2000)
        store.blobs.collect(first.blobs())
        self.write("a.html", LARGE + b"!")
        second = self.scan(store, first, body_limit=2000)
        self.assertEqual([store.blobs.collect(second.blobs()) for _ in range(2)], [0, 1])
        self.assertEqual(self.bodies(second[b"/a.html"])[0], LARGE + b"!")


class Trouble(ScanTestCase):
    def test_unreadable_files_keep_their_old_version_until_they_can_be_read(self) -> None:
        self.write("a.html", b"old")
        self.write("b.html", b"old")
        store = self.store()
        first = self.scan(store)
        for name in ("a.html", "b.html"):
            self.write(name, b"new")
        second = self.scan(store, first, hooks=refuse("a.html"))
        self.assertEqual(self.kinds(), {"a.html": Kind.UNREADABLE})
        third = self.scan(store, second)
        found = [[self.bodies(c[p])[0] for p in (b"/a.html", b"/b.html")] for c in (first, second, third)]
        self.assertEqual(found, [[b"old", b"old"], [b"old", b"new"], [b"new", b"new"]])

    def test_an_unreadable_new_file_is_left_out(self) -> None:
        self.write("a.html")
        self.write("b.html")
        self.assertEqual(set(self.scan(self.store(), hooks=refuse("a.html"))), {b"/b.html"})

    def test_an_unreadable_directory_keeps_everything_in_it(self) -> None:
        for name in ("d/a.html", "d/e/b.html", "dd.html"):
            self.write(name)
        store = self.store()
        first = self.scan(store)
        os.unlink(os.path.join(self.root, "dd.html"))
        second = self.scan(store, first, hooks=refuse("d"))
        self.assertEqual(set(second), {b"/d/a.html", b"/d/e/b.html"})
        self.assertEqual(set(self.scan(store, second)), {b"/d/a.html", b"/d/e/b.html"})

    def test_an_unreadable_sibling_keeps_the_old_version_whole(self) -> None:
        self.write("p.jpg", b"old")
        self.write("p.avif", b"old")
        store = self.store()
        first = self.scan(store)
        self.write("p.jpg", b"new")
        self.write("p.avif", b"new")
        second = self.scan(store, first, hooks=refuse("p.avif"))
        self.assertEqual(self.bodies(second[b"/p.jpg"]), {0: b"old", 8: b"old"})
        third = self.scan(store, second)
        self.assertEqual(self.bodies(third[b"/p.jpg"]), {0: b"new", 8: b"new"})

    def test_an_unreadable_sibling_of_a_new_file_is_done_without(self) -> None:
        self.write("a.js")
        self.write("a.js.br", encode(PROSE, Coding.BR, 9))
        catalogue = self.scan(self.store(), hooks=refuse("a.js.br"))
        self.assertEqual(brotlicffi.decompress(self.bodies(catalogue[b"/a.js"])[2]), PROSE)

    def test_a_file_that_keeps_changing_keeps_its_old_version(self) -> None:
        path = self.write("a.html", b"old")
        store = self.store()
        first = self.scan(store)
        self.write("a.html", b"new")
        real, count = os.read, [0]

        def read(fd: int, length: int) -> bytes:
            count[0] += 1
            os.utime(path, (count[0], count[0]))
            return real(fd, length)

        patch = self.patch(os, "read", read)
        second = self.scan(store, first, hooks={"sleep": lambda seconds: None})
        patch.restore()
        self.assertEqual(self.kinds(), {"a.html": Kind.CHANGING})
        self.assertIs(second[b"/a.html"], first[b"/a.html"])
        self.assertEqual(self.bodies(self.scan(store, second)[b"/a.html"])[0], b"new")

    def test_a_deleted_file_is_removed(self) -> None:
        self.write("a.html")
        path = self.write("b.html")
        store = self.store()
        first = self.scan(store)
        os.unlink(path)
        self.assertEqual(first.keys() - self.scan(store, first).keys(), {b"/b.html"})

    def test_a_cache_that_fails_is_done_without(self) -> None:
        self.write("a.html")
        self.write("large.txt", noise(9000))
        store = self.store()

        def fail(*arguments: object) -> None:
            raise PublishError("the disk is full")

        for name in (
            "coded",
            "remember_coded",
            "remember_digests",
            "facts",
            "remember_facts",
            "versions",
            "remember_versions",
        ):
            self.patch(store, name, fail)
        self.assertEqual(len(self.scan(store, body_limit=5000, node="n")[b"/a.html"].representations), 4)
        self.assertEqual({problem.text for problem in self.problems}, {"the disk is full"})


class Running(ScanTestCase):
    def test_progress_is_told_for_reading_and_coding(self) -> None:
        for n in range(3):
            self.write(f"{n}.html", PROSE + b"%d" % n)
        told: list[ScanProgress] = []
        self.scan(self.store(), hooks={"progress": told.append})
        self.assertEqual(
            told, [ScanProgress("read", 3, 3), *(ScanProgress("compress", n, 9) for n in range(1, 10))]
        )

    def test_a_scan_can_be_broken_off_and_keeps_what_it_found_out(self) -> None:
        self.write("a.html")

        def progress(progress: ScanProgress) -> None:
            if progress.stage == "compress":
                raise KeyboardInterrupt

        with ThreadPoolExecutor(1) as executor:
            hooks = {"progress": progress, "executor": executor}
            self.assertRaises(KeyboardInterrupt, self.scan, self.store(), hooks=hooks)
        told: list[ScanProgress] = []
        self.scan(self.store(), hooks={"progress": told.append})
        self.assertEqual(told[-1], ScanProgress("compress", 2, 2))

    def test_equal_contents_are_coded_once(self) -> None:
        for n in range(3):
            self.write(f"{n}.html")
        told: list[ScanProgress] = []
        self.scan(self.store(), hooks={"progress": told.append})
        self.assertEqual(told[-1], ScanProgress("compress", 3, 3))

    def test_a_given_executor_is_used_and_left_open(self) -> None:
        self.write("a.html")
        with ThreadPoolExecutor(1) as executor:
            self.scan(self.store(), hooks={"executor": executor})
            self.assertEqual(executor.submit(len, "abc").result(), 3)

    def test_directories_are_announced(self) -> None:
        self.write("d/a.html")
        seen: list[str] = []
        self.scan(self.store(), hooks={"on_directory": seen.append})
        root = os.path.realpath(self.root)
        self.assertEqual(seen, [root, os.path.join(root, "d")])
