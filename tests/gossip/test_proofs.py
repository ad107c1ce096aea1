"""Changes and positions are of their origin, or they do not count, whoever passes them on."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip import rows as rows_module
from edge.gossip.batches import BATCH
from edge.gossip.changes import CHUNK, Changes, Message, Repair, VersionVector
from edge.gossip.packet import LogPosition
from edge.gossip.replica import Replica
from edge.gossip.requests import DISTRUST_MS, WANT_MS, WANTS_EACH
from edge.gossip.rows import Rows
from simulation.keyring import HashKeyring, fingerprint
from tests.gossip.test_replica import NOW, converse, records, repair, table

replace = msgspec.structs.replace


def node(name: str) -> Replica:
    """A node with an empty table."""
    return Replica(name, Rows(":memory:", HashKeyring(name)), NOW)


def whole_log(of: Replica, by: Replica) -> Changes:
    """What *by* answers to who wants the whole log of *of*."""
    position = next(one for one in by.version_vector() if one.origin == of.node)
    asker = node("asker")
    (want,) = asker.notice(by.node, [position], NOW)
    (answer,) = by.receive("asker", want, NOW).replies
    assert isinstance(answer, Changes)
    return answer


class ProofTests(SynchronousTestCase):
    """An origin a, an honest node b, and a node evil that has a certificate."""

    def setUp(self) -> None:
        self.a, self.b = node("a"), node("b")
        for number in range(3):
            self.a.put(b"/%d" % number, 1, records(b"%d" % number), NOW)

    def receive(self, message: Message, peer: str = "evil", asked: bool = True) -> str:
        """*message* comes to b, who asked for it; why something of it was refused."""
        if asked and isinstance(message, Changes):
            self.b.notice(peer, [LogPosition(message.origin, message.generation, message.head)], NOW)
        return self.b.receive(peer, message, NOW).refused

    def test_a_third_node_passes_on_what_an_origin_signed_that_is_away_for_good(self) -> None:
        converse(self.a, self.b)
        c = node("c")
        converse(self.b, c)
        self.assertEqual(table(c), table(self.a))
        self.assertEqual(set(c.version_vector()) & set(self.a.version_vector()), set(self.a.version_vector()))
        repair(c, lone := node("d"))
        self.assertEqual(table(lone), table(self.a))

    def test_every_word_of_a_change_is_signed(self) -> None:
        answer = whole_log(self.a, self.a)
        path, sequence, clock, modified, found, batch = answer.items[0]
        assert found is not None
        record = found[0]
        for item in (
            (b"/other", sequence, clock, modified, found, batch), (path, 9, clock, modified, found, batch),
            (path, sequence, clock + 1, modified, found, batch), (path, sequence, clock, 7, found, batch),
            (path, sequence, clock, modified, None, batch),
            *((path, sequence, clock, modified, (changed,), batch) for changed in (
                (4, *record[1:]), (0, bytes(32), *record[2:]), (*record[:2], 9, *record[3:]),
                (*record[:3], record[4], record[4]), (*record[:4], record[3]),
            )),
        ):  # fmt: skip
            self.assertIn("not signed", self.receive(replace(answer, items=(item,)), asked=False))
            self.assertEqual(table(self.b), {})

    def test_nobody_publishes_under_the_name_of_another_node(self) -> None:
        evil = node("evil")
        evil.put(b"/0", 1, records(b"evil"), NOW + 9)
        answer = whole_log(evil, evil)
        for message in (
            replace(answer, origin="a"),
            Repair(answer.heads, tuple(("a", item) for item in answer.items), answer.batches),
            replace(answer, origin="a", batches=tuple(replace(one, origin="a") for one in answer.batches)),
        ):
            self.assertIn("not signed", self.receive(message))
            self.assertEqual(table(self.b), {})
        self.assertEqual(self.receive(answer), "")
        self.assertEqual(next(iter(table(self.b).values()))[1], "evil")

    def test_an_empty_chunk_of_the_highest_generation_seals_nothing_off(self) -> None:
        for generation in ((1 << 53) - 1, NOW):
            empty = Changes("a", generation, 0, (1 << 48) - 1, 0, 0, True, (), (), ())
            self.assertIn("has come so far", self.receive(empty))
        converse(self.a, self.b, NOW + 60_000)
        self.assertEqual(table(self.b), table(self.a))

    def test_what_is_said_of_a_log_counts_only_when_it_is_proved(self) -> None:
        """Neither a position, nor what is asked of others, nor this node's own log depends on it."""
        lie = (LogPosition("a", (1 << 53) - 1, (1 << 48) - 1), LogPosition("b", (1 << 53) - 1, 1 << 40))
        before = self.b.version_vector()
        self.assertEqual(len(self.b.notice("evil", lie, NOW)), 2)
        self.assertFalse(self.b.requests.is_distrusted("evil"))
        later = NOW + WANT_MS
        self.b.notice("evil", lie, later)
        self.assertTrue(self.b.requests.is_distrusted("evil"))
        self.assertEqual(self.b.version_vector(), before)
        self.assertEqual(self.b.notice("evil", lie, later + WANT_MS), [])  # for a while nothing is asked
        self.assertNotEqual(self.b.notice("evil", lie, later + WANT_MS + DISTRUST_MS), [])
        converse(self.a, self.b, later + 2 * WANT_MS)
        self.assertEqual(table(self.b), table(self.a))

    def test_a_peer_that_proves_something_is_trusted_again(self) -> None:
        self.receive(Changes("a", 5, 0, 9, 0, 0, True, (), (), ()), peer="c")
        self.assertTrue(self.b.requests.is_distrusted("c"))
        self.assertEqual(self.receive(whole_log(self.a, self.a), peer="c", asked=False), "")
        self.assertFalse(self.b.requests.is_distrusted("c"))

    def test_nobody_is_late_while_this_node_has_enough_to_do(self) -> None:
        for number in range(2 * CHUNK):
            self.a.put(b"/%d" % number, 1, records(b"%d" % number), NOW)
        (want,) = self.b.notice("a", self.a.version_vector(), NOW)
        (chunk,) = self.a.receive("b", want, NOW).replies
        received = self.b.receive("a", chunk, NOW)
        self.b.requests.hold(received.replies)
        later = NOW + 10 * WANT_MS
        self.assertEqual(self.b.notice("a", self.a.version_vector(), later), [])
        self.assertFalse(self.b.requests.is_distrusted("a"))
        self.b.requests.release(received.replies, later)
        self.assertEqual(self.b.notice("a", self.a.version_vector(), later + WANT_MS - 1), [])
        self.assertNotEqual(self.b.notice("a", self.a.version_vector(), later + WANT_MS), [])
        self.assertTrue(self.b.requests.is_distrusted("a"))

    def test_one_peer_is_asked_for_so_many_logs_at_once(self) -> None:
        lies = [LogPosition(f"o{number}", 1, 1) for number in range(2000)]
        asked = self.b.receive("evil", VersionVector(tuple(lies)), NOW).replies
        self.assertEqual(len(asked), WANTS_EACH)
        self.assertEqual(len(self.b.version_vector()), 1)

    def test_what_is_left_out_of_a_log_comes_with_the_next_repair(self) -> None:
        """A node may keep back what an origin signed: nobody can prove that it is all."""
        self.assertEqual(self.receive(replace(whole_log(self.a, self.a), items=())), "")
        self.assertEqual(table(self.b), {})
        repair(self.a, self.b)
        self.assertEqual(table(self.b), table(self.a))

    def test_batches_of_any_size_and_changes_that_replace_others_are_proved(self) -> None:
        random = Random(7)
        for number in range(5 * BATCH):
            self.a.put(b"/%d" % random.randrange(40), number, records(b"%d" % number), NOW)
            if random.random() < 0.1:
                converse(self.a, self.b)
        converse(self.a, self.b)
        self.assertEqual(table(self.b), table(self.a))
        self.assertEqual(self.b.counters["unproved"], 0)

    def test_a_revoked_node_proves_nothing_that_is_dated_later(self) -> None:
        converse(self.a, self.b)
        self.a.put(b"/0", 1, records(b"later"), NOW + 1000)
        self.a.put(b"/new", 1, records(b"later"), NOW + 1000)
        converse(self.a, self.b)
        keyring: Any = self.b._keyring
        keyring.revoked[fingerprint("a")] = NOW + 500
        self.assertEqual(set(self.b.revoke(keyring.revoked)), {b"/0", b"/new"})
        self.assertEqual(set(table(self.b)), {b"/1", b"/2"})
        self.assertEqual([one.origin for one in self.b.version_vector()], ["b"])
        self.assertIn("has come so far", self.receive(whole_log(self.a, self.a)))
        repair(self.a, self.b)
        self.assertEqual(set(table(self.b)), {b"/1", b"/2"})

    def test_a_node_with_a_new_certificate_signs_anew_what_it_published(self) -> None:
        """So that it outlives the authority of the old one."""
        for number in range(10):
            self.a.put(b"/%d" % number, 1, records(b"%d" % number), NOW)
        self.assertFalse(self.a.sign_anew(100, NOW))
        converse(self.a, self.b)
        keyring: Any = self.a._keyring
        keyring.own = bytes(16)
        self.patch(HashKeyring, "verify", lambda self, signer, node, *rest: signer in (bytes(16), self.own))
        self.assertEqual([self.a.sign_anew(4, NOW + 1) for _ in range(5)], [True, True, True, False, False])
        converse(self.a, self.b, NOW + 2)
        self.assertEqual(table(self.b), table(self.a))
        for path in table(self.b):
            found = self.b._rows.signed(path)
            assert found is not None
            batch = self.b._rows.batch(found[1])
            assert batch is not None
            self.assertEqual(batch.signer, bytes(16))

    def test_header_lines_and_batches_are_forgotten_when_nothing_refers_to_them(self) -> None:
        for turn in range(40):
            for number in range(20):
                lines = b"X-%d-%d: y\r\n" % (turn, number)
                self.a.put(b"/%d" % number, 1, records(b"%d" % turn, lines), NOW + turn)
            self.a.save(NOW + turn)
            converse(self.a, self.b)
        for replica in (self.a, self.b):
            counted = {
                one: replica._rows._db.execute(f"SELECT COUNT(*) FROM {one}").fetchone()[0]
                for one in ("heads", "batches", "changes")
            }
            self.assertEqual(counted["changes"], 20)
            self.assertLessEqual(counted["heads"], 21)
            self.assertLessEqual(counted["batches"], 2)
            self.assertLessEqual(len(replica._rows._lines), 21)

    def test_a_node_has_room_for_so_much_of_another(self) -> None:
        self.patch(rows_module, "PATHS_EACH", 2)
        self.assertEqual(self.receive(whole_log(self.a, self.a)), "")
        self.assertEqual((len(table(self.b)), self.b.counters["no_room"]), (2, 1))
        self.assertFalse(self.b.requests.is_distrusted("evil"))
        self.b.put(b"/mine", 1, records(b"mine"), NOW)
        self.assertIn(b"/mine", table(self.b))


class KeptProofTests(SynchronousTestCase):
    """What is on the disk is compared with what was signed."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = str(self.folder / "replica.sqlite")
        self.a, self.b = node("a"), Replica("b", Rows.open(self.path, HashKeyring("b")), NOW)
        for number in range(3 * BATCH):
            self.a.put(b"/%d" % number, 1, records(b"%d" % number), NOW)
        converse(self.a, self.b)
        self.b.put(b"/own", 1, records(b"own"), NOW)
        self.b.save(NOW)
        self.b._rows.close()

    def edit(self, statement: str) -> Replica:
        """The node b after *statement* was done to its file."""
        db = sqlite3.connect(self.path)
        with db:
            db.execute(statement)
        db.close()
        return Replica("b", Rows.open(self.path, HashKeyring("b")), NOW)

    def test_nothing_is_lost_over_a_restart(self) -> None:
        again = self.edit("SELECT 1")
        self.assertEqual(again._rows.problem, "")
        self.assertEqual(len(table(again)), 3 * BATCH + 1)
        lone = node("c")
        converse(again, lone)
        self.assertEqual(table(lone), table(again))

    def test_a_flipped_bit_in_any_column_is_found_and_mended_by_the_others(self) -> None:
        sound = Path(self.path).read_bytes()
        for change in (
            "clock=clock+1", "clock=clock-65536", "modified=2", "sequence=sequence+1", "origin=origin+1",
            "rank=0", "bucket=bucket+1", "batch=batch+1", "batch=99",
            "records=NULL", "path=CAST('/x' AS BLOB)",
            "records=CAST(substr(records, 1, 10) || x'ff' || substr(records, 12) AS BLOB)",
            "records=x'c1'", "clock='text'",
        ):  # fmt: skip
            Path(self.path).write_bytes(sound)
            again = self.edit(f"UPDATE changes SET {change} WHERE path=CAST('/7' AS BLOB)")
            self.assertIn("1 rows", again._rows.problem, change)
            self.assertNotIn(b"/7", table(again), change)
            repair(self.a, again)
            self.assertEqual({**table(again), b"/own": ()}, {**table(self.a), b"/own": ()}, change)
            again._rows.close()

    def test_header_lines_signatures_and_positions_are_proved_as_well(self) -> None:
        for statement in (
            "UPDATE heads SET lines=CAST('Set-Cookie: x' || x'0d0a' AS BLOB) WHERE id=1",
            "UPDATE batches SET hashes=substr(hashes, 2) || x'00'",
            "UPDATE batches SET signature=id",
            "UPDATE origins SET sequence=sequence+5 WHERE name='a'",
            "UPDATE signers SET chain=x'91c40161'",
        ):
            again = self.edit(statement)
            converse(self.a, again)
            repair(self.a, again)
            found = table(again)
            self.assertEqual({path: found[path] for path in table(self.a)}, table(self.a), statement)
            again.save(NOW)
            again._rows.close()
