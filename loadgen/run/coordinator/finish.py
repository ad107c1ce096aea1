"""A run from its processes to its exit code: the view, the coordinator, the result and where it goes."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from loadgen.errors import LoadgenError, UsageError
from loadgen.live import JsonLines, Live, Totals, View, otlp
from loadgen.output import write
from loadgen.pipelines import junit, markdown
from loadgen.results import EXIT_CODES, Result, Second, save, unused
from loadgen.run.coordinator.abort import AbortWatch
from loadgen.run.coordinator.coordinator import Coordinator
from loadgen.run.coordinator.shared_answers import SharedAnswers
from loadgen.run.coordinator.summary import print_summary
from loadgen.run.coordinator.worker_pool import WorkerPool
from loadgen.run.messages.job import Job

#: Where GitHub's runners (and those of Gitea and Forgejo) show what a step says of itself.
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


class Finish:
    """What becomes of a run, as the options say that :meth:`configure` adds."""

    def __init__(self, options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
        self._json = options.json
        #: The folder is of our naming: two runs that begin in the same second have the same one.
        self._is_shared = options.out is None
        self._junit: str | None = options.junit
        self._summary: str | None = options.summary
        self._otlp: str | None = options.otlp
        for option, path in (("--junit", self._junit), ("--summary", self._summary)):
            if path:
                check_writable(Path(path).parent, option)
        if self._otlp:
            otlp.check(self._otlp)
        try:
            self._abort = AbortWatch(options.abort_on)
        except ValueError as error:
            parser.error(f"--abort-on {error}")

    @staticmethod
    def configure(parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--out",
            type=Path,
            metavar="DIR",
            help="for the result, instead of one that is there (default: results/NAME-TIME)",
        )
        parser.add_argument(
            "--json", action="store_true", help="a line of JSON each second instead of a view"
        )
        parser.add_argument(
            "--abort-on", action="append", default=[], metavar="CONDITION",
            help='end the run at once when this is so, like "p99 > 2s" or "error_share > 20 %%"; exit code 2',
        )  # fmt: skip
        parser.add_argument(
            "--junit", metavar="FILE", help="the verdict as JUnit XML: a test case for each threshold"
        )
        parser.add_argument(
            "--summary", metavar="FILE",
            help="the verdict as Markdown; a file that GITHUB_STEP_SUMMARY names gets it, too",
        )  # fmt: skip
        parser.add_argument(
            "--otlp", metavar="URL",
            help="send figures by OpenTelemetry (OTLP over HTTP) while it runs, like http://localhost:4318",
        )  # fmt: skip

    def run(
        self, pool: WorkerPool, jobs: Sequence[Job], cluster: str, name: str, out: Path,
        states: Sequence[Path] = (),
    ) -> int:  # fmt: skip
        """Run *jobs* on *pool*, which is closed then; the exit code.

        *cluster* and *name*: of target and scenario, for the result, which goes to the folder *out*;
        *states*: of nodes here.
        """
        scenario = jobs[0].scenario
        views: list[View] = []
        result: Result | None = None
        try:
            if self._otlp:
                views.append(otlp.OtlpView(self._otlp, scenario.title))
            show = JsonLines if self._json else Live
            views.append(show(scenario.title, scenario.duration_s, scenario.users))
            coordinator = Coordinator(pool, jobs, Views(views), abort=self._abort)
            shared = SharedAnswers(states)
            with _ended_in_order():
                coordinator.run()
            result = coordinator.result(cluster, name, shared.counts())
        finally:
            Views(views).close(result)
            pool.close()
        return self._told(result, out)

    def _told(self, result: Result, out: Path) -> int:
        """Save the result and say it everywhere; a file that cannot be written costs the rest nothing."""
        code, path = EXIT_CODES[result.verdict], None
        try:
            path = save(result, unused(out) if self._is_shared else out)
        except LoadgenError as error:
            code = _complain(error)
        if not self._json:
            print_summary(result, path)
        for file, text in ((self._junit, junit.document), (self._summary, markdown.document)):
            if file:
                try:
                    Path(file).parent.mkdir(parents=True, exist_ok=True)
                    write(file, text(result))
                except (LoadgenError, OSError) as error:
                    code = _complain(LoadgenError(str(error)))
        step = os.environ.get(_STEP_SUMMARY)
        if step:
            try:
                with open(step, "a", encoding="utf-8", errors="replace") as appended:
                    appended.write(markdown.document(result))
            except OSError as error:
                code = _complain(LoadgenError(f"{_STEP_SUMMARY}={step}: {error.strerror}"))
        return code


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """In it, SIGTERM is Ctrl-C: so a pipeline ends a step, whose result is wanted all the same."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Views:
    """Several views as one; implements :class:`loadgen.live.View`."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views

    def update(self, second: Second, totals: Totals) -> None:
        for view in self._views:
            view.update(second, totals)

    def close(self, result: Result | None = None) -> None:
        for view in self._views:
            view.close(result)


def check_writable(folder: Path, option: str = "--out") -> None:
    """See that *folder* can be made and written to; :exc:`UsageError` before the run, not after it.

    A folder that was not there is not there afterwards: a run that does not begin leaves nothing behind.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{option} {folder}: {error.strerror}; give a folder that can be made") from None
    finally:
        is_writable = os.access(folder, os.W_OK)
        for one in missing:
            with contextlib.suppress(OSError):  # somebody else has put something there
                one.rmdir()
    if not is_writable:
        raise UsageError(f"{option} {folder}: it cannot be written to; give another folder")


def _complain(error: LoadgenError) -> int:
    print(f"loadgen: {error}", file=sys.stderr)
    return 1
