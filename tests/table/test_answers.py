"""Answers of applications in the table: beside files, in their place, and making room for them."""

from __future__ import annotations

import hashlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.record import AnswerRecord
from edge.resource import Representation, etag_of
from edge.table.layout import ticks_of
from edge.table.reader import Reader
from edge.table.segment import Segment
from edge.table.writer import StoredAnswer, Writer
from tests.table.samples import resource, version_of

NOW = 1_000_000


def answer(
    name: bytes, number: int, size: int = 100, variants: tuple[int, ...] = (0,), status: int = 200
) -> StoredAnswer:
    """Version *number* of the answer under *name*, fresh for a minute."""
    made = []
    for variant in variants:
        body = (b"%b %d %d " % (name, number, variant) * (size // 4 + 1))[:size]
        digest = hashlib.sha256(body).digest()
        made.append(
            Representation(variant, etag_of(digest), digest, size, b"X: %d\r\n" % (number % 3), b"", body)
        )
    record = AnswerRecord(name, status, number, 60, 1, 2, groups=b'"g%d"' % number, born=ticks_of(NOW))
    return StoredAnswer(name, tuple(made), record.pack(), ticks_of(NOW + 60_000), plain=status == 200)


class AnswerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.segment = Segment.create(capacity=64, arena_bytes=1 << 16)
        self.addCleanup(self.segment.close)
        self.writer = Writer(self.segment)
        self.now = NOW
        self.reader = Reader(self.segment, 0, lambda: self.now)
        self.gone: list[int] = []
        self.writer.answer_gone = self.gone.append

    def test_it_is_found_by_its_name_and_is_no_file(self) -> None:
        number = self.writer.put_answer(answer(b"/a?x", 7, variants=(0, 2)))
        self.assertIsNotNone(number)
        found = self.reader.find_answer(b"/a?x", lambda variants: 2)
        assert found is not None
        self.assertEqual((found.body[:10], found.record.date, found.record.status), (b"/a?x 7 2 /", 7, 200))
        self.assertEqual((found.fresh, found.age, found.remaining), (True, 0, 60.0))
        self.assertIsNone(self.reader.find(b"/a?x"))
        self.assertFalse(self.reader.is_file(b"/a?x"))
        self.assertEqual([self.reader.has_answer(name) for name in (b"/a?x", b"/a")], [True, False])
        self.assertEqual(self.segment.sequence, 0)

    def test_it_ages_and_is_over_when_its_time_is(self) -> None:
        self.writer.put_answer(answer(b"/a", 1))
        for after, fresh, age in ((59_900, True, 59), (60_000, False, 60), (-5_000, True, 0)):
            self.now = NOW + after
            found = self.reader.find_answer(b"/a")
            assert found is not None
            self.assertEqual((found.fresh, found.age), (fresh, age))

    def test_a_file_wins_and_takes_its_place(self) -> None:
        number = self.writer.put_answer(answer(b"/a", 1, variants=(0, 1, 2)))
        self.assertTrue(self.writer.put(resource(b"/a", 5)))
        self.assertEqual(self.gone, [number])
        self.assertEqual(version_of(self.reader, b"/a"), 5)
        self.assertIsNone(self.reader.find_answer(b"/a"))
        self.assertFalse(self.reader.has_answer(b"/a"))
        self.assertIsNone(self.writer.put_answer(answer(b"/a", 2)))
        self.assertEqual(self.writer.statistics()["entries"], 1)

    def test_the_site_cannot_take_it_away_and_the_cache_can(self) -> None:
        number = self.writer.put_answer(answer(b"/a", 1, variants=(0, 2)))
        assert number is not None
        self.assertFalse(self.writer.remove(b"/a"))
        self.assertTrue(self.writer.remove_answer(number))
        self.assertFalse(self.writer.remove_answer(number))
        self.assertEqual((self.gone, self.writer.statistics()["entries"]), ([number], 0))

    def test_a_newer_one_takes_its_place_without_a_word(self) -> None:
        first = self.writer.put_answer(answer(b"/a", 1, variants=(0, 1, 2)))
        self.assertEqual(self.writer.put_answer(answer(b"/a", 2, status=404)), first)
        found = self.reader.find_answer(
            b"/a", lambda variants: max(v for v in range(12) if variants >> v & 1)
        )
        assert found is not None
        self.assertEqual((found.body[:5], found.record.status), (b"/a 2 ", 404))
        self.assertEqual(self.gone, [])

    def test_it_is_fresh_for_longer_when_that_is_said(self) -> None:
        number = self.writer.put_answer(answer(b"/a", 1, variants=(0, 2)))
        assert number is not None
        self.now = NOW + 60_500
        self.writer.prolong_answer(number, ticks_of(NOW + 61_000))
        for variant in (0, 2):
            found = self.reader.find_answer(b"/a", lambda variants, wanted=variant: wanted)  # type: ignore[misc]
            assert found is not None
            self.assertTrue(found.fresh)

    def test_answers_make_room_for_files(self) -> None:
        numbers = [self.writer.put_answer(answer(b"/%d" % n, n, size=6000)) for n in range(8)]

        def make_room() -> bool:
            return bool(numbers) and self.writer.remove_answer(numbers.pop(0) or 0)

        self.writer.make_room = make_room
        for n in range(8):
            self.assertTrue(self.writer.put(resource(b"/f%d" % n, n, size=6000)))
            self.assertEqual(version_of(self.reader, b"/f%d" % n), n)
        self.assertEqual(self.writer.statistics()["spilled"], 0)
        self.assertLessEqual(len(numbers), 2)

    def test_without_room_there_is_no_answer_and_no_leak(self) -> None:
        self.assertIsNone(self.writer.put_answer(answer(b"/a", 1, size=1 << 17)))
        self.assertEqual(self.writer.statistics()["entries"], 0)
        self.writer.reclaim()
        self.assertEqual(self.writer.statistics()["arena_free_bytes"], 1 << 16)

    def test_what_answers_take_is_known(self) -> None:
        number = self.writer.put_answer(answer(b"/a", 1, size=1000, variants=(0, 2)))
        taken = self.writer.statistics()["answer_bytes"]
        self.assertTrue(2000 < taken < 2300)
        heir = Writer(self.segment)
        heir.recover()
        self.assertEqual(heir.statistics()["answer_bytes"], taken)
        heir.put(resource(b"/a", 1))
        self.assertEqual(heir.statistics()["answer_bytes"], 0)
        assert number is not None

    def test_another_writer_takes_over(self) -> None:
        number = self.writer.put_answer(answer(b"/a", 1, variants=(0, 2)))
        self.writer.put(resource(b"/f", 3))
        heir = Writer(self.segment)
        self.assertEqual(heir.recover(), 0)
        self.assertEqual(heir.find_answer(b"/a"), number)
        assert number is not None
        heir.remove_answer(number)
        heir.remove(b"/f")
        heir.reclaim()
        self.assertEqual(heir.statistics()["arena_free_bytes"], 1 << 16)


class TableMachine(RuleBasedStateMachine):
    """Files and answers, come and gone in any order, in a table that is too small for them."""

    NAMES = (b"/a", b"/b", b"/c", b"/d", b"/a?x", b"/b?x")

    def __init__(self) -> None:
        super().__init__()
        self.segment = Segment.create(capacity=24, arena_bytes=1 << 14)
        self.writer = Writer(self.segment)
        self.reader = Reader(self.segment, 0, lambda: NOW)
        self.files: dict[bytes, int] = {}
        #: Name -> (version, number of its slot).
        self.answers: dict[bytes, tuple[int, int]] = {}
        self.version = 0
        self.writer.answer_gone = self._gone
        self.writer.make_room = self._make_room

    def _gone(self, number: int) -> None:
        (name,) = [name for name, (_, at) in self.answers.items() if at == number]
        del self.answers[name]

    def _make_room(self) -> bool:
        return bool(self.answers) and self.writer.remove_answer(next(iter(self.answers.values()))[1])

    @rule(name=st.sampled_from(NAMES[:4]), size=st.sampled_from([0, 60, 1000, 6000]))
    def publish(self, name: bytes, size: int) -> None:
        self.version += 1
        if self.writer.put(resource(name, self.version, (0, 2), size), lambda one: None):
            self.files[name] = self.version
        else:
            self.files.pop(name, None)

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: bytes) -> None:
        assert self.writer.remove(name) == (name in self.files)
        self.files.pop(name, None)

    @rule(name=st.sampled_from(NAMES), size=st.sampled_from([0, 60, 1000, 6000]), coded=st.booleans())
    def store(self, name: bytes, size: int, coded: bool) -> None:
        self.version += 1
        number = self.writer.put_answer(answer(name, self.version, size, (0, 1, 2) if coded else (0,)))
        if number is None:
            assert name in self.files or name not in self.answers
        else:
            self.answers[name] = self.version, number

    @rule(name=st.sampled_from(NAMES))
    def evict(self, name: bytes) -> None:
        if name in self.answers:
            assert self.writer.remove_answer(self.answers[name][1])

    @rule()
    def take_over(self) -> None:
        self.writer = Writer(self.segment)
        assert not self.writer.recover()
        self.writer.answer_gone = self._gone
        self.writer.make_room = self._make_room

    @invariant()
    def everything_is_found_whole(self) -> None:
        for name in self.NAMES:
            assert version_of(self.reader, name) == self.files.get(name)
            found = self.reader.find_answer(name)
            assert (found is None) == (name not in self.answers)
            if found is not None:
                version, number = self.answers[name]
                assert found.record.date == version
                assert not found.body or found.body.startswith(b"%b %d 0 " % (name, version))
                assert self.writer.find_answer(name) == number

    def teardown(self) -> None:
        for name in list(self.answers):
            self.evict(name)
        for name in list(self.files):
            self.remove(name)
        self.writer.reclaim()
        assert self.writer.statistics()["arena_free_bytes"] == 1 << 14
        assert self.writer.statistics()["entries"] == self.writer.statistics()["answer_bytes"] == 0
        self.segment.close()


class TableStateTests(SynchronousTestCase):
    def test_whatever_comes_and_goes_everything_is_found_whole(self) -> None:
        case = TableMachine.TestCase
        case.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
        case("runTest").debug()
