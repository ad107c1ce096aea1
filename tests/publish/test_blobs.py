from __future__ import annotations

import errno
import os
import sys
from hashlib import sha256
from subprocess import PIPE

import edge
from edge import durable
from edge.errors import PublishError
from edge.publish import blobs as module
from edge.publish.blobs import Blobs
from edge.resource import etag_of
from tests import processes
from tests.publish.site import SiteTestCase, noise

BODIES = [noise(1000 + n) for n in range(4)]
DIGESTS = [sha256(body).digest() for body in BODIES]
ETAGS = [etag_of(digest) for digest in DIGESTS]


class BlobsTestCase(SiteTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.blobs = self.open()

    def open(self) -> Blobs:
        blobs = Blobs(self.state)
        self.addCleanup(blobs.close)
        return blobs

    def present(self) -> list[int]:
        """Which of BODIES are on disk."""
        return [n for n, etag in enumerate(ETAGS) if os.path.exists(self.blobs.path(etag))]

    def leftovers(self) -> list[str]:
        return os.listdir(os.path.join(self.state, "blobs", "tmp"))


class Writing(BlobsTestCase):
    def test_a_blob_lies_where_the_workers_look_for_it(self) -> None:
        self.blobs.put(BODIES[0])
        name = ETAGS[0].decode()
        with open(os.path.join(self.state, "blobs", name[:2], name), "rb") as file:
            self.assertEqual(file.read(), BODIES[0])
        self.assertEqual(self.leftovers(), [])

    def test_a_blob_is_found_by_etag_and_length(self) -> None:
        self.assertFalse(self.blobs.has(ETAGS[0], 1000))
        self.blobs.put(BODIES[0])
        self.assertTrue(self.blobs.has(ETAGS[0], 1000))
        self.assertFalse(self.blobs.has(ETAGS[0], 999))
        self.assertEqual(self.blobs.read(ETAGS[0], DIGESTS[0]), BODIES[0])

    def test_a_blob_of_the_wrong_length_is_written_again(self) -> None:
        self.blobs.put(BODIES[0])
        os.truncate(self.blobs.path(ETAGS[0]), 10)
        self.blobs.put(BODIES[0])
        self.assertEqual(self.blobs.read(ETAGS[0], DIGESTS[0]), BODIES[0])

    def test_a_blob_with_other_bytes_counts_as_absent_when_it_is_read(self) -> None:
        self.blobs.put(BODIES[0])
        with open(self.blobs.path(ETAGS[0]), "r+b") as file:
            file.write(b"X")
        self.assertIsNone(self.blobs.read(ETAGS[0], DIGESTS[0]))
        self.blobs.discard(ETAGS[0])
        self.blobs.discard(ETAGS[0])
        self.assertEqual(self.present(), [])

    def test_an_open_file_is_copied_whether_blocks_can_be_shared_or_not(self) -> None:
        path = self.write("a", BODIES[1])
        for clones in (True, False):
            if not clones:
                self.patch(module, "_clone", lambda fd, source: False)
                self.blobs.discard(ETAGS[1])
            with open(path, "rb") as file:
                self.assertEqual(self.blobs.copy(file.fileno()), (DIGESTS[1], len(BODIES[1])))
            self.assertEqual(self.blobs.read(ETAGS[1], DIGESTS[1]), BODIES[1])
        self.assertEqual(self.leftovers(), [])

    def test_a_clone_is_hashed_from_the_copy(self) -> None:
        def clone(fd: int, source: int) -> bool:
            os.write(fd, os.pread(source, 10_000, 0))
            return True

        self.patch(module, "_clone", clone)
        with open(self.write("a", BODIES[2]), "rb") as file:
            self.assertEqual(self.blobs.copy(file.fileno()), (DIGESTS[2], len(BODIES[2])))
        self.assertEqual(self.blobs.read(ETAGS[2], DIGESTS[2]), BODIES[2])

    def test_a_failed_write_leaves_nothing_behind_and_says_why(self) -> None:
        real = os.write

        def write(fd: int, data: bytes) -> int:
            if len(data) > 100:
                raise OSError(28, "No space left on device")
            return real(fd, data)

        self.patch(os, "write", write)
        error = self.assertRaises(PublishError, self.blobs.put, BODIES[0])
        self.assertIn("no space left on device", str(error))
        self.assertEqual((self.present(), self.leftovers()), ([], []))

    def test_a_directory_that_cannot_be_made_is_an_error_for_the_user(self) -> None:
        path = self.write("file")
        self.assertIn(
            "cannot prepare the directory", str(self.assertRaises(PublishError, Blobs, path + "/x"))
        )


class Copies(BlobsTestCase):
    """Copies of large files."""

    def test_holes_stay_holes(self) -> None:
        path = self.write("sparse", b"begin")
        with open(path, "r+b") as file:
            file.seek(16 << 20)
            file.write(b"middle")
            file.truncate(24 << 20)
        with open(path, "rb") as file:
            digest, length = self.blobs.copy(file.fileno())
        self.assertEqual(length, 24 << 20)
        with open(path, "rb") as file:
            self.assertEqual(sha256(file.read()).digest(), digest)
        self.assertTrue(self.blobs.check(etag_of(digest)))
        if os.stat(path).st_blocks * 512 < 1 << 20:  # where a file may have holes
            self.assertLess(os.stat(self.blobs.path(etag_of(digest))).st_blocks * 512, 8 << 20)

    def test_what_will_not_fit_is_refused_before_it_is_copied(self) -> None:
        path = self.write("large", BODIES[0])
        disk = os.statvfs(self.state)
        self.patch(module, "CHECK_AT_ONCE", 0)
        self.patch(module, "_clone", lambda fd, source: False)
        self.patch(module, "_SPARE", disk.f_blocks * disk.f_frsize)  # others free some meanwhile
        self.patch(module, "_copy", None)
        with open(path, "rb") as file, self.assertRaises(PublishError) as raised:
            self.blobs.copy(file.fileno())
        self.assertIn("make room on that disk", str(raised.exception))
        self.assertEqual(self.leftovers(), [])

    def test_a_copy_can_be_broken_off(self) -> None:
        path = self.write("large", BODIES[0])

        def stop(count: int) -> None:
            raise KeyboardInterrupt

        with open(path, "rb") as file:
            self.assertRaises(KeyboardInterrupt, self.blobs.copy, file.fileno(), stop)
        self.assertEqual((self.leftovers(), self.present()), ([], []))


class Damage(BlobsTestCase):
    """Blobs whose bytes are not those that were written."""

    def flip(self, etag: bytes) -> None:
        """Seven bits, and the length stays."""
        with open(self.blobs.path(etag), "r+b") as file:
            body = bytearray(file.read())
            for at in range(0, 700, 100):
                body[at] ^= 1
            file.seek(0)
            file.write(body)

    def test_a_blob_of_an_earlier_process_is_read_before_it_counts_as_whole(self) -> None:
        self.blobs.put(BODIES[0])
        self.blobs.put(BODIES[1])
        self.flip(ETAGS[0])
        later = self.open()
        self.assertTrue(later.has(ETAGS[0], 1000))
        self.assertFalse(later.is_whole(ETAGS[0], 1000))
        self.assertFalse(later.has(ETAGS[0], 1000))
        self.assertTrue(later.is_whole(ETAGS[1], 1001))

    def test_it_is_read_once(self) -> None:
        self.blobs.put(BODIES[0])
        later = self.open()
        self.assertTrue(later.is_whole(ETAGS[0], 1000))
        self.patch(module, "has_name_of_bytes", None)
        self.assertTrue(later.is_whole(ETAGS[0], 1000))

    def test_what_is_written_replaces_what_is_damaged(self) -> None:
        source = self.write("source", BODIES[0])

        def put(store: Blobs) -> None:
            store.put(BODIES[0])

        def copy(store: Blobs) -> None:
            with open(source, "rb") as file:
                store.copy(file.fileno())

        def receive(store: Blobs) -> None:
            partial = store.partial()
            partial.write(BODIES[0])
            self.assertTrue(partial.install(DIGESTS[0]))
            partial.close()

        for way in (put, copy, receive):
            self.blobs.put(BODIES[0])
            self.flip(ETAGS[0])
            later = self.open()
            way(later)
            self.assertEqual(later.read(ETAGS[0], DIGESTS[0]), BODIES[0], way)
            later.close()

    def test_all_blobs_can_be_checked_whoever_wrote_them(self) -> None:
        for body in BODIES:
            self.blobs.put(body)
        self.flip(ETAGS[1])
        self.assertEqual(sorted(self.blobs.all()), sorted(ETAGS))
        self.assertEqual({etag for etag in self.blobs.all() if not self.blobs.check(etag)}, {ETAGS[1]})
        self.assertNotIn(ETAGS[1], list(self.blobs.all()))

    def test_large_ones_come_first_and_are_on_disk_before_their_names(self) -> None:
        synchronized: list[str] = []
        real = durable.replace

        def replace(fd: int, temporary: str, target: str) -> None:
            synchronized.append(target)
            real(fd, temporary, target)

        self.patch(durable, "replace", replace)
        self.patch(module, "CHECK_AT_ONCE", 1500)
        large = b"l" * 2000
        for body in (*BODIES, large):
            self.blobs.put(body)
        etag = etag_of(sha256(large).digest())
        self.assertEqual(synchronized, [self.blobs.path(etag)])
        self.assertEqual(next(self.blobs.all()), etag)

    def test_a_check_that_is_broken_off_removes_nothing(self) -> None:
        self.blobs.put(BODIES[0])
        self.flip(ETAGS[0])
        self.assertTrue(self.blobs.check(ETAGS[0], lambda: True))
        self.assertTrue(self.blobs.has(ETAGS[0], 1000))


class Collecting(BlobsTestCase):
    def setUp(self) -> None:
        super().setUp()
        for body in BODIES:
            self.blobs.put(body)

    def test_blobs_go_one_publish_after_they_were_last_needed(self) -> None:
        self.assertEqual(self.blobs.collect(ETAGS), 0)
        self.assertEqual(self.blobs.collect(ETAGS[:1]), 0)
        self.assertEqual(self.present(), [0, 1, 2, 3])
        self.assertEqual(self.blobs.collect(ETAGS[:1]), 3)
        self.assertEqual(self.present(), [0])

    def test_blobs_that_no_catalogue_needs_stay_for_a_publish_that_is_on_its_way(self) -> None:
        """It has written them, and has not told of them yet."""
        self.assertEqual(self.blobs.collect(ETAGS[:3]), 0)
        self.assertEqual(self.blobs.collect(ETAGS[:3]), 1)

    def test_what_is_found_again_while_it_is_not_needed_any_more_stays(self) -> None:
        self.blobs.collect(ETAGS)
        self.assertTrue(self.blobs.has(ETAGS[3], 1003))
        self.blobs.collect(ETAGS[:3])
        self.assertTrue(self.blobs.has(ETAGS[3], 1003))
        self.blobs.collect(ETAGS[:3])
        self.blobs.collect(ETAGS[:3])
        self.assertEqual(self.present(), [0, 1, 2])

    def test_what_is_retained_since_the_last_publish_stays(self) -> None:
        for _ in range(2):
            self.blobs.collect([])
        self.blobs.put(BODIES[2])
        other = self.open()
        other.collect([])
        self.assertEqual(self.present(), [2])

    def test_what_another_process_needs_stays_until_it_is_gone(self) -> None:
        code = (
            "import sys; from edge.publish.blobs import Blobs; b = Blobs(sys.argv[1]);"
            "b.retain([sys.argv[2].encode()]); print('ready', flush=True); sys.stdin.read()"
        )
        path = {"PYTHONPATH": os.path.dirname(os.path.dirname(edge.__file__))}
        process = processes.start(
            [sys.executable, "-c", code, self.state, ETAGS[1].decode()], stdin=PIPE, stdout=PIPE, env=path
        )
        try:
            self.assertEqual(processes.first_line(process), b"ready\n")
            for _ in range(2):
                self.blobs.collect([])
            self.assertEqual(self.present(), [1])
        finally:
            process.kill()  # it has no time to clean up
            process.communicate(timeout=60)
        self.blobs.collect([])
        self.assertEqual(self.present(), [])
        self.assertEqual(len(os.listdir(os.path.join(self.state, "owners"))), 1)

    def test_a_full_disk_holds_nobody_up_and_what_is_needed_is_written_down_when_there_is_room(self) -> None:
        write, room = os.write, [20]

        def write_what_fits(fd: int, data: bytes) -> int:
            if not room[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = write(fd, data[: room[0]])
            room[0] -= written
            return written

        self.patch(module.os, "write", write_what_fits)
        owner, other = self.open(), self.open()
        self.blobs.close()
        owner.retain(ETAGS[:2])
        owner.retain(ETAGS[2:3])
        room[0] = 1000
        self.assertTrue(owner.has(ETAGS[2], len(BODIES[2])))
        for _ in range(2):
            other.collect([])
        self.assertEqual(self.present(), [0, 1, 2])

    def test_unfinished_files_go_when_their_process_is_gone(self) -> None:
        for name in ("0123456789abcdef.1", os.listdir(os.path.join(self.state, "owners"))[0] + ".99"):
            with open(os.path.join(self.state, "blobs", "tmp", name), "w"):
                pass
        self.blobs.collect([])
        self.assertEqual([name.partition(".")[2] for name in self.leftovers()], ["99"])

    def test_a_closed_owner_needs_nothing(self) -> None:
        other = self.open()
        self.blobs.close()
        self.blobs.close()
        self.assertEqual(other.collect([]), 4)
