"""The coordinator of a run: sets the worker processes up, has them begin together, looks on, judges."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence

from loadgen.errors import LoadgenError
from loadgen.live import View
from loadgen.results import WRONG, Generator, Result, Second
from loadgen.run.coordinator.abort import AbortWatch
from loadgen.run.coordinator.events import Events
from loadgen.run.coordinator.merging import ReportMerger
from loadgen.run.coordinator.shared_answers import table_share
from loadgen.run.coordinator.worker_pool import NONSENSE, WorkerPool, WorkerProcess
from loadgen.run.messages.job import Job
from loadgen.run.messages.protocol import Expect, Failed, Go, JobMessage, Ready, ReportMessage
from loadgen.verdict.deciding import Decision, Evidence, decide
from loadgen.verdict.thresholds import PERCENTS, parse_threshold

#: For a process to set its users up.
_SETUP_SECONDS = 120.0
#: After the end and the last timeout, for the last reports.
_LATE_SECONDS = 20.0
_LOOK_SECONDS = 0.25


class Coordinator:
    """One run of *jobs* on the processes of *pool*, shown by *view*."""

    def __init__(
        self,
        pool: WorkerPool,
        jobs: Sequence[Job],
        view: View,
        monotonic: Callable[[], float] = time.monotonic,
        abort: AbortWatch | None = None,
    ) -> None:
        """*abort*: when it ends before its time; *monotonic*: seconds, for what is due in the run."""
        self._abort, self._aborted = abort or AbortWatch(()), ""
        self._pool, self._jobs, self._view, self._monotonic = pool, jobs, view, monotonic
        self._scenario = jobs[0].scenario
        self._merged = ReportMerger(len(pool), jobs[0].nodes)
        self._events = Events(self._scenario.events)
        self._numbers = {worker: number for number, worker in enumerate(pool.all)}
        self._failures: list[str] = []
        self._notes: list[str] = []
        self._bytes_per_user = 0.0
        self.began = 0.0
        self.interrupted = False

    def run(self) -> None:
        """Run until the end, or Ctrl-C; :exc:`LoadgenError` when a process cannot begin."""
        try:
            self._set_up()
            self.began = time.time()
            begin = self._monotonic() + self._jobs[0].delay
            for worker in self._pool.all:
                worker.tell(Go())
            self._look_on(begin)
        except KeyboardInterrupt:
            self.interrupted = True
            self._pool.dismiss()
            with contextlib.suppress(KeyboardInterrupt):  # a second one: what has come by now has to do
                self._look_on(self._monotonic(), stopped=True)
        finally:
            self._events.close()

    def _set_up(self) -> None:
        for worker, job in zip(self._pool.all, self._jobs, strict=True):
            worker.tell(JobMessage(job))
        ready: set[WorkerProcess] = set()
        deadline = self._monotonic() + _SETUP_SECONDS
        while len(ready) < len(self._pool):
            for worker, message in self._pool.receive(_LOOK_SECONDS):
                if isinstance(message, Ready):
                    ready.add(worker)
                    self._say_twin(message.kind)
                    self._bytes_per_user = max(self._bytes_per_user, message.bytes_per_user)
                elif isinstance(message, Failed):
                    raise LoadgenError(f"{worker.name}: {message.why}")
                elif message is None:
                    raise LoadgenError(f"{worker.name} ended before the run began: {worker.last_words()}")
            if self._monotonic() > deadline:
                raise LoadgenError(f"a process was not ready after {_SETUP_SECONDS:.0f} s; take fewer users")

    def _say_twin(self, kind: str) -> None:
        """Say once that Python's wire serves though nobody asked for it."""
        note = "no native wire (or none with TLS) is built: Python's serves, several times slower"
        if kind == "python" and self._jobs[0].wire == "auto" and note not in self._notes:
            self._notes.append(note)

    def _look_on(self, begin: float, stopped: bool = False) -> None:
        patience = self._scenario.timeout_s + _LATE_SECONDS
        deadline = begin + patience + (0 if stopped else self._scenario.duration_s)
        while not all(worker.ended for worker in self._pool.all):
            for worker, message in self._pool.receive(_LOOK_SECONDS):
                number = self._numbers[worker]
                if isinstance(message, ReportMessage) and not self._merged.finished(number):
                    try:
                        self._show(self._merged.report(number, message.report))
                    except ValueError as error:
                        self._give_up(worker, number, f"{NONSENSE}: {error}")
                    if message.report.last:
                        worker.dismiss()
                elif isinstance(message, Failed):
                    self._give_up(worker, number, message.why)
                elif message is None:
                    if not self._merged.finished(number):
                        words = worker.last_words()
                        self._failures.append(f"{worker.name} ended early" + (f": {words}" if words else ""))
                    self._show(self._merged.gone(number))
            if not stopped and not self._aborted:
                self._happen(self._monotonic() - begin)
            if self._monotonic() > deadline:
                self._failures.append("not all processes reported their end")
                return

    def _give_up(self, worker: WorkerProcess, number: int, why: str) -> None:
        """Wait for *worker* no longer; what has come of it and of the others stays."""
        self._failures.append(f"{worker.name}: {why}")
        self._show(self._merged.gone(number))
        worker.dismiss()

    def _happen(self, second: float) -> None:
        if self._events.is_command_due(second):
            # Before it begins: a push may be there before the command has ended.
            for worker in self._pool.all:
                worker.tell(Expect(time.time_ns()))
        self._notes += self._events.pass_time(second)

    def _show(self, seconds: Sequence[tuple[Second, object]]) -> None:
        totals = self._merged.totals
        for second, _ in seconds:
            second.notes, self._notes = self._notes, []
            elapsed = max(1, len(self._merged.series))
            totals.cores = self._merged.cpu_seconds / elapsed
            now = self._decide(self._merged.measures(is_over=False), {}, is_over=False)
            totals.invalid = now.reasons if now.verdict == "invalid" else []
            self._view.update(second, totals)
            if self._abort and not self._aborted:
                self._aborted = self._abort.why(second, self._merged.measures)
                if self._aborted:
                    self._pool.dismiss()

    def _decide(
        self, measures: Mapping[str, float], bounds: Mapping[str, float], offered: float = 1.0,
        is_over: bool = True,
    ) -> Decision:  # fmt: skip
        counts, scenario = self._merged.counts, self._scenario
        return decide(
            Evidence(
                measures=measures,
                bounds=bounds,
                thresholds=[
                    text
                    for text in scenario.thresholds
                    if is_over or parse_threshold(text).measure in PERCENTS
                ],
                offered=offered,
                asked=counts["requests"] + counts["pushes"] + counts["socket_attempts"] if is_over else 1,
                lag=self._merged.histograms["lag"],
                push_lag=self._merged.histograms["push_lag"],
                timeout_ms=scenario.timeout_s * 1000,
                events=self._events.outcomes(self._merged.series) if is_over else (),
                wrong={
                    name.removeprefix(WRONG): count
                    for name, count in counts.items()
                    if name.startswith(WRONG)
                },
                lost=self._failures,
                aborted=self._aborted,
                interrupted=self.interrupted,
            )
        )

    def result(self, cluster: str, name: str, shared: Mapping[str, int] | None = None) -> Result:
        """The record of the run: figures, thresholds, verdict; *shared*: what the nodes counted meanwhile."""
        merged, scenario = self._merged, self._scenario
        measures, bounds = merged.measures(), merged.bounds()
        counts = {**merged.counts, **(shared or {})}
        if shared:
            measures["table_share"] = table_share(counts, counts.get("mutations", 0))
        lag = merged.histograms["lag"]
        planned = sum(second.planned for second in merged.series)
        answers = sum(second.answered for second in merged.series)
        cpu = merged.cpu_seconds
        generator = Generator(
            offered=min(1.0, merged.offered / planned) if planned else 0.0,
            lag_p99_ms=lag.percentile(99) / 1000,
            lag_max_ms=lag.highest / 1000,
            cpu_seconds=cpu,
            per_core=answers / cpu if cpu else 0.0,
            memory_bytes=merged.memory_bytes,
            bytes_per_user=self._bytes_per_user,
        )
        decision = self._decide(measures, bounds, generator.offered)
        return Result(
            scenario=name,
            title=scenario.title,
            cluster=cluster,
            began=self.began,
            seconds=scenario.duration_s
            if not self.interrupted and not self._aborted
            else float(len(merged.series)),
            users=scenario.users,
            seed=scenario.seed,
            processes=len(self._pool),
            policy=scenario.policy,
            plain=self._jobs[0].plain,
            verdict=decision.verdict,
            reasons=decision.reasons,
            thresholds=decision.thresholds,
            generator=generator,
            counts=counts,
            statuses=dict(merged.totals.statuses),
            errors=dict(merged.totals.errors),
            measures={**measures, **{name: bounds[name] for name in bounds if name in measures}},
            at_least=[name for name, value in measures.items() if math.isinf(value)],
            nodes=merged.nodes(),
            histograms={name: one.encode() for name, one in merged.histograms.items() if one.count},
            series=merged.series,
        )
