"""The thread that an engine lives in: QuickJS is not to be used by several, and a thread can be given up."""

from __future__ import annotations

import logging
import os
import queue
import re
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from edge.app.rendering.engine import Engine, Limits
from edge.app.rendering.errors import ModuleError, Overtaken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

T = TypeVar("T")

#: Seconds between two looks whether files have changed.
LOOK = 0.5
#: Calls between two looks at the memory of an engine: modules that keep something make it grow.
_MEASURE = 256
#: Bytes of the stack of a thread: musl gives 128 KiB by itself, QuickJS is permitted 512 KiB.
_STACK = 2 << 20
_PATH = re.compile(r"(?:/[\w-][\w.-]*)+")

_log = logging.getLogger("edge.app.rendering")
_Version = tuple[int, int, int]


class Lane:
    """One thread with one engine, which is made anew when files have changed or a limit was reached."""

    def __init__(self, roots: Sequence[Path], limits: Limits, clock: Callable[[], float]) -> None:
        self._roots = roots
        self._limits = limits
        self._clock = clock
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[Engine], Any]] | None] = (
            queue.SimpleQueue()
        )
        self._engine: Engine | None = None
        self._files: dict[str, tuple[Path, _Version]] = {}
        self._looked = 0.0
        self._calls = 0
        #: When it began what it is at; None: nothing.
        self.since: float | None = None
        before = threading.stack_size(_STACK)
        try:
            # A daemon: a call that does not come back does not keep the process alive.
            threading.Thread(target=self._run, name="edge-rendering", daemon=True).start()
        finally:
            threading.stack_size(before)

    def submit(self, work: Callable[[Engine], T]) -> Future[T]:
        """Have *work* done with the engine, behind what waits already."""
        future: Future[T] = Future()
        self._work.put((future, work))
        return future

    def close(self) -> None:
        """End the thread behind what waits."""
        self._work.put(None)

    def _run(self) -> None:
        while (one := self._work.get()) is not None:
            future, work = one
            if not future.set_running_or_notify_cancel():
                continue
            self.since = self._clock()
            try:
                result = self._done(work)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            self.since = None
            del one, future, work
        self._engine = None

    def _done(self, work: Callable[[Engine], T]) -> T:
        """What *work* returns; ever longer, while other threads use the CPU time that it is given."""
        allowance = 1
        while True:
            try:
                return work(self._current(allowance))
            except Overtaken:
                # Half done with something, and nobody knows with what.
                self._engine = None
                allowance *= 2

    def _current(self, allowance: int) -> Engine:
        """The engine, of the files as they are."""
        now = self._clock()
        self._calls += 1
        engine = self._engine
        if engine is None or engine.is_broken or (self._calls % _MEASURE == 0 and engine.is_full):
            self._files.clear()
            engine = self._engine = Engine(self._read, self._limits, allowance)
            self._looked = now
        elif now - self._looked >= LOOK:
            self._looked = now
            if any(_version(path) != version for path, version in self._files.values()):
                engine = self._engine = self._renewed(engine)
        engine.allowance = allowance
        return engine

    def _renewed(self, before: Engine) -> Engine:
        """An engine with the files as they are; the one before, if they are not whole."""
        self._files.clear()
        try:
            engine = Engine(self._read, self._limits)
            for path in before.loaded:
                engine.load(path)
        except ModuleError as error:
            _log.error("%s; the components stay as they were", error)
            return before
        return engine

    def _read(self, path: str) -> str:
        """The source of the module whose URL has this path."""
        if not _PATH.fullmatch(path):
            raise ModuleError(f"{path!r} is no path of a module")
        for root in self._roots:
            file = root / path[1:]
            if (version := _version(file)) is not None:
                self._files[path] = (file, version)
                try:
                    return file.read_text("utf-8")
                except (OSError, UnicodeDecodeError) as error:
                    raise ModuleError(f"{file}: {error}") from None
        self._files[path] = (self._roots[0] / path[1:], (0, 0, 0))
        raise ModuleError(f"there is no {path} in {' nor in '.join(map(str, self._roots))}")


def _version(path: Path) -> _Version | None:
    """What tells that a file has changed; None: there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
