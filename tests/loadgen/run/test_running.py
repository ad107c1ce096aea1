"""A run as its parent sees it: work that adds up to the whole, processes that tell, die, or never begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import LoadgenError, UsageError
from loadgen.live import Totals
from loadgen.models.arrivals import Rate
from loadgen.results import Result, Second
from loadgen.run import running
from loadgen.run.books import Books
from loadgen.run.frames import Expect, Failed, Frame, Go, Ready, Told, Work
from loadgen.run.hands import Hand
from loadgen.run.job import Job
from loadgen.run.running import SOCKETS, Running, deal, rate_of, socket_processes, user_processes
from loadgen.run.scenario import Arrivals, Event, Scenario, Session, Sockets, Think
from tests.loadgen.run.answers import START, answer, ask
from tests.loadgen.run.samples import NODES, Published
from tests.loadgen.run.test_scenario import LEAST

SITE = Published().site()


def scenario(**given: Any) -> Scenario:
    """The least one, but for what is given."""
    return msgspec.structs.replace(msgspec.convert(LEAST, Scenario), **given)


def dealt(of: Scenario, hands: int, rate: Rate) -> list[Job]:
    """The jobs of so many processes."""
    return deal(of, hands, rate, SITE, NODES, "auto")


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
        self.patch(running, "raise_descriptor_limit", lambda connections=0: descriptors)

    @settings(max_examples=200, deadline=None)
    @given(
        st.integers(1, 1_000_000), st.integers(1, 20), st.floats(0, 1),
        st.lists(st.floats(0, 1e5), min_size=1, max_size=4), st.booleans(),
    )  # fmt: skip
    def test_users_rates_and_sockets_add_up_to_the_whole(
        self, users: int, hands: int, share: float, rates: list[float], linear: bool
    ) -> None:
        of = scenario(users=users, sockets=Sockets(share=share))
        assume(users >= hands)
        rate = Rate([10.0 * place for place in range(len(rates))], rates, linear)
        jobs = dealt(of, hands + socket_processes(of), rate)
        self.assertEqual(len(jobs), hands + socket_processes(of))
        viewers, listeners = jobs[:hands], jobs[hands:]
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
        """By Little's law: arrivals a second times the length of a session, two connections each."""
        self.allow(1512)
        of = scenario(users=100_000, session=Session(pages_mean=5.0, think=Think(mean_s=10.0)))
        self.assertEqual(
            [user_processes(of, rate) for rate in (0.1, 10.0, 11.0, 25.0, 1e9)], [1, 1, 2, 3, 16]
        )
        there = msgspec.structs.replace(of, arrivals=Arrivals(present=0.02))
        self.assertEqual(user_processes(there, 0.0), 4)
        few = msgspec.structs.replace(of, users=100)
        self.assertEqual(user_processes(few, 1e9), 1)


class ScriptedHand(Hand):
    """A process that does as a test says."""

    def __init__(self, name: str, words: str = "") -> None:
        super().__init__(name)
        self.told: list[Frame] = []
        self.words = words
        self.dismissed = 0

    def tell(self, frame: Frame) -> None:
        self.told.append(frame)

    def last_words(self) -> str:
        return self.words

    def dismiss(self) -> None:
        self.dismissed += 1

    def close(self) -> None:
        """Nothing is there to be closed."""


class ScriptedHands:
    """What they say, in order; then all of them end."""

    def __init__(
        self, *said: tuple[int, Frame | type[BaseException] | None], count: int = 2, words: str = ""
    ) -> None:
        self.all = [ScriptedHand(f"process {number}", words) for number in range(count)]
        self._said = iter(said)

    def __len__(self) -> int:
        return len(self.all)

    def receive(self, seconds: float) -> list[tuple[Hand, Frame | None]]:
        number, frame = next(self._said, (-1, None))
        if isinstance(frame, type):
            raise frame
        hands = self.all if number < 0 else [self.all[number]]
        found: list[tuple[Hand, Frame | None]] = [(hand, frame) for hand in hands if not hand.ended]
        if frame is None:
            for hand in hands:
                hand.ended = True
        return found

    def dismiss(self) -> None:
        for hand in self.all:
            hand.dismiss()


class Watching:
    """A view that remembers."""

    def __init__(self) -> None:
        self.seconds: list[Second] = []

    def update(self, second: Second, totals: Totals) -> None:
        self.seconds.append(second)

    def close(self, result: Result | None) -> None:
        """Nothing is shown."""


def reports(count: int = 2) -> Iterator[Told]:
    """What a process tells that has 10 requests a second answered."""
    books = Books([node.id for node in NODES], START + 10**12)
    for number in range(count):
        for _ in range(10):
            one = answer()
            books.attempt(one)
            books.ended(ask(), one, "")
        report = books.close(Counter(requests=10, bodies=10), 1, 1)
        report.cpu_seconds = 0.5 * (number + 1)
        report.last = number == count - 1
        yield Told(report)


READY = ((0, Ready("native", 161.0)), (1, Ready("native", 160.0)))


class RunningTests(SynchronousTestCase):
    """Two processes."""

    def setUp(self) -> None:
        self.patch(running, "raise_descriptor_limit", lambda connections=0: 1_000_000)

    def run_(self, hands: ScriptedHands, **given: Any) -> Running:
        jobs = dealt(scenario(**given), len(hands), Rate((0.0,), (1.0,)))
        self.view = Watching()
        self.hands = hands
        self.running = Running(hands, jobs, self.view)  # type: ignore[arg-type]
        self.running.run()
        return self.running

    def result(self) -> Result:
        return self.running.result("http://localhost:8001", "scenarios/x.toml")

    def test_all_begin_together_and_their_figures_are_added(self) -> None:
        told = [
            (process, report)
            for pair in zip(reports(), reports(), strict=True)
            for process, report in enumerate(pair)
        ]
        self.run_(ScriptedHands(*READY, *told))
        for hand in self.hands.all:
            self.assertEqual([type(frame) for frame in hand.told], [Work, Go])
        result = self.result()
        self.assertEqual((result.verdict, result.reasons), ("ok", []))
        self.assertEqual(
            ([second.answered for second in result.series], result.counts["requests"]), ([20, 20], 40)
        )
        self.assertEqual((result.generator.bytes_per_user, result.generator.cpu_seconds), (161.0, 2.0))
        self.assertEqual((result.generator.offered, result.generator.per_core), (1.0, 20.0))
        self.assertEqual((result.users, result.processes, result.policy), (10, 2, "smart"))
        self.assertEqual(set(result.histograms), {"corrected", "raw", "lag"})
        self.assertEqual([second.answered for second in self.view.seconds], [20, 20])

    def test_nobody_begins_before_all_are_ready(self) -> None:
        with self.assertRaises(LoadgenError):
            self.run_(ScriptedHands(READY[0], (1, None)))
        self.assertEqual([type(frame) for frame in self.hands.all[0].told], [Work])

    def test_one_that_cannot_says_why(self) -> None:
        with self.assertRaisesRegex(LoadgenError, "process 1: there is not enough memory"):
            self.run_(ScriptedHands(READY[0], (1, Failed("there is not enough memory"))))

    def test_one_that_ends_before_the_run_is_quoted(self) -> None:
        with self.assertRaisesRegex(LoadgenError, "process 0 ended before the run began: Killed"):
            self.run_(ScriptedHands((0, None), words="Killed"))

    def test_one_that_dies_makes_it_an_error_and_leaves_what_was_measured(self) -> None:
        told = list(reports())
        self.run_(ScriptedHands(*READY, (0, told[0]), (1, told[0]), (1, None), (0, told[1]), words="Killed"))
        result = self.result()
        self.assertEqual((result.verdict, result.reasons[0]), ("error", "process 1 ended early: Killed"))
        self.assertEqual([second.answered for second in result.series], [20, 10])

    def test_ctrl_c_stops_all_and_keeps_what_they_still_tell(self) -> None:
        told = list(reports())
        said = [(0, told[0]), (1, told[0]), (0, KeyboardInterrupt), (0, told[1]), (1, told[1])]
        self.run_(ScriptedHands(*READY, *said))
        self.assertTrue(all(hand.dismissed for hand in self.hands.all))
        result = self.result()
        self.assertEqual((result.verdict, result.seconds), ("interrupted", 2.0))
        self.assertEqual([second.answered for second in result.series], [20, 20])

    def test_thresholds_are_judged(self) -> None:
        told = [(process, report) for report in reports() for process in (0, 1)]
        self.run_(ScriptedHands(*READY, *told), thresholds=("p99 < 1ms", "errors == 0"))
        result = self.result()
        self.assertEqual(
            (result.verdict, [one.held for one in result.thresholds]), ("threshold", [False, True])
        )
        self.assertTrue(result.reasons[0].startswith("p99 < 1ms: it is 1"))

    def test_what_is_said_stands_at_the_next_second(self) -> None:
        self.run_(ScriptedHands(*READY))
        self.running._events._waiting.append(Event(at_s=4.0, say="a deploy"))
        for second in (3, 4, 5):
            self.running._happen(float(second))
            self.running._show([(Second(at=second), None)])
        self.assertEqual([second.notes for second in self.view.seconds], [[], ["a deploy"], []])

    def test_before_a_command_everybody_is_told_that_something_comes(self) -> None:
        self.run_(ScriptedHands(*READY))
        self.running._events._waiting.append(Event(at_s=1.0, command=("true",)))
        self.running._happen(0.5)
        self.assertEqual(self.hands.all[0].told[2:], [])
        self.running._happen(1.0)
        for hand in self.hands.all:
            (expect,) = hand.told[2:]
            assert isinstance(expect, Expect)
            self.assertGreater(expect.unix_ns, 1_600_000_000 * 10**9)
        self.assertEqual(self.running._notes, ["started: true"])
        self.running._events.close()
