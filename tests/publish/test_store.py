from __future__ import annotations

import os
import sqlite3
import sys
from hashlib import sha256
from subprocess import PIPE
from threading import Thread

import edge
from edge.errors import PublishError
from edge.publish.problems import Kind
from edge.publish.store import NOT_WORTH_IT, Coded, CodingKey, Store
from edge.resource import Coding
from tests import processes
from tests.publish.site import SiteTestCase

DAY = 86_400


def coded(body: bytes) -> Coded:
    return Coded(sha256(body).digest(), len(body), body)


def key(n: int, coding: Coding = Coding.BR, quality: int = 11) -> CodingKey:
    return CodingKey(sha256(b"%d" % n).digest(), coding, quality)


class Remembering(SiteTestCase):
    def test_results_survive_a_restart(self) -> None:
        results = {
            key(1): coded(b"one"),
            key(1, Coding.GZIP): coded(b"uno"),
            key(1, Coding.BR, 5): coded(b"eins"),
            key(2): NOT_WORTH_IT,
            key(3): Coded(bytes(32), 1 << 20, None),
        }
        store = self.store()
        store.remember_coded(results)
        store.close()
        again = self.store()
        self.assertEqual(again.coded(results), results)
        self.assertEqual(again.coded([key(1, Coding.BR, 5), key(9)]), {key(1, Coding.BR, 5): coded(b"eins")})
        self.assertEqual(again.coded([]), {})

    def test_thousands_are_looked_up_together(self) -> None:
        results = {key(n): coded(b"%d" % n) for n in range(1500)}
        store = self.store()
        store.remember_coded(results)
        self.assertEqual(store.coded(results), results)

    def test_a_later_result_replaces_an_earlier_one(self) -> None:
        store = self.store()
        store.remember_coded({key(1): coded(b"one")})
        store.remember_coded({key(1): coded(b"other")})
        self.assertEqual(store.coded([key(1)]), {key(1): coded(b"other")})

    def test_digests_of_files_are_known_by_all_that_stat_says(self) -> None:
        signature = ((1 << 64) - 1, 1 << 63, 7, -5, 1 << 60)
        store = self.store()
        store.remember_digests({signature: b"d" * 32})
        store.remember_digests({})
        self.assertEqual(store.digests([signature]), {signature: b"d" * 32})
        for position in range(5):
            other = list(signature)
            other[position] -= 1
            self.assertEqual(store.digests([tuple(other)]), {})  # type: ignore[list-item]

    def test_a_file_with_any_date_that_a_file_system_has_is_known(self) -> None:
        store = self.store()
        for seconds in (-(1 << 63), 1 << 62, (1 << 63) - 1):
            signature = (1, 2, 3, seconds * 10**9, 5)
            store.remember_digests({signature: bytes(32)})
            self.assertEqual(store.digests([signature]), {signature: bytes(32)})

    def test_files_not_seen_for_a_month_are_forgotten(self) -> None:
        now = [0.0]
        store = self.store(now=lambda: now[0])
        store.remember_digests({(1, 1, 1, 1, 1): b"a" * 32})
        now[0] = 31 * DAY
        store.remember_digests({(1, 2, 1, 1, 1): b"b" * 32})
        self.assertEqual(list(store.digests([(1, 1, 1, 1, 1), (1, 2, 1, 1, 1)])), [(1, 2, 1, 1, 1)])

    def test_a_store_may_be_used_from_several_threads(self) -> None:
        store = self.store()
        threads = [
            Thread(target=lambda n=n: store.remember_coded({key(n): coded(b"%d" % n)})) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        processes.join(*threads)
        self.assertEqual(len(store.coded(key(n) for n in range(8))), 8)

    def test_several_processes_write_at_once(self) -> None:
        code = (
            "import sys; from edge.publish.store import *; from hashlib import sha256\n"
            "s = Store(sys.argv[1], print)\n"
            "for n in range(50):\n"
            "    k = CodingKey(sha256(b'%d' % n).digest(), Coding.BR, int(sys.argv[2]))\n"
            "    s.remember_coded({k: Coded(sha256(b'x').digest(), 1, b'x')})\n"
            "s.close()"
        )
        path = {"PYTHONPATH": os.path.dirname(os.path.dirname(edge.__file__))}
        program = [sys.executable, "-c", code]
        running = [
            processes.start([*program, self.state, str(n)], stdout=PIPE, stderr=PIPE, env=path)
            for n in range(3)
        ]
        self.assertEqual([process.communicate(timeout=60) for process in running], [(b"", b"")] * 3)
        self.assertEqual(len(self.store().coded(key(n, quality=q) for n in range(50) for q in range(3))), 150)


class Limits(SiteTestCase):
    def test_what_was_not_used_for_longest_is_evicted(self) -> None:
        now = [0.0]
        store = self.store(limit=5000, now=lambda: now[0])
        for n in range(4):
            now[0] = n * DAY
            store.remember_coded({key(n): coded(bytes([n]) * 1000)})
        now[0] = 4 * DAY
        store.coded([key(0)])  # used again
        store.remember_coded({key(4): coded(b"4" * 1000)})
        self.assertEqual(set(store.coded(key(n) for n in range(5))), {key(0), key(3), key(4)})


class Damage(SiteTestCase):
    def path(self) -> str:
        return os.path.join(self.state, "cache-1.sqlite")

    def fill(self) -> None:
        store = self.store()
        store.remember_coded({key(n): coded(os.urandom(500)) for n in range(100)})
        store.close()

    def test_a_file_that_is_no_database_is_set_aside_and_reported(self) -> None:
        self.fill()
        with open(self.path(), "r+b") as file:
            file.write(b"nonsense" * 100)
        store = self.store()
        self.assertEqual(store.coded([key(1)]), {})
        store.remember_coded({key(1): coded(b"one")})
        self.assertEqual(store.coded([key(1)]), {key(1): coded(b"one")})
        with open(self.path() + ".corrupt", "rb") as file:
            self.assertEqual(file.read(8), b"nonsense")
        self.assertEqual(self.kinds(), {self.path(): Kind.STORE})
        self.assertIn("cache-1.sqlite.corrupt", str(self.problems[0]))

    def test_damage_that_shows_later_is_survived_too(self) -> None:
        self.fill()
        size = os.path.getsize(self.path())
        with open(self.path(), "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        store = self.store()
        self.assertEqual(store.coded(key(n) for n in range(100)), {})
        self.assertEqual([problem.kind for problem in self.problems], [Kind.STORE])

    def test_only_one_of_two_sets_a_damaged_file_aside(self) -> None:
        self.fill()
        first, second = self.store(), self.store()
        for store in (first, second):
            self.assertEqual(len(store.coded([key(1)])), 1)
        with open(self.path(), "r+b") as file:
            file.seek(100)
            file.write(b"\xff" * (os.path.getsize(self.path()) - 100))
        first.remember_coded({key(200): coded(b"new")})
        second.coded(key(n) for n in range(100))
        second.remember_coded({key(n): coded(b"more") for n in range(300, 400)})
        self.assertEqual(self.store().coded([key(200)]), {key(200): coded(b"new")})
        self.assertEqual(len(self.problems), 1)

    def test_a_body_without_its_digest_counts_as_absent(self) -> None:
        self.fill()
        connection = sqlite3.connect(self.path())
        with connection:
            connection.execute("UPDATE coded SET body = zeroblob(500) WHERE source = ?", (key(7).source,))
        connection.close()
        self.assertEqual(set(self.store().coded([key(7), key(8)])), {key(8)})

    def test_a_cache_that_cannot_be_opened_is_an_error_for_the_user(self) -> None:
        os.makedirs(self.path())
        error = self.assertRaises(PublishError, Store, self.state, self.problems.append)
        self.assertIn(self.path(), str(error))
