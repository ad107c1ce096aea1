"""``python -m tests [OPTION...] MODULE...``: trial, where a test that hangs ends it, with the stacks.

trial bounds only what a test waits for with a Deferred.  Here each test has :data:`TEST_SECONDS`, whatever it
waits for: then the stacks of all threads are shown below its name and the process exits, because
nothing can end a thread that waits.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import time
import traceback
from typing import Any
from unittest import TestCase

from twisted.scripts import trial
from twisted.trial.reporter import VerboseTextReporter

#: Seconds for one test.  None takes a fifth of that on a quiet machine.
TEST_SECONDS = float(os.environ.get("TEST_SECONDS", "300"))
#: Seconds from which on a test says how long it has taken.
SLOW = 1.0


class BoundedReporter(VerboseTextReporter):  # type: ignore[misc]
    """Shows each test by its whole name as it begins, and what it took if that is long.

    That is seconds, and those of a processor, its processes included: these know nothing of a busy machine.
    """

    def startTest(self, test: TestCase) -> None:
        """Begin with *test*'s seconds."""
        super().startTest(test)
        self._stream.flush()
        self._begun = time.monotonic(), cpu_seconds()
        faulthandler.dump_traceback_later(TEST_SECONDS, exit=True)

    def stopTest(self, test: TestCase) -> None:
        """*test* has ended; what comes until the next one has as many seconds again."""
        faulthandler.dump_traceback_later(TEST_SECONDS, exit=True)
        seconds, cpu = time.monotonic() - self._begun[0], cpu_seconds() - self._begun[1]
        if seconds >= SLOW:
            self._write(f" {seconds:.1f} s, CPU {cpu:.1f} s")
        super().stopTest(test)

    def _formatFailureTraceback(self, fail: Any) -> str:
        """Of trial, with what it leaves out."""
        return "\n".join([super()._formatFailureTraceback(fail), *more_of(getattr(fail, "value", None))])


def more_of(error: BaseException | None) -> list[str]:
    """The notes of *error*, in which Hypothesis says with what it was; and of a group each one whole."""
    inner = getattr(error, "exceptions", ())
    return [*getattr(error, "__notes__", ()), *("".join(traceback.format_exception(one)) for one in inner)]


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


class Options(trial.Options):  # type: ignore[misc]
    """trial's options, with our reporter."""

    def postOptions(self) -> None:
        """Choose it."""
        super().postOptions()
        self["reporter"] = BoundedReporter


if __name__ == "__main__":
    sys.argv[0] = "trial"
    trial.Options = Options  # type: ignore[misc]
    trial.run()
