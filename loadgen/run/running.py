"""A run as its parent sees it: deal the work out, look on, judge."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

from edge.node.process.descriptors import connection_limit, raise_descriptor_limit
from loadgen.errors import LoadgenError, UsageError
from loadgen.live import View
from loadgen.models.arrivals import Rate, parse_rates
from loadgen.results import Generator, Result, Second
from loadgen.run import verdict
from loadgen.run.events import Events
from loadgen.run.frames import Expect, Failed, Go, Ready, Told, Work
from loadgen.run.hands import Hand, Hands
from loadgen.run.job import Job, NodeAddress
from loadgen.run.merging import Merging
from loadgen.run.scenario import Arrivals, Scenario
from loadgen.run.site import SiteMap

#: For a process to set its users up.
_SETUP_SECONDS = 120.0
#: After the end and the last timeout, for the last reports.
_LATE_SECONDS = 20.0
_LOOK_SECONDS = 0.25


def rate_of(arrivals: Arrivals, folder: Path, duration: float) -> Rate:
    """Sessions per second over time, at as many users as the scenario says; :exc:`UsageError`."""
    if arrivals.kind == "ramp":
        return Rate((0.0, duration), (arrivals.rate_per_s, arrivals.to_per_s), linear=True)
    if arrivals.kind == "steps":
        return Rate([second for second, _ in arrivals.steps], [rate for _, rate in arrivals.steps])
    if arrivals.kind == "replay":
        file = folder / arrivals.file
        try:
            return parse_rates(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    return Rate((0.0,), (arrivals.rate_per_s,))


#: Sockets that one process holds, where it may have as many descriptors.
SOCKETS = 25_000
#: Page views per second of one process: at 2,500, three requests each, its p99 lag was 3 ms.
VIEWS_EACH = 1500


def socket_processes(scenario: Scenario) -> int:
    """How many processes it takes to hold all sockets."""
    sockets = round(scenario.sockets.share * scenario.users)
    return math.ceil(sockets / min(SOCKETS, connection_limit(raise_descriptor_limit(SOCKETS))))


def user_processes(scenario: Scenario, most_per_s: float) -> int:
    """How many processes it takes, at *most_per_s* arrivals: for connections and for page views in time.

    By Little's law so many users are in a session; each has a connection at least, and where descriptors run
    out those at rest make room.  More processes than cores would make each other late.
    """
    session = scenario.session
    active = scenario.arrivals.present * scenario.users
    active = max(active, most_per_s * session.pages_mean * session.think.mean_s)
    active = min(active, scenario.users)
    needed = max(
        active / connection_limit(raise_descriptor_limit()), active / session.think.mean_s / VIEWS_EACH
    )
    return max(1, min(os.cpu_count() or 1, math.ceil(needed)))


def deal(
    scenario: Scenario,
    hands: int,
    rate: Rate,
    site: SiteMap,
    nodes: Sequence[NodeAddress],
    wire: str,
    apart: bool = False,
) -> list[Job]:
    """The share of each of *hands* processes, those for sockets last; *rate*: of sessions, of all users.

    *apart*: each is on a machine of its own.
    """
    listeners = socket_processes(scenario)
    hands -= listeners
    users, sockets = scenario.users, round(scenario.sockets.share * scenario.users)
    shares = [users // hands + (number < users % hands) for number in range(hands)]
    jobs = []
    for number, share in enumerate(shares):
        mine = rate.scaled(share / scenario.users)
        jobs.append(
            Job(
                scenario=scenario,
                site=site,
                nodes=list(nodes),
                users=share,
                seed=scenario.seed * 1000 + number,
                rate_seconds=list(mine.seconds),
                rates=list(mine.rates),
                rate_is_linear=mine.linear,
                phase=(number + 0.5) / hands,
                neighbours=1 if apart else hands,
                wire=wire,
            )
        )
    for number in range(listeners):
        share = sockets // listeners + (number < sockets % listeners)
        seed = scenario.seed * 1000 + 500 + number
        job = Job(scenario=scenario, site=site, nodes=list(nodes), subscribers=share, seed=seed)
        job.share = share / sockets
        jobs.append(job)
    return jobs


class Running:
    """One run."""

    def __init__(self, hands: Hands, jobs: Sequence[Job], view: View) -> None:
        self._hands, self._jobs, self._view = hands, jobs, view
        self._scenario = jobs[0].scenario
        self._merging = Merging(len(hands), jobs[0].nodes)
        self._events = Events(self._scenario.events)
        self._numbers = {hand: number for number, hand in enumerate(hands.all)}
        self._troubles: list[str] = []
        self._notes: list[str] = []
        self._bytes_per_user = 0.0
        self.began = 0.0
        self.interrupted = False

    def run(self) -> None:
        """Until the end, or Ctrl-C; :exc:`LoadgenError` when a process cannot begin."""
        try:
            self._set_up()
            self.began = time.time()
            begin = time.monotonic() + self._jobs[0].delay
            for hand in self._hands.all:
                hand.tell(Go())
            self._look_on(begin)
        except KeyboardInterrupt:
            self.interrupted = True
            self._hands.dismiss()
            with contextlib.suppress(KeyboardInterrupt):  # a second one: what has come by now has to do
                self._look_on(time.monotonic(), stopped=True)
        finally:
            self._events.close()

    def _set_up(self) -> None:
        for hand, job in zip(self._hands.all, self._jobs, strict=True):
            hand.tell(Work(job))
        ready: set[Hand] = set()
        deadline = time.monotonic() + _SETUP_SECONDS
        while len(ready) < len(self._hands):
            for hand, frame in self._hands.receive(_LOOK_SECONDS):
                if isinstance(frame, Ready):
                    ready.add(hand)
                    self._bytes_per_user = max(self._bytes_per_user, frame.bytes_per_user)
                elif isinstance(frame, Failed):
                    raise LoadgenError(f"{hand.name}: {frame.why}")
                elif frame is None:
                    raise LoadgenError(f"{hand.name} ended before the run began: {hand.last_words()}")
            if time.monotonic() > deadline:
                raise LoadgenError(f"a process was not ready after {_SETUP_SECONDS:.0f} s; take fewer users")

    def _look_on(self, begin: float, stopped: bool = False) -> None:
        patience = self._scenario.timeout_s + _LATE_SECONDS
        deadline = begin + patience + (0 if stopped else self._scenario.duration_s)
        while not all(hand.ended for hand in self._hands.all):
            for hand, frame in self._hands.receive(_LOOK_SECONDS):
                number = self._numbers[hand]
                if isinstance(frame, Told):
                    self._show(self._merging.report(number, frame.report))
                    if frame.report.last:
                        hand.dismiss()
                elif frame is None:
                    if not self._merging.finished(number):
                        words = hand.last_words()
                        self._troubles.append(f"{hand.name} ended early" + (f": {words}" if words else ""))
                    self._show(self._merging.gone(number))
            if not stopped:
                self._happen(time.monotonic() - begin)
            if time.monotonic() > deadline:
                self._troubles.append("not all processes reported their end")
                return

    def _happen(self, second: float) -> None:
        if self._events.is_command_due(second):
            # Before it begins: a push may be there before the command has ended.
            for hand in self._hands.all:
                hand.tell(Expect(time.time_ns()))
        self._notes += self._events.pass_time(second)

    def _show(self, seconds: Sequence[tuple[Second, object]]) -> None:
        totals = self._merging.totals
        for second, _ in seconds:
            second.notes, self._notes = self._notes, []
            elapsed = max(1, len(self._merging.series))
            totals.cores = self._merging.cpu_seconds / elapsed
            late = totals.lag_p99_ms > verdict.MOST_LAG_MS
            totals.invalid = [f"the generator is late: p99 {totals.lag_p99_ms:.2f} ms"] if late else []
            self._view.update(second, totals)

    def result(self, cluster: str, name: str) -> Result:
        """What it came to."""
        merging, scenario = self._merging, self._scenario
        measures = merging.measures()
        lag = merging.histograms["lag"]
        planned = sum(second.planned for second in merging.series)
        answers = sum(second.answered for second in merging.series)
        cpu = merging.cpu_seconds
        generator = Generator(
            offered=min(1.0, merging.offered / planned) if planned else 0.0,
            lag_p99_ms=lag.percentile(99) / 1000,
            lag_max_ms=lag.highest / 1000,
            cpu_seconds=cpu,
            per_core=answers / cpu if cpu else 0.0,
            memory_bytes=merging.memory_bytes,
            bytes_per_user=self._bytes_per_user,
        )
        thresholds = verdict.judge(scenario.thresholds, measures)
        decision, reasons = verdict.decide(generator, thresholds, measures, self.interrupted)
        if self._troubles:
            decision, reasons = "error", [*self._troubles, *reasons]
        return Result(
            scenario=name,
            title=scenario.title,
            cluster=cluster,
            began=self.began,
            seconds=scenario.duration_s if not self.interrupted else float(len(merging.series)),
            users=scenario.users,
            seed=scenario.seed,
            processes=len(self._hands),
            policy=scenario.policy,
            verdict=decision,
            reasons=reasons,
            thresholds=thresholds,
            generator=generator,
            counts=dict(merging.counts),
            statuses=dict(merging.totals.statuses),
            errors=dict(merging.totals.errors),
            measures=measures,
            nodes=merging.nodes(),
            histograms={name: one.encode() for name, one in merging.histograms.items() if one.count},
            series=merging.series,
        )
