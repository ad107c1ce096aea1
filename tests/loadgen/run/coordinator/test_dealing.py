"""Rates and work dealt out to processes: it adds up to the whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.models.arrivals import Rate
from loadgen.models.think import Think
from loadgen.run.coordinator import dealing
from loadgen.run.coordinator.dealing import SOCKETS, VIEWS_EACH, rate_of, socket_processes, user_processes
from loadgen.run.messages.scenario import Arrivals, Session, Sockets
from tests.loadgen.run.coordinator.scripted_workers import dealt, scenario
from tests.loadgen.run.samples import NODES, Published

SITE = Published().site()


class RateTests(SynchronousTestCase):
    """Sessions per second over time."""

    def rate(self, **given: Any) -> Rate:
        return rate_of(Arrivals(**given), Path("."), 40.0)

    def test_each_kind_has_its_form(self) -> None:
        self.assertEqual([self.rate(rate_per_s=5.0).at(at) for at in (0, 40)], [5, 5])
        self.assertEqual([self.rate(kind="constant", rate_per_s=5.0).at(at) for at in (0, 40)], [5, 5])
        ramp = self.rate(kind="ramp", rate_per_s=10.0, to_per_s=50.0)
        self.assertEqual([ramp.at(at) for at in (0, 20, 40)], [10, 30, 50])
        steps = self.rate(kind="steps", steps=((0, 20), (10, 200), (25, 0)))
        self.assertEqual([steps.at(at) for at in (0, 9.9, 10, 25, 99)], [20, 20, 200, 0, 0])

    def test_a_replay_is_read_from_beside_the_scenario(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "day.csv").write_text("0,3\n5,7\n")
        arrivals = Arrivals(kind="replay", file="day.csv")
        self.assertEqual(rate_of(arrivals, folder, 40.0), Rate([0.0, 5.0], [3.0, 7.0]))

    def test_a_replay_that_is_none_is_named_with_its_line(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        file = folder / "day.csv"
        arrivals = Arrivals(kind="replay", file="day.csv")
        for data, why in (
            (None, "No such file"), (b"", "no line SECOND,RATE"), (b"0,1\n0,x\n", "line 2: "),
            (b"\xff", "codec"),
        ):  # fmt: skip
            if data is not None:
                file.write_bytes(data)
            with self.assertRaises(UsageError) as caught:
                rate_of(arrivals, folder, 40.0)
            self.assertTrue(str(caught.exception).startswith(f"{file}: "), caught.exception)
            self.assertIn(why, str(caught.exception))


class DealingTests(SynchronousTestCase):
    """Nothing is lost between processes, and nothing done twice."""

    def setUp(self) -> None:
        self.allow(1_000_000)

    def allow(self, descriptors: int) -> None:
        """What the kernel lets a process have."""
        self.patch(dealing, "raise_descriptor_limit", lambda connections=0: descriptors)

    @settings(max_examples=200)
    @given(
        st.integers(1, 1_000_000), st.integers(1, 20), st.floats(0, 1),
        st.lists(st.floats(0, 1e5), min_size=1, max_size=4), st.booleans(),
    )  # fmt: skip
    def test_users_rates_and_sockets_add_up_to_the_whole(
        self, users: int, workers: int, share: float, rates: list[float], linear: bool
    ) -> None:
        of = scenario(users=users, sockets=Sockets(share=share))
        assume(users >= workers)
        rate = Rate([10.0 * place for place in range(len(rates))], rates, linear)
        jobs = dealt(of, workers + socket_processes(of), rate)
        self.assertEqual(len(jobs), workers + socket_processes(of))
        viewers, listeners = jobs[:workers], jobs[workers:]
        self.assertEqual(sum(job.users for job in viewers), users)
        self.assertEqual(sum(job.subscribers for job in listeners), round(share * users))
        self.assertTrue(all(job.users and not job.subscribers for job in viewers))
        self.assertTrue(all(job.subscribers and not job.users for job in listeners))
        self.assertLessEqual(max(job.users for job in viewers) - min(job.users for job in viewers), 1)
        self.assertTrue(all(job.subscribers <= SOCKETS for job in listeners))
        for place, expected in enumerate(rates):
            self.assertLessEqual(
                abs(sum(job.rates[place] for job in viewers) - expected), 1e-6 * (1 + expected)
            )
        if listeners:
            self.assertLess(abs(sum(job.share for job in listeners) - 1), 1e-9)
        self.assertEqual(len({job.seed for job in jobs}), len(jobs))

    def test_each_process_knows_all_it_needs(self) -> None:
        of = scenario(users=10, seed=4)
        for job in dealt(of, 3, Rate((0.0, 5.0), (1.0, 2.0), linear=True)):
            self.assertEqual((job.scenario, job.site, job.nodes), (of, SITE, NODES))
            self.assertEqual((job.rate_seconds, job.rate_is_linear), ([0.0, 5.0], True))
        self.assertEqual([job.users for job in dealt(of, 3, Rate((0.0,), (1.0,)))], [4, 3, 3])

    def test_a_seed_of_the_run_gives_each_process_its_own(self) -> None:
        one, same, other = (
            [job.seed for job in dealt(scenario(seed=seed), 4, Rate((0.0,), (1.0,)))] for seed in (1, 1, 2)
        )
        self.assertEqual(one, same)
        self.assertEqual(set(one) & set(other), set())

    def test_sockets_are_held_by_as_few_processes_as_can(self) -> None:
        for users, share, processes in (
            (1000, 0.0, 0), (1000, 0.001, 1), (SOCKETS, 1.0, 1), (SOCKETS + 1, 1.0, 2), (100_000, 0.5, 2),
        ):  # fmt: skip
            of = scenario(users=users, sockets=Sockets(share=share))
            self.assertEqual(socket_processes(of), processes)

    def test_with_few_descriptors_it_takes_more_of_them(self) -> None:
        self.allow(1512)
        of = scenario(users=4500, sockets=Sockets(share=1.0))
        self.assertEqual(socket_processes(of), 5)
        jobs = dealt(of, 6, Rate((0.0,), (1.0,)))
        self.assertEqual([job.subscribers for job in jobs], [0, 900, 900, 900, 900, 900])

    def test_users_share_as_many_processes_as_their_connections_need(self) -> None:
        """By Little's law: arrivals a second times the length of a session; no more than there are cores."""
        self.allow(1512)
        self.patch(os, "cpu_count", lambda: 16)
        of = scenario(users=100_000, session=Session(pages_mean=5.0, think=Think(mean_s=10.0)))
        self.assertEqual(
            [user_processes(of, rate) for rate in (0.1, 20.0, 22.0, 50.0, 1e9)], [1, 1, 2, 3, 16]
        )
        there = msgspec.structs.replace(of, arrivals=Arrivals(present=0.02))
        self.assertEqual(user_processes(there, 0.0), 2)
        few = msgspec.structs.replace(of, users=100)
        self.assertEqual(user_processes(few, 1e9), 1)

    def test_or_as_their_page_views_need(self) -> None:
        """However many descriptors there are."""
        self.allow(1_000_000)
        self.patch(os, "cpu_count", lambda: 4)
        of = scenario(users=100_000, session=Session(pages_mean=5.0, think=Think(mean_s=10.0)))
        for views, processes in ((VIEWS_EACH, 1), (VIEWS_EACH + 10, 2), (20 * VIEWS_EACH, 4)):
            self.assertEqual(user_processes(of, views / 5), processes)
