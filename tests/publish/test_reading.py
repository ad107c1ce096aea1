from __future__ import annotations

import os
from hashlib import sha256

from edge.publish import blobs
from edge.publish.problems import Kind, Problem
from edge.publish.reading import ATTEMPTS, PAUSE, Content, Reader, has_writer
from edge.publish.walk import Opener, Tree, open_file
from edge.resource import etag_of
from tests.publish.site import SiteTestCase


class Reading(SiteTestCase):
    def read(self, *, opener: Opener = open_file, before: object = None) -> dict[str, Content | Problem]:
        """Read everything that a walk finds, with bodies of more than 10 bytes as blobs."""
        self.slept: list[float] = []

        def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        with Tree(self.root) as tree:
            files = [f for folder in tree.walk(self.problems.append) for f in folder.files.values()]
            if callable(before):
                before()
            self.blobs = self.store().blobs
            reader = Reader(tree, self.blobs, body_limit=10, sleep=sleep, opener=opener)
            return {file.name: result for file, result in reader.read(files)}

    def content(self, result: Content | Problem) -> Content:
        assert isinstance(result, Content)
        return result

    def kind(self, result: Content | Problem) -> Kind:
        assert isinstance(result, Problem)
        return result.kind

    def test_small_files_come_back_as_bytes(self) -> None:
        self.write("a.html", b"small")
        self.write("d/b.html", b"0123456789")
        self.write("empty", b"")
        read = self.read()
        self.assertEqual(
            {name: (self.content(c).body, c.length, c.digest) for name, c in read.items()},  # type: ignore[union-attr]
            {
                name: (body, len(body), sha256(body).digest())
                for name, body in {"a.html": b"small", "d/b.html": b"0123456789", "empty": b""}.items()
            },
        )

    def test_larger_files_come_back_as_blobs(self) -> None:
        body = b"0123456789a" * 1000
        self.write("a.html", body)
        content = self.content(self.read()["a.html"])
        self.assertEqual((content.body, content.length), (None, len(body)))
        self.assertEqual(content.digest, sha256(body).digest())
        self.assertEqual(self.blobs.read(etag_of(content.digest), content.digest), body)

    def test_a_file_that_was_changed_since_it_was_listed_is_read_as_it_is(self) -> None:
        for body in (b"grown", b"now it is large"):
            self.write("a.html", b"old")
            content = self.content(self.read(before=lambda body=body: self.write("a.html", body))["a.html"])
            self.assertEqual((content.digest, content.length), (sha256(body).digest(), len(body)))
            self.assertEqual(self.slept, [])

    def test_a_file_that_changes_between_stat_and_the_end_is_read_again_after_a_pause(self) -> None:
        path = self.write("a.html", b"old")
        real, changes = os.read, [b"newer", b"newest"]

        def read(fd: int, length: int) -> bytes:
            data = real(fd, length)
            if changes:
                with open(path, "wb") as file:
                    file.write(changes.pop(0))
                os.utime(path, (1, len(changes)))
            return data

        self.patch(os, "read", read)
        content = self.content(self.read()["a.html"])
        self.assertEqual(content.body, b"newest")
        self.assertEqual(self.slept, [PAUSE, PAUSE])

    def test_a_file_that_always_changes_is_given_up(self) -> None:
        path = self.write("a.html", b"0")
        real, count = os.read, [0]

        def read(fd: int, length: int) -> bytes:
            count[0] += 1
            os.utime(path, (count[0], count[0]))
            return real(fd, length)

        self.patch(os, "read", read)
        self.assertEqual(self.kind(self.read()["a.html"]), Kind.CHANGING)
        self.assertEqual(count[0], ATTEMPTS)

    def test_a_vanished_file_is_a_problem_and_the_others_are_read(self) -> None:
        path = self.write("a.html", b"a")
        self.write("b.html", b"b")
        read = self.read(before=lambda: os.unlink(path))
        self.assertEqual(self.kind(read["a.html"]), Kind.VANISHED)
        self.assertEqual(self.content(read["b.html"]).body, b"b")

    def test_a_file_without_permission_is_a_problem(self) -> None:
        self.write("a.html", b"a")
        self.write("d/b.html", b"b")

        def opener(name: str, flags: int, directory: int | None) -> int:
            if name == "a.html":
                raise PermissionError(13, "Permission denied")
            return open_file(name, flags, directory)

        read = self.read(opener=opener)
        self.assertEqual(self.kind(read["a.html"]), Kind.UNREADABLE)
        self.assertEqual(self.content(read["d/b.html"]).body, b"b")

    def test_a_pipe_in_place_of_a_file_is_a_problem_and_does_not_block(self) -> None:
        path = self.write("a.html", b"a")

        def exchange() -> None:
            os.unlink(path)
            os.mkfifo(path)

        self.assertEqual(self.kind(self.read(before=exchange)["a.html"]), Kind.SPECIAL)

    def test_a_link_in_place_of_a_file_is_not_followed(self) -> None:
        path = self.write("a.html", b"a")

        def exchange() -> None:
            os.unlink(path)
            os.symlink("/etc/hostname", path)

        self.assertEqual(self.kind(self.read(before=exchange)["a.html"]), Kind.UNREADABLE)

    def test_reads_that_are_cut_short_are_continued(self) -> None:
        self.write("a.html", b"01234567")
        real = os.read
        self.patch(os, "read", lambda fd, length: real(fd, min(length, 3)))
        self.assertEqual(self.content(self.read()["a.html"]).body, b"01234567")

    def test_a_full_disk_is_a_problem_of_the_file(self) -> None:
        self.write("a.html", b"0123456789abcdef")
        real = os.write

        def write(fd: int, data: bytes) -> int:
            if bytes(data).startswith(b"0123"):
                raise OSError(28, "No space left on device")
            return real(fd, data)

        self.patch(os, "write", write)
        self.patch(blobs, "_clone", lambda fd, source: False)
        result = self.read()["a.html"]
        self.assertEqual(self.kind(result), Kind.STORE)
        self.assertIn("no space left on device", str(result))


class Writers(SiteTestCase):
    def test_a_writer_is_seen_and_nobody_else_is(self) -> None:
        path = self.write("a")
        with open(path, "rb") as file:
            self.assertFalse(has_writer(file.fileno()))
            with open(path, "rb"):
                self.assertFalse(has_writer(file.fileno()))
            for mode in ("r+b", "ab"):
                with open(path, mode):
                    self.assertTrue(has_writer(file.fileno()))
            self.assertFalse(has_writer(file.fileno()))

    def test_asking_leaves_nothing_behind_that_could_hold_a_writer_up(self) -> None:
        path = self.write("a")
        with open(path, "rb") as file:
            has_writer(file.fileno())
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))  # EWOULDBLOCK if there were a lease

    def test_where_nothing_can_be_known_there_is_no_writer(self) -> None:
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        self.assertFalse(has_writer(reader))
