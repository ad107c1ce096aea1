"""The jobs of a schedule, run in threads: quick ones, bulk and slow ones beside each other.

However much is to be read at a start, a thread is left for what somebody waits for; what takes long is
*nice*.  What a job came to, the schedule is told, and problems with files are logged, each once.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.errors import EdgeError
from edge.machine import whole_cores
from edge.node.publishing.threads import Threads
from edge.publish.jobs import Cancelled, look, make
from edge.publish.lanes import Lane
from edge.publish.problems import PUBLISHED
from edge.publish.schedule import STORE_AGAIN, Job, Look, Make

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from edge.node.process.slices import Slices
    from edge.publish.problems import Problem
    from edge.publish.schedule import Schedule
    from edge.publish.settings import PublishSettings
    from edge.publish.store import Store

#: Problems of one job that are logged: of more, how many there are.
SAID_AT_ONCE = 100
#: Problems that are remembered as logged: beyond, all are logged again.
SAID = 200_000
#: Added to the niceness of threads that do what takes long.
NICE = 10


class JobRunner:
    """Runs the jobs of *schedule*; *ended* is called after each one."""

    _log = Logger()

    def __init__(
        self, schedule: Schedule, store: Store, slices: Slices, reactor: Any, ended: Callable[[], None]
    ) -> None:
        #: Whether nothing is to be done any more; may be read in any thread.
        self.is_stopped = False
        #: Told of each directory before it is listed.
        self.on_directory: Callable[[str], None] | None = None
        cores = self._cores = whole_cores()
        #: Threads for what somebody waits for, and for what takes long.
        self.quick, self.slow = Threads(reactor, cores + 1), Threads(reactor, cores, NICE)
        self._bulk = Threads(reactor, cores, NICE)
        self._schedule = schedule
        self._store = store
        self._slices = slices
        self._reactor = reactor
        self._ended = ended
        self._running: list[Job] = []
        #: Problems that are in the log.
        self._said: set[Problem] = set()
        self._said_error = ""

    def begin(self, settings: PublishSettings) -> None:
        """Begin what there is to do and a thread for, by *settings*."""
        schedule, now = self._schedule, self._reactor.seconds()
        while self._count(is_slow=False) <= self._cores:
            is_last = self._count(is_slow=False) == self._cores
            job = schedule.take_quick(now, bulk=not is_last)
            if job is None:
                break
            is_bulk = isinstance(job, Make) and job.lane is Lane.BULK
            self._start(job, self._bulk if is_bulk else self.quick, settings)
        while self._count(is_slow=True) < self._cores and (slow := schedule.take_slow(now)) is not None:
            self._start(slow, self.slow, settings)

    def forget_over(self) -> None:
        """What is no problem any more is logged when it comes back."""
        self._said -= self._schedule.over()
        if len(self._said) > SAID:
            self._said.clear()

    def stop(self) -> None:
        """Do nothing more; what threads do now comes to nothing."""
        self.is_stopped = True
        for job in self._running:
            if isinstance(job, Make):
                job.is_cancelled = True
        for threads in (self.quick, self._bulk, self.slow):
            threads.stop()

    def _count(self, is_slow: bool) -> int:
        return sum(_is_slow(job) is is_slow for job in self._running)

    def _start(self, job: Job, threads: Threads, settings: PublishSettings) -> None:
        self._running.append(job)
        Deferred.fromCoroutine(self._run(job, threads, settings))

    async def _run(self, job: Job, threads: Threads, settings: PublishSettings) -> None:
        """Have *job* done, and tell the schedule."""
        schedule, store = self._schedule, self._store
        reports: list[Problem] = []
        try:
            if isinstance(job, Look):
                work = partial(look, job, settings, store, schedule.site, self.on_directory)
                looked = await threads.run(work)
                reports += [problem for one in looked for problem in one.listing.problems]
                await self._slices.run(schedule.looked(job, looked))
            else:
                report, is_stopped = reports.append, lambda: self.is_stopped
                made = await threads.run(
                    partial(make, job, settings, store, schedule.site, report, is_stopped)
                )
                schedule.made(job, made, self._reactor.seconds())
        except Cancelled:
            schedule.failed(job, 0.0, self._reactor.seconds())
        except (EdgeError, OSError) as error:
            self._fail(job, str(error))
        except Exception:
            self._log.failure("publishing failed")
            schedule.failed(job, STORE_AGAIN, self._reactor.seconds())
        finally:
            self._running.remove(job)
        self._say(reports)
        self._ended()

    def _fail(self, job: Job, why: str) -> None:
        self._schedule.failed(job, STORE_AGAIN, self._reactor.seconds(), why)
        if why != self._said_error:
            self._said_error = why
            self._log.error("the site stays as it was: {why}", why=why)

    def _say(self, problems: Collection[Problem]) -> None:
        """Log *problems*, each once: a file that grows is looked at every few seconds.  Not very many."""
        new = [one for one in dict.fromkeys(problems) if one not in self._said]
        self._said.update(new)
        for problem in new[:SAID_AT_ONCE]:
            what = "" if problem.kind in PUBLISHED else "not published: "
            self._log.warn("{what}{problem}", what=what, problem=problem)
        if len(new) > SAID_AT_ONCE:
            self._log.warn("and {n} more like these; edgectl publish tells of all", n=len(new) - SAID_AT_ONCE)


def _is_slow(job: Job) -> bool:
    return isinstance(job, Make) and job.lane in (Lane.LARGE, Lane.BETTER)
