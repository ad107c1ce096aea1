"""Certificates that take care of themselves: who does what when, and how nodes agree again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from edge.trust.automatic import (
    AHEAD,
    AT_LEAST,
    AWAY,
    CLAIM_SECONDS,
    FIRST,
    INVALID,
    LIMITED,
    LONGEST_LIFE,
    LONGEST_REST,
    REFUSED,
    STEP,
    TURN,
    Account,
    Attempt,
    Issued,
    Record,
    Trouble,
    Turn,
    Window,
    decode,
    encode,
)

DAY = 86_400.0
NAMES = ("a.example", "b.example")
EMPTY = Record("https://ca.example/dir", NAMES)
ISSUED = Issued(1000 * DAY, 1090 * DAY, "chain", "key")


class Looks:
    """What a node finds when it looks; *live*: a letter for each node."""

    def __init__(self, me: str) -> None:
        self.turn = Turn(me)

    def __call__(self, record: Record, live: str, now: float, steady: float | None = None) -> bool:
        return self.turn.has_come(record, list(live), now, now if steady is None else steady)


def is_due(record: Record, now: float) -> bool:
    """Whether a node alone orders."""
    return Looks("a")(record, "a", now)


class TurnTests(SynchronousTestCase):
    """Whose turn it is."""

    def test_the_first_by_name_orders_at_once_and_the_others_later(self) -> None:
        self.assertTrue(Looks("a")(EMPTY, "abc", 1e9))
        self.assertTrue(Looks("b")(EMPTY, "b", 1e9))
        third = Looks("c")
        self.assertFalse(third(EMPTY, "abc", 1e9))
        self.assertFalse(third(EMPTY, "abc", 1e9 + 2 * TURN - 1))
        self.assertTrue(third(EMPTY, "abc", 1e9 + 2 * TURN))

    def test_what_changes_begins_the_wait_anew(self) -> None:
        """However long ago it has been due by the date."""
        record = EMPTY.given("a", ISSUED, 0.0)
        second, late = Looks("b"), 2000 * DAY
        self.assertFalse(second(record, "ab", 1001 * DAY, 0.0))
        self.assertFalse(second(record, "ab", late, 1e6), "it has become due this moment")
        self.assertFalse(second(record.wished(), "ab", late, 1e6 + TURN), "somebody has changed it")
        self.assertTrue(second(record.wished(), "b", late, 1e6 + TURN), "it is alone now")

    def test_while_a_live_one_orders_the_others_wait_and_take_over_when_it_dies(self) -> None:
        claimed = EMPTY.claimed("b", 100.0)
        first, third = Looks("a"), Looks("c")
        for now in (101.0, 200.0):
            self.assertFalse(first(claimed, "abc", now) or third(claimed, "abc", now))
        self.assertTrue(first(claimed, "ac", 201.0))
        self.assertFalse(third(claimed, "ac", 201.0))
        self.assertTrue(third(claimed, "ac", 201.0 + TURN))

    def test_a_claim_ends_though_its_node_lives(self) -> None:
        claimed = EMPTY.claimed("b", 100.0)
        self.assertTrue(Looks("a")(claimed, "ab", 100.0 + CLAIM_SECONDS))

    def test_one_that_was_started_again_goes_on_but_not_for_ever(self) -> None:
        record = EMPTY.claimed("a", 100.0)
        for _ in range(2):
            self.assertTrue(is_due(record, 100.0))
            record = record.claimed("a", 100.0)
        record = record.claimed("a", 100.0)
        self.assertFalse(is_due(record, 100.0 + 20 * 60 - 1))
        self.assertTrue(is_due(record, 100.0 + 20 * 60))


class TimeTests(SynchronousTestCase):
    """When something is due."""

    def test_at_two_thirds_or_when_the_authority_likes(self) -> None:
        record = EMPTY.given("a", ISSUED, 0.0)
        self.assertEqual(record.due(0.0), 1060 * DAY)
        asked = record.asked("a", Window(1020 * DAY, 1030 * DAY, 1001 * DAY), 1000 * DAY, 0.5)
        self.assertEqual((asked.due(0.0), asked.attempt.ask_at), (1025 * DAY, 1001 * DAY))
        again = asked.asked("a", Window(1024 * DAY, 1034 * DAY, 1002 * DAY), 1001 * DAY, 0.9)
        self.assertEqual(again.due(0.0), 1025 * DAY, "what was chosen stays while it is in the window")
        revoked = again.asked("a", Window(999 * DAY, 1000 * DAY, 1003 * DAY), 1002 * DAY, 0.0)
        self.assertTrue(is_due(revoked, 1002 * DAY))
        late = record.asked("a", Window(2000 * DAY, 2001 * DAY, 0.0), 0.0, 0.0)
        self.assertEqual(late.due(0.0), ISSUED.ends)

    def test_without_an_answer_it_is_two_thirds_and_asked_again_tomorrow(self) -> None:
        record = EMPTY.given("a", ISSUED, 0.0).asked("a", None, 1001 * DAY, 0.5)
        self.assertEqual((record.due(0.0), record.attempt.ask_at), (1060 * DAY, 1002 * DAY))

    def rests(self, kind: str, rest: float = 0.0) -> list[float]:
        """Minutes between failures of one *kind*."""
        record, found = EMPTY, []
        for _ in range(12):
            record = record.claimed("a", 0.0).failed("a", Trouble(kind, "why", rest), 0.0, 1.0)
            found.append(record.due(0.0) / 60)
        return found

    def test_failures_are_followed_by_longer_and_longer_rests(self) -> None:
        self.assertEqual(self.rests(AWAY)[:8], [1, 2, 4, 8, 16, 32, 60, 60])
        for kind in (REFUSED, INVALID):
            self.assertEqual(self.rests(kind)[:9], [5, 10, 20, 40, 80, 160, 320, 640, 720])
        self.assertEqual(self.rests(LIMITED)[:5], [60, 120, 240, 480, 720])
        self.assertEqual(self.rests(AWAY)[-1], 60)

    def test_five_failed_validations_take_longer_than_an_hour(self) -> None:
        self.assertGreater(sum(self.rests(INVALID)[:4]) * 0.9, 60)

    def test_the_authority_is_left_alone_as_long_as_it_wants_within_reason(self) -> None:
        self.assertEqual(self.rests(LIMITED, 7 * DAY)[0], 7 * DAY / 60)
        self.assertEqual(self.rests(AWAY, 1e12)[0], LONGEST_REST / 60)

    def test_somebody_who_mended_something_need_not_wait(self) -> None:
        failed = EMPTY.given("a", ISSUED, 0.0).failed("a", Trouble(INVALID, "why"), 1060 * DAY, 1.0)
        self.assertFalse(is_due(failed, 1060 * DAY + 1))
        self.assertTrue(is_due(failed.wished(), 1060 * DAY + 1))
        broken_off = EMPTY
        for _ in range(4):
            broken_off = broken_off.claimed("a", 100.0)
        self.assertFalse(is_due(broken_off, 101.0))
        self.assertTrue(is_due(broken_off.wished(), 101.0))

    def test_a_wish_is_kept_whatever_happens_at_the_same_moment_until_an_order_takes_it_up(self) -> None:
        given, now = EMPTY.given("a", ISSUED, 1000 * DAY), 1000 * DAY + 1
        window = Window(1020 * DAY, 1030 * DAY, 1001 * DAY)
        asked = given.asked("b", window, now, 0.5)
        for record in (given.wished().asked("a", window, now, 0.5), given.wished().merged(asked)):
            self.assertTrue(is_due(record, now))
            ordering = record.claimed("a", now)
            failed = ordering.failed("a", Trouble(AWAY, "why"), now, 1.0)
            self.assertFalse(is_due(failed, now + 1))
            self.assertTrue(is_due(failed.asked("b", window, now + 1, 0.5), now + 60), "as what has failed")
            self.assertFalse(is_due(ordering.given("a", ISSUED, now), now + 1))
            again = ordering.wished()
            self.assertTrue(is_due(again.failed("a", Trouble(INVALID, "why"), now, 1.0), now + 1))
            self.assertFalse(is_due(again.given("a", ISSUED, now), now + 1), "it has got one since")

    def test_an_authority_that_wants_each_one_renewed_at_once_is_not_obeyed(self) -> None:
        record = EMPTY.given("a", ISSUED, 1000 * DAY)
        asked = record.asked("a", Window(0.0, 1.0, 0.0), 1000 * DAY, 0.0)
        self.assertFalse(is_due(asked, 1000 * DAY + AT_LEAST - 1))
        self.assertTrue(is_due(asked, 1000 * DAY + AT_LEAST))

    def test_success_forgets_what_failed(self) -> None:
        record = (
            EMPTY.failed("a", Trouble(INVALID, "why"), 0.0, 1.0).claimed("a", 1.0).given("a", ISSUED, 0.0)
        )
        self.assertEqual((record.attempt.error, record.attempt.failures, record.attempt.orderer), ("", 0, ""))


_NUMBERS = st.floats(0, 4)
_TEXTS = st.sampled_from(["", "x", "y"])
RECORDS = st.builds(
    Record,
    st.just(EMPTY.directory),
    st.just(NAMES),
    st.none() | st.builds(Account, _NUMBERS, _TEXTS),
    st.none() | st.builds(Issued, _NUMBERS, _NUMBERS, _TEXTS, _TEXTS),
    st.builds(Attempt, version=st.integers(0, 2), node=_TEXTS, orderer=_TEXTS, since=_NUMBERS),
    st.integers(0, 2),
)


class MergeTests(SynchronousTestCase):
    """Nodes that were apart."""

    @given(RECORDS, RECORDS, RECORDS)
    def test_whoever_meets_whom_all_agree(self, one: Record, two: Record, three: Record) -> None:
        self.assertEqual(one.merged(two), two.merged(one))
        self.assertEqual(one.merged(two).merged(three), one.merged(two.merged(three)))
        self.assertEqual(one.merged(one), one)
        self.assertEqual(one.merged(two).merged(two), one.merged(two))

    def test_an_error_elsewhere_takes_no_certificate_away(self) -> None:
        given = EMPTY.claimed("a", 0.0).given("a", ISSUED, 0.0)
        failed = EMPTY.claimed("b", 0.0).failed("b", Trouble(AWAY, "why"), 1.0, 1.0).claimed("b", 2.0)
        self.assertEqual(failed.merged(given).issued, ISSUED)

    def test_the_certificate_that_began_last_counts_also_if_it_ends_sooner(self) -> None:
        shorter = Issued(1001 * DAY, 1007 * DAY, "other", "key")
        self.assertEqual(EMPTY.given("a", ISSUED, 0.0).merged(EMPTY.given("b", shorter, 0.0)).issued, shorter)

    def test_it_is_passed_on_whole_and_what_is_none_is_refused(self) -> None:
        record = EMPTY.given("a", ISSUED, 0.0)
        self.assertEqual(decode(encode(record)), record)
        for data in (b"", b"\x80", b"x" * 70_000, encode(record)[:-3]):
            with self.assertRaises(ValueError):
                decode(data)

    def test_what_could_do_harm_is_refused(self) -> None:
        record = EMPTY.claimed("a", 1.0)
        for harm in (
            {"since": float("nan")},
            {"retry_at": 1e300},
            {"ask_at": -1.0},
            {"version": 1 << 62},
            {"failures": -1},
            {"node": "n" * 64},
            {"paths": ("../../index.html",)},
            {"paths": ("caf\u00e9",)},
            {"error": "\x1b[2J"},
            {"error": "x" * 3000},
        ):
            with self.assertRaises(ValueError, msg=str(harm)):
                decode(encode(replace(record, attempt=replace(record.attempt, **harm))))

    def test_what_a_clock_that_is_years_ahead_wrote_is_not_believed_for_long(self) -> None:
        ahead, now = 1e9, 1030 * DAY
        given_up = EMPTY.failed("a", Trouble(LIMITED, "why", 1e12), now, 1.0)
        failed = EMPTY.failed("a", Trouble(AWAY, "why"), now + ahead, 1.0)
        self.assertEqual(failed.due(now), 0.0)
        self.assertEqual(given_up.due(now + 1), now + LONGEST_REST)
        claimed = EMPTY.claimed("b", now + ahead)
        self.assertTrue(Looks("a")(claimed, "ab", now))
        given = EMPTY.given("a", ISSUED, now)
        asked = given.asked("a", None, now + ahead, 0.0)
        self.assertTrue(asked.should_ask(now))
        self.assertFalse(given.asked("a", None, now, 0.0).should_ask(now + 1))

    def test_what_one_bad_node_says_ends_with_it(self) -> None:
        """Its number leaves room for others; neither its certificate nor its rest stops renewals."""
        now = 1030 * DAY
        record = EMPTY.claimed("a", now).failed("a", Trouble(AWAY, "why"), now, 1.0)
        for version in (record.attempt.version + STEP + 1, (1 << 62) - 1):
            lie = replace(record, attempt=replace(record.attempt, version=version))
            with self.assertRaisesRegex(ValueError, "nobody can have reached"):
                record.believed(decode(encode(lie)), now)
        with self.assertRaisesRegex(ValueError, "nobody can have reached"):
            EMPTY.believed(replace(EMPTY, attempt=Attempt(FIRST + 1)), now)
        with self.assertRaisesRegex(ValueError, "more wishes than anybody"):
            EMPTY.believed(replace(EMPTY, wishes=FIRST + 1), now)
        for lie in (Attempt(1, answered=1), Attempt(1, taken=1)):
            with self.assertRaisesRegex(ValueError, "more wishes come true"):
                EMPTY.believed(replace(EMPTY, attempt=lie), now)
        with self.assertRaisesRegex(ValueError, "more wishes than anybody"):
            EMPTY.wished().believed(replace(EMPTY, wishes=STEP + 2), now)
        ahead = replace(record, attempt=replace(record.attempt, version=record.attempt.version + STEP))
        taken = record.merged(record.believed(ahead, now))
        self.assertEqual(taken.merged(taken.claimed("b", now)).attempt.orderer, "b")
        decode(encode(taken.claimed("b", now)))
        future = replace(record, issued=Issued(now + AHEAD + 1, now + 9 * DAY, "chain", "key"))
        with self.assertRaisesRegex(ValueError, "begins in the future"):
            record.believed(future, now)
        with self.assertRaisesRegex(ValueError, "not what it says"):
            record.believed(replace(record, issued=ISSUED), now)
        for_ever = EMPTY.given("a", Issued(now, 1e10, "chain", "key"), now)
        self.assertLess(for_ever.due(now), now + LONGEST_LIFE)
        resting = replace(for_ever, attempt=replace(for_ever.attempt, retry_at=9e10))
        self.assertLess(resting.due(now), now + LONGEST_LIFE)

    def test_no_key_is_in_a_text_about_it(self) -> None:
        record = Record("d", NAMES, Account(1.0, "SECRET"), Issued(1.0, 2.0, "chain", "SECRET"))
        self.assertNotIn("SECRET", repr(record))
