"""When burst machines run, and what is paid for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.plan.cost import MONTH_HOURS, Run, burst_euros, price, schedule
from loadgen.plan.inputs import Burst

DAY = 24


def burst(**changes: float) -> Burst:
    """A tenth of a euro an hour, half an hour to boot, begun hours are paid."""
    plain = {"count_max": 9, "eur_per_hour": 0.1, "boot_s": 1800.0, "billed_s": 3600.0}
    return Burst(**{**plain, **changes})  # type: ignore[arg-type]


def day(**hours: int) -> list[int]:
    """Machines needed: ``h20=3``."""
    return [hours.get(f"h{hour}", 0) for hour in range(DAY)]


class ScheduleTests(SynchronousTestCase):
    """Orders and stops."""

    def test_a_machine_is_ordered_its_boot_time_before(self) -> None:
        """And stopped at the end of the last hour that needs it."""
        self.assertEqual(schedule(day(h19=1, h20=2, h21=1), burst()), [Run(1, 18.5, 22), Run(2, 19.5, 21)])

    def test_nothing_needed_is_nothing_ordered(self) -> None:
        """And costs nothing."""
        self.assertEqual(schedule(day(), burst()), [])
        self.assertEqual(burst_euros([], DAY, burst()), 0)

    def test_a_run_through_midnight_is_one(self) -> None:
        """The hours are a circle."""
        self.assertEqual(schedule(day(h23=1, h0=1), burst()), [Run(1, 22.5, 25)])

    def test_through_a_short_pause_it_goes_on(self) -> None:
        """Two runs of 1.5 hours are 4 begun hours; one of 3.5, too: no second boot for that."""
        self.assertEqual(schedule(day(h18=1, h20=1), burst()), [Run(1, 17.5, 21)])
        self.assertEqual(schedule(day(h17=1, h20=1), burst()), [Run(1, 16.5, 18), Run(1, 19.5, 21)])

    def test_what_boots_longer_than_a_pause_is_not_stopped(self) -> None:
        """It would be ordered before it is stopped."""
        slow = burst(boot_s=4 * 3600.0, billed_s=60.0)
        self.assertEqual(schedule(day(h10=1, h14=1), slow), [Run(1, 6, 15)])

    def test_always_needed_is_always_there(self) -> None:
        """No boot; nor when stopping saves nothing."""
        self.assertEqual(schedule([1] * DAY, burst()), [Run(1, 0, 24)])
        self.assertEqual(schedule([1] * 23 + [0], burst()), [Run(1, 0, 24)])

    def test_begun_units_are_paid(self) -> None:
        """1.5 hours are two begun hours, and 1.5 hours in minutes."""
        self.assertAlmostEqual(price(1.5, burst()), 0.2)
        self.assertAlmostEqual(price(1.5, burst(billed_s=60.0)), 0.15)
        self.assertAlmostEqual(price(2.0, burst()), 0.2)

    def test_a_month_is_a_twelfth_of_a_year(self) -> None:
        """30.4375 such days, or 4.35 such weeks."""
        runs = schedule(day(h20=1), burst())
        self.assertAlmostEqual(burst_euros(runs, DAY, burst()), 0.2 * 30.4375)
        self.assertAlmostEqual(burst_euros([Run(1, 0, 168)], 168, burst()), 0.1 * MONTH_HOURS)

    @given(st.lists(st.integers(0, 4), min_size=DAY, max_size=DAY), st.floats(0, 20_000))
    def test_every_hour_has_what_it_needs(self, needed: list[int], boot: float) -> None:
        """Booted before it begins; no machine runs twice at once; never dearer than all of them always."""
        machines = burst(boot_s=boot)
        runs = schedule(needed, machines)
        for hour, count in enumerate(needed):
            running = set()
            for turn in (-DAY, 0, DAY):
                for run in runs:
                    ready = run.start + (0 if run.hours >= DAY else boot / 3600)
                    if ready <= hour + turn + 1e-9 and hour + turn + 1 <= run.stop + 1e-9:
                        running.add(run.machine)
            self.assertGreaterEqual(len(running), count)
        for machine in {run.machine for run in runs}:
            own = [run for run in runs if run.machine == machine]
            self.assertLessEqual(sum(run.hours for run in own), DAY + 1e-6)
        always = max(needed) * price(DAY, machines) * MONTH_HOURS / DAY
        self.assertLessEqual(burst_euros(runs, DAY, machines), always + 1e-6)
