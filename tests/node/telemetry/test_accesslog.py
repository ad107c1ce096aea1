"""The access log: a thread that writes what is in the rings, whatever becomes of the file."""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.logs.ring import HEADER_BYTES, Ring
from edge.node.process.log_memory import LogMemory
from edge.node.telemetry import accesslog
from edge.node.telemetry.accesslog import AccessLog
from edge.node.telemetry.log_outputs import (
    FileOutput,
    JournalOutput,
    Output,
    StandardOutput,
    open_output,
    try_output,
)
from tests import processes
from tests.logs.records import RECORD
from tests.logs.test_lines import journal_fields


class Reactor:
    """Runs at once what other threads ask for."""

    def callFromThread(self, what: Callable[..., object], *arguments: object) -> None:
        """As of Twisted's."""
        what(*arguments)

    def seconds(self) -> float:
        """A clock that does not jump."""
        return time.monotonic()


class LogCase(SynchronousTestCase):
    """A folder, a log in it, and what is said meanwhile."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()  # its path has to be short enough for a socket
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "access.log"
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)
        self.patch(accesslog, "RETRY_SECONDS", 0.01)
        self.patch(accesslog, "END_SECONDS", 0.5)

    def observe(self, event: LogEvent) -> None:
        """Keep what the log says of itself."""
        text = formatEvent(event)
        if text.startswith("access log"):
            self.said.append(text)

    def start(self, where: str | None = None, log_format: str = "json", **more: Any) -> AccessLog:
        """A log of two workers."""
        where = str(self.path) if where is None else where
        log = AccessLog(2, where, log_format, Reactor(), **more)
        self.writers = [Ring(LogMemory(os.dup(log.ring(worker))).memory) for worker in range(2)]
        self.log, self.wake = log, log.wake
        log.start()
        self.addCleanup(self.stop)
        return log

    def stop(self, patience: float | None = None) -> None:
        """Once; with what there is to write, if it has *patience*."""
        if patience is not None:
            self.patch(accesslog, "END_SECONDS", patience)
        if self.log is not None:
            self.log.stop()
        self.log = None  # type: ignore[assignment]

    def write(self, *targets: str, worker: int = 0) -> None:
        """As a worker does."""
        for target in targets:
            if self.writers[worker].write(RECORD._replace(target=target.encode())):
                os.eventfd_write(self.wake, 1)

    def until(self, holds: Callable[[], object]) -> None:
        """Wait for the thread."""
        until = time.monotonic() + processes.PATIENCE
        while time.monotonic() < until:
            if holds():
                return
            time.sleep(0.01)
        self.fail(f"it has not come; said: {self.said}")

    def targets(self, path: Path | None = None) -> list[str]:
        """What is in a file."""
        path = path or self.path
        if not path.exists():
            return []
        return [json.loads(line)["target"] for line in path.read_text().splitlines()]


class AccessLogTests(LogCase):
    """Rings in, lines out."""

    def test_what_workers_write_comes_into_the_file(self) -> None:
        """Also to somebody who slept."""
        self.start()
        self.write("/a", "/b")
        self.until(lambda: self.targets() == ["/a", "/b"])
        self.write("/c", worker=1)
        self.until(lambda: self.targets() == ["/a", "/b", "/c"])
        self.assertEqual(json.loads(self.path.read_text().splitlines()[2])["worker"], 1)
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o640 & ~_umask())
        self.assertEqual(tuple(self.log.figures()), (3, 0))
        self.assertEqual(self.said, [])

    def test_what_is_there_at_the_end_is_written(self) -> None:
        self.start()
        self.write(*(f"/{number}" for number in range(500)))
        self.stop(processes.PATIENCE)
        self.assertEqual(self.targets(), [f"/{number}" for number in range(500)])

    def test_reopening_goes_on_in_a_new_file(self) -> None:
        """Nothing is lost, torn, or twice, while a worker writes all the time."""
        self.start()
        over = threading.Event()
        numbers: list[str] = []

        def write() -> None:
            while not over.is_set():
                numbers.append(f"/{len(numbers)}")
                self.write(numbers[-1])
                time.sleep(0.0002)

        writer = threading.Thread(target=write)
        writer.start()
        self.addCleanup(over.set)
        old = []
        for number in range(20):
            self.until(lambda: self.path.exists() and self.path.stat().st_size)
            old.append(self.folder / f"access.log.{number}")
            self.path.rename(old[-1])
            done: list[None] = []
            self.log.reopen().addCallback(done.append)
            self.until(lambda done=done: done)
            size = old[-1].stat().st_size
            self.assertTrue(self.path.exists())
            time.sleep(0.01)
            self.assertEqual(old[-1].stat().st_size, size)
        over.set()
        processes.join(writer)
        self.stop(processes.PATIENCE)
        self.assertEqual([one for path in (*old, self.path) for one in self.targets(path)], numbers)

    def test_a_file_that_cannot_be_opened_anew_is_said_and_the_old_one_written_on(self) -> None:
        self.start()
        self.write("/a")
        self.until(self.targets)
        old = self.folder / "old"
        self.path.rename(old)
        self.path.mkdir()
        self.successful(self.log.reopen())
        self.write("/b")
        self.until(lambda: self.targets(old) == ["/a", "/b"])
        self.assertIn("cannot be opened anew: ", self.said[0])
        self.assertIn("name a file", self.said[0])

    def successful(self, done: Deferred[None]) -> None:
        """Wait for *done*, which another thread fires."""
        fired: list[None] = []
        done.addCallback(fired.append)
        self.until(lambda: fired)

    def test_another_file_and_another_format(self) -> None:
        """SIGHUP: what came before stays where it was."""
        self.start()
        self.write("/a")
        other = self.folder / "other"
        self.log.configure(str(other), "common")
        self.successful(self.log.reopen())
        self.write("/b")
        self.until(lambda: other.exists() and other.stat().st_size)
        self.assertEqual(self.targets(), ["/a"])
        self.assertIn('"GET /b HTTP/1.1" 200 5\n', other.read_text())

    def test_a_ring_that_is_full_drops_and_says_so_once(self) -> None:
        """With the remedy."""
        stuck = threading.Event()

        class Slow(FileOutput):
            def write(self, piece: bytes) -> bytes:
                stuck.wait(processes.PATIENCE)
                return super().write(piece)

        self.start(ring_bytes=8192, open_output=Slow)
        for number in range(200):
            self.write(f"/{number}")
        dropped = self.log.figures().dropped
        self.assertGreater(dropped, 50)
        stuck.set()
        self.until(lambda: self.said)
        self.stop(processes.PATIENCE)
        self.assertEqual(len(self.targets()), 200 - dropped)
        (line,) = self.said
        self.assertIn(f"{dropped} requests so far were not written down", line)
        self.assertIn("access-log-every", line)

    def test_a_full_disk_is_said_and_nothing_is_torn(self) -> None:
        """What is written goes up to the last whole line; when there is room it goes on."""
        room = [300]

        class Disk(FileOutput):
            def write(self, piece: bytes) -> bytes:
                full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if room[0] <= 0:
                    raise full
                if len(piece) <= room[0]:
                    room[0] -= len(piece)
                    return super().write(piece)
                part, room[0] = piece[: room[0]], 0
                os.write(self._fd, part)
                written = self._without_torn_line(piece, len(part))
                if not written:
                    raise full
                return piece[written:]

        self.start(open_output=Disk)
        self.write(*(f"/{number}" for number in range(50)))
        self.until(lambda: self.said)
        self.assertIn("o space left", self.said[0])
        self.assertIn("make room; it goes on by itself", self.said[0])
        self.assertEqual(len(self.said), 1)
        self.targets()  # whole lines
        room[0] = 10**9
        self.until(lambda: len(self.targets()) == 50)
        self.until(lambda: len(self.said) == 2)
        self.assertIn("is written again; 0 requests so far are not in it", self.said[1])

    def test_the_full_device(self) -> None:
        """The kernel's own."""
        self.start("/dev/full")
        self.write("/a")
        self.until(lambda: self.said)
        self.assertIn("/dev/full", self.said[0])

    def test_a_folder_that_comes_later(self) -> None:
        path = self.folder / "later" / "access.log"
        self.start(str(path))
        self.write("/a")
        self.until(lambda: self.said)
        path.parent.mkdir()
        self.until(lambda: self.targets(path) == ["/a"])

    def test_a_pipe_without_a_reader(self) -> None:
        """Is said; when one comes, it reads whole lines; when it goes, the next one does."""
        os.mkfifo(self.path)
        try_output(str(self.path))
        self.start()
        self.write("/a")
        self.until(lambda: self.said)
        self.assertIn("it is a pipe that nobody reads; start its reader", self.said[0])
        for number in range(3):
            with open(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
                self.write(f"/{number}")
                select.select([reader], [], [], processes.PATIENCE)
                self.assertIn("target", json.loads(reader.readline()))
        self.stop()

    def test_a_pipe_that_is_full_holds_nobody_up(self) -> None:
        """The rings fill, what comes then is counted; the end of the node does not wait for it."""
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.start(ring_bytes=8192)
        for number in range(2000):
            self.write(f"/{number}")
            time.sleep(0.0001)
        self.until(lambda: self.log.figures().dropped)
        self.stop()

    def test_what_is_no_record_is_said(self) -> None:
        """Of a worker that has been taken over."""
        log = self.start()
        memory = LogMemory(os.dup(log.ring(1))).memory
        memory[64:72] = (1 << 40).to_bytes(8, "little")
        self.write("/a")
        self.until(lambda: self.targets() == ["/a"])
        self.until(lambda: self.said)
        self.assertIn("restart the node", self.said[0])
        self.assertEqual(len(memory) % HEADER_BYTES, 0)

    def test_the_journal_gets_entries(self) -> None:
        """Over its socket, here of our own."""
        path = str(self.folder / "socket")
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(journal.close)
        journal.bind(path)
        journal.settimeout(processes.PATIENCE)

        def journal_output(where: str) -> Output:
            self.assertEqual(where, "journal")
            return JournalOutput(path)

        self.start("journal", open_output=journal_output)
        self.write("/a", "/b\n\x1b[2J")
        fields = [journal_fields(journal.recv(65536)) for _ in range(2)]
        self.assertEqual([one["EDGE_TARGET"] for one in fields], [b"/a", b"/b\\x0a\\x1b[2J"])
        self.assertEqual(fields[0]["SYSLOG_IDENTIFIER"], b"edge-access")

    def test_told_to_end_it_ends_though_nothing_is_to_be_written(self) -> None:
        """It had slept on, and each node waited for it in vain when it ended."""
        log = self.start()
        self.write("/a")
        self.until(lambda: self.targets() == ["/a"])
        self.stop(processes.PATIENCE)
        self.assertFalse(log._thread.is_alive())

    def test_without_a_log_nothing_is_opened(self) -> None:
        log = AccessLog(1, None, "json", Reactor())
        log.start()
        log.stop()
        self.assertEqual(os.listdir(self.folder), [])


class OutputTests(LogCase):
    """What can be opened, and what is said if not."""

    def test_what_cannot_be_opened_is_told_in_words(self) -> None:
        for where, remedy in (("/nonexistent/x", "name a file"), ("/dev/null/x", "name a file")):
            with self.assertRaisesRegex(ConfigError, f"access-log {where}: cannot be opened.*; {remedy}"):
                try_output(where)
        with self.assertRaises(OSError):
            JournalOutput(str(self.path))
        if not os.path.exists("/run/systemd/journal/socket"):
            with self.assertRaisesRegex(ConfigError, "is systemd-journald running"):
                try_output("journal")

    def test_standard_output(self) -> None:
        """In pieces that a pipe takes whole."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        kept = os.dup(1)
        os.dup2(write, 1)
        os.close(write)
        try:
            output = open_output("-")
            self.assertIsInstance(output, StandardOutput)
            piece = b"line\n" * 1000
            while piece:
                piece = output.write(piece)
            output.close()
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        self.assertEqual(os.read(read, 10_000), b"line\n" * 1000)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
