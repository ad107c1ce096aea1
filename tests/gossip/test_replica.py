"""The replicated table: whatever is lost, doubled or late, all nodes end with the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip import repair as repair_module
from edge.gossip import replica
from edge.gossip import rows as rows_module
from edge.gossip.buckets import bucket_of
from edge.gossip.changes import (
    BUCKETS,
    CHUNK,
    Change,
    Message,
    Record,
    VersionVector,
    Want,
    decode_message,
    encode_message,
)
from edge.gossip.clock import latest_believed
from edge.gossip.packet import VECTOR, LogPosition
from edge.gossip.replica import TOMBSTONE_MS, Replica
from edge.gossip.rows import Rows, RowsError
from simulation.keyring import HashKeyring

NOW = 1_700_000_000_000
YEAR_MS = 365 * 86_400_000
PAGE, IMAGE = b"Content-Type: text/html\r\n", b"Content-Type: image/png\r\n"


def records(text: bytes, lines: bytes = PAGE) -> tuple[Record, ...]:
    """One representation."""
    return (Record(0, text.ljust(32, b"-"), len(text), lines, b"Cache-Control: no-cache\r\n"),)


def converse(one: Replica, other: Replica, now: int = NOW) -> list[Change]:
    """Tell each other the version_vector and everything that follows; what was applied, in order."""
    applied: list[Change] = []
    waiting: list[tuple[Replica, Replica, Message]] = []
    for source, target in ((one, other), (other, one)):
        for message in target.notice(source.node, source.version_vector(), now):
            waiting.append((target, source, message))
    while waiting:
        source, target, message = waiting.pop(0)
        received = target.receive(source.node, message, now)
        applied += received.applied
        waiting += [(target, source, reply) for reply in received.replies]
    return applied


def repair(one: Replica, other: Replica, now: int = NOW) -> None:
    """Compare the tables, and send what differs."""
    waiting = [(one, other, one.repair_round())]
    while waiting:
        source, target, message = waiting.pop(0)
        received = target.receive(source.node, message, now)
        waiting += [(target, source, reply) for reply in received.replies]


def table(replica: Replica) -> dict[bytes, tuple[int, str]]:
    """What counts where."""
    return {change.path: (change.clock, change.origin) for change in replica.paths(b"", 1000)}


class ReplicaTests(SynchronousTestCase):
    """Two or three nodes."""

    def setUp(self) -> None:
        self.a = Replica("a", Rows(":memory:", HashKeyring("a")), NOW)
        self.b = Replica("b", Rows(":memory:", HashKeyring("b")), NOW)

    def test_a_change_is_pushed_and_taken(self) -> None:
        converse(self.a, self.b)
        self.a.put(b"/x", 1, records(b"1"), NOW)
        push = self.a.push("b")
        assert push is not None
        received = self.b.receive("a", push, NOW)
        self.assertEqual([change.path for change in received.applied], [b"/x"])
        self.assertEqual(set(self.a.version_vector()) - set(self.b.version_vector()), set())
        self.assertIsNone(self.a.push("b"))

    def test_a_push_after_a_gap_asks_for_what_is_missing(self) -> None:
        self.a.put(b"/x", 1, records(b"1"), NOW)
        self.a.push("b")
        self.a.put(b"/y", 1, records(b"2"), NOW)
        push = self.a.push("b")
        assert push is not None
        received = self.b.receive("a", push, NOW)
        self.assertEqual(received.applied, [])
        converse_from = received.replies[0]
        answer = self.a.receive("b", converse_from, NOW).replies[0]
        self.assertEqual(len(self.b.receive("a", answer, NOW).applied), 2)

    def test_assets_come_before_pages_and_removals_last_over_many_chunks(self) -> None:
        for number in range(700):
            self.a.put(b"/p%d" % number, 1, records(b"%d" % number), NOW)
            self.a.put(b"/i%d" % number, 1, records(b"%d" % number, IMAGE), NOW)
        self.a.remove(b"/p0", NOW)
        applied = converse(self.a, self.b)
        kinds = [2 if c.is_tombstone else 1 if c.records[0].lines_200 == PAGE else 0 for c in applied]
        self.assertEqual(kinds, sorted(kinds))
        self.assertEqual(len(kinds), 1400)
        self.assertEqual(table(self.a), table(self.b))

    def test_reading_a_log_goes_on_where_it_was_broken_off(self) -> None:
        for number in range(1300):
            self.a.put(b"/p%d" % number, 1, records(b"%d" % number), NOW)
        (want,) = self.b.notice("a", self.a.version_vector(), NOW)
        chunk = self.a.receive("b", want, NOW).replies[0]
        self.b.receive("a", chunk, NOW)
        self.b.peer_gone("a")
        (want,) = self.b.notice("a", self.a.version_vector(), NOW)
        assert isinstance(want, Want)
        self.assertEqual((want.head, want.sequence), (1300, CHUNK))
        self.b.peer_gone("a")
        applied = converse(self.a, self.b)
        self.assertEqual(len(applied), 1300 - CHUNK)
        self.assertEqual(self.b.counters["superseded"], 0)
        self.assertEqual(table(self.a), table(self.b))

    def test_a_repair_waits_for_what_is_on_its_way(self) -> None:
        self.a.put(b"/x", 1, records(b"x"), NOW)
        self.b.notice("a", self.a.version_vector(), NOW)
        self.assertEqual(self.b.receive("a", self.a.repair_round(), NOW).replies, [])
        self.assertNotEqual(self.b.receive("a", self.a.repair_round(), NOW + 60_000).replies, [])

    def test_the_newest_clock_wins_and_the_name_breaks_a_tie(self) -> None:
        self.a.put(b"/x", 1, records(b"a"), NOW)
        self.b.put(b"/x", 1, records(b"b"), NOW)
        converse(self.a, self.b)
        self.assertEqual(self.a.get(b"/x"), self.b.get(b"/x"))
        winner = self.a.get(b"/x")
        assert winner is not None
        self.assertEqual(winner.origin, "b")

    def test_what_others_know_is_passed_on(self) -> None:
        self.a.put(b"/x", 1, records(b"a"), NOW)
        converse(self.a, self.b)
        c = Replica("c", Rows(":memory:", HashKeyring("c")), NOW)
        converse(self.b, c)
        self.assertEqual(table(c), table(self.a))

    def test_a_node_whose_date_was_a_year_ahead_is_believed_then_and_after_it_is_corrected(self) -> None:
        self.a.put(b"/x", 1, records(b"ahead"), NOW + YEAR_MS)
        converse(self.a, self.b)
        self.a.put(b"/x", 1, records(b"corrected"), NOW + 1)
        converse(self.a, self.b, NOW + 6000)
        self.b.put(b"/x", 1, records(b"of the other"), NOW + 6001)
        converse(self.a, self.b, NOW + 12_000)
        found = self.a.get(b"/x")
        assert found is not None
        self.assertEqual((found.records, found), (records(b"of the other"), self.b.get(b"/x")))
        self.assertEqual((self.a.refused(NOW), self.b.refused(NOW)), ({}, {}))

    def test_what_no_mistake_explains_is_refused_and_told_and_all_beside_it_is_taken(self) -> None:
        latest = latest_believed(NOW)
        self.a.put(b"/before", 1, records(b"a"), NOW)
        self.a.put(b"/x", 1, records(b"a"), (latest >> 16) + 86_400_000)
        self.a.put(b"/y", 1, records(b"a"), NOW)
        applied = converse(self.a, self.b)
        self.assertEqual([change.path for change in applied], [b"/before"])
        self.assertEqual(self.b.counters["future_refused"], 2)
        self.assertEqual(set(self.b.refused(NOW)), {"a"})
        self.assertNotIn(self.a.version_vector()[0], self.b.version_vector())
        self.assertEqual(self.b.notice("a", self.a.version_vector(), NOW + 50_000), [], "not at once again")
        # the date of a is right again: it dates anew what others did not take
        self.a.save(NOW + 60_000)
        self.assertEqual(self.a.counters["dated_anew"], 2)
        converse(self.a, self.b, NOW + 61_000)
        self.assertEqual(table(self.a), table(self.b))
        self.assertEqual((len(table(self.b)), self.b.refused(NOW + 61_000)), (3, {}))

    def test_a_restart_dates_anew_too(self) -> None:
        rows = Rows(":memory:", HashKeyring("a"))
        a = Replica("a", rows, NOW)
        a.put(b"/x", 1, records(b"a"), (latest_believed(NOW) >> 16) + 86_400_000)
        a.save((latest_believed(NOW) >> 16) + 86_400_000)
        a = Replica("a", rows, NOW)
        self.assertEqual(len(converse(a, self.b)), 1)

    def test_no_wait_lasts_until_a_date_that_was_set_back_comes_again(self) -> None:
        self.a.put(b"/x", 1, records(b"a"), NOW)
        self.assertEqual(len(self.b.notice("a", self.a.version_vector(), NOW + YEAR_MS)), 1)
        self.assertEqual(len(self.b.notice("a", self.a.version_vector(), NOW)), 1)  # the answer was lost
        self.b.contact(NOW + YEAR_MS)
        self.b.contact(NOW)
        self.assertTrue(self.b.too_old(NOW + TOMBSTONE_MS + 1))

    def test_a_removal_that_is_dated_long_ago_counts_against_what_it_removes(self) -> None:
        """Of a node whose date is a year behind, and that has heard of nobody yet."""
        past = NOW - YEAR_MS
        self.a.put(b"/x", 1, records(b"a"), past)
        converse(self.a, self.b, NOW)
        self.a.remove(b"/x", past + 5)
        converse(self.a, self.b, NOW + 6000)
        found = self.b.get(b"/x")
        assert found is not None
        self.assertTrue(found.is_tombstone)

    def test_a_purge_survives_an_old_version_that_comes_late(self) -> None:
        self.a.put(b"/x", 1, records(b"a"), NOW)
        late = self.a.receive("c", _want_all(self.a), NOW).replies[0]
        converse(self.a, self.b)
        self.b.remove(b"/x", NOW + 10)
        self.assertEqual(self.b.receive("a", late, NOW + 20).applied, [])
        found = self.b.get(b"/x")
        assert found is not None
        self.assertTrue(found.is_tombstone)

    def test_tombstones_are_forgotten_after_a_day(self) -> None:
        self.a.put(b"/x", 1, records(b"a"), NOW)
        self.a.remove(b"/x", NOW + 1)
        self.a.save(NOW + 2)
        self.assertIsNotNone(self.a.get(b"/x"))
        self.a.save(NOW + TOMBSTONE_MS + 2)
        self.assertIsNotNone(self.a.get(b"/x"), "by a date alone nothing is forgotten: it may be wrong")
        self.a.put(b"/y", 1, records(b"a"), NOW + TOMBSTONE_MS + 2)
        self.a.save(NOW + TOMBSTONE_MS + 2)
        self.assertIsNotNone(
            self.a.get(b"/x"), "nor when the date was set: this node knows of it for a minute"
        )
        for minute in range(TOMBSTONE_MS // 60_000 + 2):
            self.a.save(NOW + TOMBSTONE_MS + minute * 60_000)
        self.assertIsNone(self.a.get(b"/x"))

    def test_a_node_that_was_away_for_longer_joins_afresh(self) -> None:
        self.a.put(b"/x", 1, records(b"a"), NOW)
        self.a.contact(NOW)
        self.assertFalse(self.a.too_old(NOW + TOMBSTONE_MS - 1))
        self.assertTrue(self.a.too_old(NOW + TOMBSTONE_MS + 1))
        self.a.drop(NOW + TOMBSTONE_MS + 1)
        self.assertEqual(table(self.a), {})
        self.assertGreater(self.a.version_vector()[0].generation, NOW)

    def test_a_node_that_has_lost_its_state_takes_back_what_it_had_published(self) -> None:
        self.a.put(b"/x", 1, records(b"a"), NOW)
        converse(self.a, self.b)
        a = Replica("a", Rows(":memory:", HashKeyring("a")), NOW + 60_000)
        self.assertFalse(a.recovers)
        asked = a.notice("b", self.b.version_vector(), NOW + 60_000)
        self.assertTrue(a.recovers)
        (chunk,) = self.b.receive("a", asked[0], NOW + 60_000).replies
        self.assertEqual([change.path for change in a.receive("b", chunk, NOW + 60_000).applied], [b"/x"])
        self.assertFalse(a.recovers)
        converse(a, self.b, NOW + 61_000)
        self.assertEqual(table(a), table(self.b))
        self.assertIn(a.version_vector()[0], self.b.version_vector())

    def test_what_a_lost_state_had_published_goes_also_after_a_life_that_met_nobody(self) -> None:
        """Its files went while the state was lost: they must not come back with the first who remembers."""
        folder = Path(self.mktemp())
        folder.mkdir()
        self.a.put(b"/gone", 1, records(b"a"), NOW)
        converse(self.a, self.b)
        alone = Replica("a", Rows(str(folder / "a.sqlite"), HashKeyring("a")), NOW + 60_000)
        alone.put(b"/kept", 1, records(b"b"), NOW + 60_000)
        alone.compared(had_record=False)
        alone.save(NOW + 61_000)
        again = Replica("a", Rows(str(folder / "a.sqlite"), HashKeyring("a")), NOW + 62_000)
        self.assertTrue(again.may_have_more)
        again.compared(had_record=False)
        for at in (63_000, 70_000, 77_000):
            converse(again, self.b, NOW + at)
        self.assertEqual(table(again), table(self.b))
        gone, kept = self.b.get(b"/gone"), self.b.get(b"/kept")
        assert gone is not None and kept is not None
        self.assertEqual((gone.is_tombstone, kept.is_tombstone), (True, False))

    def test_an_old_copy_is_noticed_however_few_changes_it_lacks(self) -> None:
        """Fewer than numbers are reserved at a time; and its clock, which was wrong, does not win."""
        folder = Path(self.mktemp())
        folder.mkdir()
        a = Replica("a", Rows(str(folder / "a.sqlite"), HashKeyring("a")), NOW)
        a.put(b"/x", 1, records(b"backed up"), NOW)
        a.save(NOW)
        Rows.checkpoint(str(folder / "a.sqlite"))
        shutil.copy(folder / "a.sqlite", folder / "copy.sqlite")
        a.remove(b"/x", NOW + YEAR_MS)
        a.save(NOW)
        converse(a, self.b, NOW + 1)
        restored = Replica("a", Rows(str(folder / "copy.sqlite"), HashKeyring("a")), NOW + 10)
        self.assertEqual(len(restored.notice("b", self.b.version_vector(), NOW + 10)), 1)
        restored.put(b"/x", 1, records(b"deployed since"), NOW + 10)
        converse(restored, self.b, NOW + 6000)
        converse(restored, self.b, NOW + 12_000)
        self.assertEqual(table(restored), table(self.b))
        found = self.b.get(b"/x")
        assert found is not None
        self.assertEqual(found.records, records(b"deployed since"))

    def test_who_tells_of_a_log_and_never_sends_it_is_not_waited_for_for_ever(self) -> None:
        told = [LogPosition("a", NOW + 1, 7)]
        times = [(bool(self.a.notice("evil", told, NOW + 6000 * step)), self.a.recovers) for step in range(8)]
        self.assertEqual(times[0], (True, True))
        self.assertNotIn((True, True), times[1:])
        self.assertLess(len([asked for asked, _ in times if asked]), 5)

    def test_of_very_many_logs_those_that_were_begun_last_and_its_own_are_told(self) -> None:
        """Each peer would refuse a longer vector, and end the stream."""
        self.a.put(b"/x", 1, records(b"1"), NOW)
        for number in range(VECTOR + 9):
            self.a._positions[f"n{number}"] = (NOW, 1)
        vector = self.a.version_vector()
        decode_message(encode_message(VersionVector(vector)))
        self.assertEqual((vector[0].origin, vector[-1].origin), ("a", f"n{VECTOR + 8}"))

    def test_no_message_of_a_repair_is_larger_than_a_frame_however_long_paths_and_lines_are(self) -> None:
        length, lines = 5000, b"Link: </%d>; a=" + b"b" * 3000 + b"\r\n"
        crowded = [path for path in (b"/%d" % n for n in range(200_000)) if bucket_of(path) == 7][:40]
        for number, path in enumerate(crowded):
            self.a.put(path, 1, records(b"%d" % number, lines.replace(b"%d", b"%d" % number)), NOW)
        self.patch(repair_module, "LARGEST", length)
        for _ in range(40):
            waiting = [(self.a, self.b, self.a.repair_round())]
            while waiting:
                source, target, message = waiting.pop(0)
                self.assertLess(len(encode_message(message)), 4 * length + 8 * BUCKETS)
                received = target.receive(source.node, message, NOW)
                waiting += [(target, source, reply) for reply in received.replies]
        self.assertEqual(len(table(self.b)), 40)

    def test_repair_finds_what_differs_silently(self) -> None:
        rows = Rows(":memory:", HashKeyring("b"))
        b = Replica("b", rows, NOW)
        for number in range(50):
            self.a.put(b"/%d" % number, 1, records(b"%d" % number), NOW)
        converse(self.a, b)
        self.assertEqual(b.receive("a", self.a.repair_round(), NOW).replies, [])
        rows.delete([b"/7"])
        b = Replica("b", rows, NOW)  # it starts again, with a log that says that nothing is missing
        self.assertEqual(b.notice("a", self.a.version_vector(), NOW), [])
        self.assertNotIn(b"/7", table(b))
        repair(self.a, b)
        self.assertEqual(table(self.a), table(b))


def _want_all(replica: Replica) -> Message:
    position = replica.version_vector()[0]
    return Want(position.origin, position.generation, 0)


class FileTests(SynchronousTestCase):
    """The database in a file."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = str(self.folder / "replica.sqlite")

    def after_a_kill(self) -> str:
        """A copy of what is on the disk now, with nothing closed or written back."""
        left = self.folder / "left"
        left.mkdir()
        for file in self.folder.glob("replica.sqlite*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, left)
        return str(left / "replica.sqlite")

    def test_it_survives_a_kill_and_no_sequence_is_used_twice(self) -> None:
        first = Replica("a", Rows.open(self.path, HashKeyring("a")), NOW)
        used = first.put(b"/x", 1, records(b"1"), NOW).sequence
        first.save(NOW)
        first.put(b"/lost", 1, records(b"2"), NOW)  # never committed
        again = Replica("a", Rows.open(self.path.replace("replica", "copy"), HashKeyring("a")), NOW)
        self.assertEqual(table(again), {})
        second = Replica("a", Rows.open(self.after_a_kill(), HashKeyring("a")), NOW + 5)
        self.assertEqual(list(table(second)), [b"/x"])
        self.assertGreater(second.put(b"/y", 1, records(b"3"), NOW + 5).sequence, used + 1)
        self.assertEqual(second.version_vector()[0].generation, NOW)

    def test_a_restored_copy_learns_what_it_missed_and_overwrites_nothing(self) -> None:
        self.patch(replica, "RESERVED", 10)
        a = Replica("a", Rows.open(self.path, HashKeyring("a")), NOW)
        b = Replica("b", Rows(":memory:", HashKeyring("b")), NOW)
        a.put(b"/x", 1, records(b"old"), NOW)
        a.save(NOW)
        Rows.checkpoint(self.path)
        copy = str(self.folder / "copy.sqlite")
        shutil.copy(self.path, copy)
        for _ in range(25):  # more than a block of numbers
            a.put(b"/x", 1, records(b"new"), NOW + 1000)
        a.put(b"/z", 1, records(b"newest"), NOW + 2000)
        converse(a, b, NOW + 2000)
        restored = Replica("a", Rows.open(copy, HashKeyring("a")), NOW + 3000)
        for step in range(3):
            converse(restored, b, NOW + 3000 + step * 6000)
        self.assertEqual(table(restored), table(b))
        self.assertEqual(set(table(b)), {b"/x", b"/z"})
        self.assertGreater(restored.version_vector()[0].generation, NOW)

    def test_a_damaged_file_is_set_aside_with_a_word(self) -> None:
        Path(self.path).write_bytes(b"this is no database" * 100)
        rows = Rows.open(self.path, HashKeyring("a"))
        self.assertIn("moved to", rows.problem)
        self.assertTrue(Path(self.path + ".damaged").exists())
        self.assertEqual(table(Replica("a", rows, NOW)), {})

    def test_damage_anywhere_in_the_file_is_set_aside_or_harmless(self) -> None:
        """Pages overwritten, bytes flipped, the end cut off: it opens, and every row of it can be read."""
        first = Replica("a", Rows.open(self.path, HashKeyring("a")), NOW)
        for number in range(300):
            first.put(b"/%d" % number, 1, records(b"%d" % number), NOW)
        first.save(NOW)
        Rows.checkpoint(self.path)
        sound = Path(self.path).read_bytes()
        random, set_aside = Random(16), 0
        for case in range(150):
            damaged = bytearray(sound)
            at = random.randrange(len(sound))
            if case % 3 == 0:
                damaged[at : at + 4096] = random.randbytes(4096)
            elif case % 3 == 1:
                for _ in range(20):
                    damaged[random.randrange(len(sound))] ^= 1 << random.randrange(8)
            else:
                del damaged[at:]
            path = self.folder / f"{case}.sqlite"
            path.write_bytes(damaged)
            rows = Rows.open(str(path), HashKeyring("a"))
            set_aside += bool(rows.problem)
            after = Replica("a", rows, NOW + 5)
            self.assertLessEqual(len(table(after)), 300)
            after.put(b"/new", 1, records(b"new"), NOW + 5)
            after.save(NOW + 5)
            rows.close()
            self.assertIn(b"/new", table(Replica("a", Rows.open(str(path), HashKeyring("a")), NOW + 6)), case)
        self.assertGreater(set_aside, 100)

    def test_the_write_ahead_log_begins_anew_however_many_changes_there_are(self) -> None:
        rows = Rows.open(self.path, HashKeyring("a"))
        replica = Replica("a", rows, NOW)
        sizes = []
        for number in range(200):
            for _ in range(3):
                replica.put(b"/page", number, records(b"%d" % number), NOW + number)
                replica.save(NOW + number)  # which reads, too
            Rows.checkpoint(self.path)
            sizes.append(os.path.getsize(self.path + "-wal"))
        rows.close()
        self.assertLess(max(sizes), 4 * sizes[3])

    def test_what_cannot_be_committed_waits_outside_of_the_disk(self) -> None:
        """More of it than the page cache holds."""
        self.patch(rows_module, "_CACHE_KIB", 64)
        first = Replica("a", Rows.open(self.path, HashKeyring("a")), NOW)
        log = Path(self.path + "-wal")
        size = log.stat().st_size
        for number in range(2000):
            first.put(b"/%d" % number, 1, records(b"%d" % number), NOW)
        self.assertEqual(log.stat().st_size, size)
        first.save(NOW)
        self.assertGreater(log.stat().st_size, size)

    def test_a_file_that_cannot_be_opened_says_so(self) -> None:
        self.assertRaises(
            RowsError, Rows.open, str(self.folder / "missing" / "replica.sqlite"), HashKeyring("a")
        )


class ReplicaMachine(RuleBasedStateMachine):
    """Three nodes; messages are lost, doubled and late, nodes lose their state."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.replicas = {name: Replica(name, Rows(":memory:", HashKeyring(name)), NOW) for name in "abc"}
        self.mail: list[tuple[str, str, Message]] = []

    @rule(name=st.sampled_from("abc"), path=st.integers(0, 4), text=st.integers(0, 9))
    def put(self, name: str, path: int, text: int) -> None:
        self.now += 1
        self.replicas[name].put(b"/%d" % path, 1, records(b"%d" % text), self.now)
        for other in "abc":
            message = self.replicas[name].push(other) if other != name else None
            if message is not None:
                self.mail.append((name, other, message))

    @rule(name=st.sampled_from("abc"), path=st.integers(0, 4))
    def remove(self, name: str, path: int) -> None:
        self.now += 1
        self.replicas[name].remove(b"/%d" % path, self.now)

    @rule(pair=st.tuples(st.sampled_from("abc"), st.sampled_from("abc")))
    def tell(self, pair: tuple[str, str]) -> None:
        source, target = pair
        if source != target:
            version_vector = self.replicas[source].version_vector()
            for message in self.replicas[target].notice(source, version_vector, self.now):
                self.mail.append((target, source, message))

    @rule(number=st.integers(0, 30), lost=st.booleans(), doubled=st.booleans())
    def deliver(self, number: int, lost: bool, doubled: bool) -> None:
        if self.mail:
            number %= len(self.mail)
            source, target, message = self.mail[number] if doubled else self.mail.pop(number)
            if not lost:
                received = self.replicas[target].receive(source, message, self.now)
                self.mail += [(target, source, reply) for reply in received.replies]

    @rule(name=st.sampled_from("abc"))
    def lose_state(self, name: str) -> None:
        self.now += 1000
        self.replicas[name] = Replica(name, Rows(":memory:", HashKeyring(name)), self.now)

    def teardown(self) -> None:
        for _ in range(4):
            self.now += 6000
            for one, other in ("ab", "bc", "ac"):
                converse(self.replicas[one], self.replicas[other], self.now)
                repair(self.replicas[one], self.replicas[other], self.now)
        tables = [table(replica) for replica in self.replicas.values()]
        assert tables[0] == tables[1] == tables[2], tables
        assert len({replica.repair_round() for replica in self.replicas.values()}) == 1


class MachineTests(SynchronousTestCase):
    """Runs :class:`ReplicaMachine`."""

    def test_all_end_with_the_same_table(self) -> None:
        run_state_machine_as_test(
            ReplicaMachine,
            settings=settings(
                max_examples=60,
                stateful_step_count=30,
                suppress_health_check=list(HealthCheck),
            ),
        )
