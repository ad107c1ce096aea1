"""Histories with everything that histories have, and what is expected of a week."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.plan.curve import daily_shares
from loadgen.plan.forecast import WEEK, forecast, quantile
from loadgen.plan.history import History, Sample, parse, zone

UTC = timezone.utc
#: A Monday.
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


def weeks(count: int) -> list[Sample]:
    """A sample an hour, in which the hour h of week w has the rate 1000 h + w."""
    return [
        Sample(BEGIN + timedelta(hours=week * WEEK + hour), 1000 * hour + week)
        for week in range(count)
        for hour in range(WEEK)
    ]


def lines(*texts: str) -> History:
    """A history of these lines."""
    return parse(texts, "load.csv", UTC)


class HistoryTests(SynchronousTestCase):
    """Lines become samples."""

    def test_unix_seconds_and_iso_times(self) -> None:
        """Both are moments."""
        found = lines(
            "timestamp,requests_per_second", "0631152000,5", "2026-01-05T00:00:00Z, 7.5", "", "# no"
        )
        self.assertEqual(found.samples[-1], Sample(BEGIN, 7.5))
        self.assertEqual(len(found.samples), 2)

    def test_a_time_without_offset_is_the_plans_wall_clock(self) -> None:
        """An hour earlier in UTC, in winter."""
        found = parse(["2026-01-05T01:00:00,1"], "load.csv", zone("Europe/Berlin"))
        self.assertEqual(found.samples[0].at, BEGIN)

    def test_garbage_is_told_by_its_line(self) -> None:
        """Several at once, each with what is wrong."""
        error = self.assertRaises(
            UsageError,
            lines,
            "2026-01-05T00:00:00Z,1",
            "hello",
            "2026-01-05T01:00:00Z,-3",
            "2026-01-05T02:00:00Z,nan",
            "2026-13-05T02:00:00Z,4",
            "1767571200000,4",
        )
        told = str(error).splitlines()
        self.assertEqual([line.split(":")[1].strip() for line in told], [f"line {n}" for n in range(2, 7)])
        self.assertIn("write timestamp,requests_per_second", told[0])
        self.assertIn("from 0 to 1e12", told[1])
        self.assertIn("neither Unix seconds nor like", told[3])
        self.assertIn("milliseconds?", told[4])

    def test_a_file_of_garbage_does_not_fill_the_screen(self) -> None:
        """Five lines are enough."""
        error = self.assertRaises(UsageError, lines, *["x"] * 1000)
        self.assertEqual(len(str(error).splitlines()), 5)

    def test_of_equal_times_the_higher_rate_counts(self) -> None:
        """In any order, and it is counted."""
        found = lines("1767571200,5", "2026-01-05T00:00:00Z,9", "1767571200,7")
        self.assertEqual((found.samples[0].rate, found.duplicates), (9, 2))

    def test_nothing_is_no_history(self) -> None:
        """A heading alone neither."""
        self.assertIn("no sample", str(self.assertRaises(UsageError, lines, "timestamp,requests_per_second")))

    def test_an_unknown_zone_is_told(self) -> None:
        """Also names that are paths."""
        for name in ("Mars/Olympus", "../etc/passwd", ""):
            self.assertIn("Europe/Berlin", str(self.assertRaises(UsageError, zone, name)))

    @given(st.text(max_size=60))
    def test_no_line_is_a_traceback(self, text: str) -> None:
        """Whatever it holds, it is a sample, skipped or refused."""
        try:
            parse([text], "load.csv", UTC)
        except UsageError:
            return


class ForecastTests(SynchronousTestCase):
    """The week to expect."""

    def test_each_hour_is_a_quantile_of_itself(self) -> None:
        """Of twenty weeks the 0.95 quantile is the second highest; the median the tenth."""
        high, middle = forecast(weeks(20), 0.95, UTC), forecast(weeks(20), 0.5, UTC)
        self.assertEqual(high.rates, tuple(1000.0 * hour + 18 for hour in range(WEEK)))
        self.assertEqual(middle.rates[5], 5009)
        self.assertEqual((high.guessed, high.weeks), ((), 20))

    def test_a_gap_is_no_quiet_hour(self) -> None:
        """Tuesdays are missing: each hour is as high as the same hour of the highest other day."""
        samples = [sample for sample in weeks(2) if sample.at.weekday() != 1]
        found = forecast(samples, 1.0, UTC)
        self.assertEqual(found.guessed, tuple(range(24, 48)))
        self.assertEqual(found.rates[24 + 3], 1000 * (6 * 24 + 3) + 1)

    def test_a_lone_sample_stands_for_all(self) -> None:
        """There is nothing better."""
        self.assertEqual(set(forecast([Sample(BEGIN, 7)], 0.9, UTC).rates), {7})

    def test_the_evening_stays_the_evening_when_the_clock_changes(self) -> None:
        """Berlin, spring 2026: a peak at 20:00 of the wall clock before and after, at other times in UTC."""
        berlin = zone("Europe/Berlin")
        begin = datetime(2026, 3, 16, tzinfo=berlin)
        samples = []
        for hour in range(28 * 24):
            at = begin.astimezone(UTC) + timedelta(hours=hour)
            samples.append(Sample(at, 900.0 if at.astimezone(berlin).hour == 20 else 100.0))
        found = forecast(samples, 0.9, berlin)
        self.assertEqual({hour % 24 for hour, rate in enumerate(found.rates) if rate == 900}, {20})
        wrong = forecast(samples, 0.9, UTC)
        self.assertEqual({hour % 24 for hour, rate in enumerate(wrong.rates) if rate == 900}, {18, 19})

    def test_the_hour_that_comes_twice_in_autumn(self) -> None:
        """Both passes are of the same hour; naive times are no error."""
        berlin = zone("Europe/Berlin")
        texts = ["2026-10-25T00:30:00Z,5", "2026-10-25T01:30:00Z,8", "2026-10-25T02:30:00,3"]
        found = parse(texts, "load.csv", berlin)
        self.assertEqual(len(found.samples), 2)
        expected = forecast(found.samples, 1.0, berlin)
        self.assertEqual(expected.rates[6 * 24 + 2], 8)

    @given(st.lists(st.floats(0, 1e9), min_size=1, max_size=50), st.floats(0.5, 1), st.floats(0.5, 1))
    def test_a_quantile_is_one_of_the_values_and_grows(
        self, values: list[float], one: float, other: float
    ) -> None:
        """Half of the values at least are not above it."""
        low, high = sorted((one, other))
        self.assertIn(quantile(values, low), values)
        self.assertLessEqual(quantile(values, low), quantile(values, high))
        self.assertEqual(quantile(values, 1.0), max(values))


class CurveTests(SynchronousTestCase):
    """The day without a history."""

    @given(st.floats(1, 12), st.integers(0, 23))
    def test_it_has_the_peak_to_mean_that_it_should(self, ratio: float, hour: int) -> None:
        """At the hour that it should, and it falls on both sides; hours are a fair sample of the wave."""
        shares = daily_shares(ratio, hour)
        self.assertEqual(shares[hour], 1.0)
        self.assertAlmostEqual(24 / sum(shares) / ratio, 1, 2)
        falling = [shares[(hour + step) % 24] for step in range(13)]
        self.assertTrue(all(one >= other - 1e-12 for one, other in pairwise(falling)))
