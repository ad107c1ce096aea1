"""Parts of ``make test``: commands that run beside one another, each within its bound, and what came of them.

A part's output goes to a file, so that nothing which holds it open can keep us waiting, and is shown in one
piece when the part has ended; that of a part which runs alone is shown as it comes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from tools.bounded import GRACE, MARK

#: (passed, failed) of what a part printed and its exit code.
Count = Callable[[str, int], tuple[int, int]]
#: Seconds after its bound when a part counts as hanging all the same: it waits for each signal it sends.
_LATE = 4 * GRACE + 10
_BOUNDED = Path(__file__).with_name("bounded.py")


def one(output: str, code: int) -> tuple[int, int]:
    """A part that counts as one test."""
    return (1, 0) if code == 0 else (0, 1)


@dataclass(frozen=True)
class Part:
    """A command, with the seconds that it may take."""

    title: str
    command: list[str]
    seconds: float
    count: Count = one
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Whether it may be run once more, alone, if it fails: what works with real processes waits for them, and
    #: on a machine that has other things to do no patience is enough.
    again: bool = False


@dataclass(frozen=True)
class Result:
    """What came of a part; its own failures and those of :mod:`tools.bounded` are in *failed*."""

    title: str
    seconds: float
    passed: int
    failed: int
    skipped: int
    #: Names of tests that failed, and what :mod:`tools.bounded` has said.
    failures: list[str]
    #: The same of a first run, if this is the second one.
    at_first: list[str] = field(default_factory=list)


class Parts:
    """Runs parts from *folder* until *until* (monotonic seconds), which bounds all of them together."""

    def __init__(self, folder: Path, until: float) -> None:
        self.results: list[Result] = []
        self._failed: list[Part] = []
        self._folder = folder
        self._until = until

    def run(self, parts: Iterable[Part], slots: int = 1) -> bool:
        """Run *parts*, at most *slots* at a time, in their order; whether none failed."""
        waiting = deque(parts)
        running: list[_Running] = []
        before = len(self.results)
        try:
            while waiting or running:
                while waiting and len(running) < slots:
                    left = self._until - time.monotonic()
                    running.append(_Running(waiting.popleft(), self._folder, max(1.0, left), live=slots == 1))
                time.sleep(0.02)
                for part in [part for part in running if part.ended()]:
                    running.remove(part)
                    result = part.result()
                    self.results.append(result)
                    if result.failed and part.part.again:
                        self._failed.append(part.part)
        finally:
            for part in running:
                part.stop()
        return not any(result.failed for result in self.results[before:])

    def run_again(self) -> None:
        """Run what has failed, and may, once more: one after the other, and nothing beside it."""
        failed, self._failed = self._failed, []
        for part in failed:
            number = next(n for n, result in enumerate(self.results) if result.title == part.title)
            first = self.results.pop(number)
            self.run([part])
            second = self.results.pop()
            self.results.insert(number, replace(second, at_first=first.failures))


class _Running:
    """A part that runs, below :mod:`tools.bounded`."""

    def __init__(self, part: Part, folder: Path, left: float, live: bool) -> None:
        self.part = part
        self._live = live
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._shown = 0
        self._begun = time.monotonic()
        seconds = min(part.seconds, left)
        self._late = self._begun + seconds + _LATE
        self._title = f"--- {part.title}: {' '.join(part.command)}\n".encode()
        if live:
            _show(self._title)
        self._process = subprocess.Popen(
            [sys.executable, str(_BOUNDED), f"{seconds:.0f}", *part.command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **part.environment},
        )

    def ended(self) -> bool:
        """Whether it has; what it has printed is shown meanwhile when it is alone."""
        if self._live:
            self._show_new()
        if self._process.poll() is None and time.monotonic() > self._late:
            self._process.kill()
            self._process.wait()
        return self._process.returncode is not None

    def result(self) -> Result:
        """What came of it, once it has ended; the rest of its output is shown."""
        if not self._live:
            _show(self._title)
        self._show_new()
        seconds = time.monotonic() - self._begun
        self._output.seek(0)
        output = self._output.read().decode("utf-8", "replace")
        self._output.close()
        passed, failed = self.part.count(output, self._process.returncode)
        said = amiss(output)
        failed += any(words.startswith("left running") for words in said)
        said.append(f"{passed} passed, {failed} failed in {seconds:.0f} s")
        _show("".join(f"--- {self.part.title}: {words}\n" for words in said).encode())
        skipped = sum(map(int, re.findall(r"\bskip(?:s=|ped )(\d+)", output)))
        names = [*failing(output), *amiss(output)]
        return Result(self.part.title, seconds, passed, failed, skipped, names)

    def stop(self) -> None:
        """End it, whatever it is doing."""
        self._process.terminate()
        try:
            self._process.wait(_LATE)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _show_new(self) -> None:
        # At an offset of our own: the part writes at that of the file.
        while new := os.pread(self._output.fileno(), 1 << 20, self._shown):
            self._shown += len(new)
            _show(new)


def amiss(output: str) -> list[str]:
    """What :mod:`tools.bounded` has to say; of a command that broke off, its last test as well."""
    said = re.findall(rf"^{MARK}(.*)$", output, re.MULTILINE)
    tests = re.findall(r"^(?:(tests\.\S+) \.\.\.|# Subtest: (.*)|(?:not )?ok - (.*))", output, re.MULTILINE)
    last = next(filter(None, tests[-1]), "") if tests else ""
    return [
        f"{words}; the last test was {last}" if last and words.startswith("broke off") else words
        for words in said
    ]


def failing(output: str) -> list[str]:
    """The tests that failed, by their names in what trial, ``node --test`` or the tests in C have printed."""
    trial, others = r"^(tests\.\S+) \.\.\. .*\[(?:FAILURE|ERROR)\]", r"^\s*not ok \d*(?: ?- )?(.*)"
    return re.findall(trial, output, re.MULTILINE) + re.findall(others, output, re.MULTILINE)


def _show(new: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(new)
    sys.stdout.buffer.flush()
