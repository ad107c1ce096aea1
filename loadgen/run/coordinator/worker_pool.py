"""The pool of worker processes: children here, or processes lent by ``loadgen worker`` elsewhere."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import IO, Any

from loadgen.errors import LoadgenError
from loadgen.run.messages.addresses import parse_address
from loadgen.run.messages.handshake import HandshakeError, introduce
from loadgen.run.messages.protocol import Failed, Message, MessageError, MessageReader, encode

#: Seconds for a process to end by itself when its stream has ended.
_GRACE = 15.0
_DIAL_SECONDS = 10.0
NONSENSE = "it says what cannot be understood; is it of another version?"


class WorkerProcess(ABC):
    """A worker process at the other end of two descriptors, which may be one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages = MessageReader()
        self.inward = -1
        self.outward = -1
        self.ended = False

    def tell(self, message: Message) -> None:
        """Send *message*; one that is gone is noticed when it is read from."""
        data = memoryview(encode(message))
        with contextlib.suppress(OSError):
            os.set_blocking(self.outward, True)
            while data:
                data = data[os.write(self.outward, data) :]

    def last_words(self) -> str:
        """The last line of its standard error, once it has ended; "" where that is not known."""
        return ""

    @abstractmethod
    def dismiss(self) -> None:
        """End the stream to it: it stops, and reports what it did."""

    @abstractmethod
    def close(self) -> None:
        """Wait for its end, and have it killed if that does not come."""


class LocalWorker(WorkerProcess):
    """A child process of the coordinator; implements :class:`WorkerProcess`."""

    def __init__(self, number: int, targets: Sequence[str]) -> None:
        """*targets*: IP addresses that it may load."""
        super().__init__(f"process {number}")
        theirs_in, self.outward = os.pipe()
        self.inward, theirs_out = os.pipe()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed in close()
        command = [sys.executable, "-m", "loadgen.run.process", str(theirs_in), str(theirs_out), *targets]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=(theirs_in, theirs_out),
            # Ctrl-C in the terminal is for the parent, which ends the run in order.
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._process.pid

    def last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "").strip()

    def dismiss(self) -> None:
        if self.outward >= 0:
            os.close(self.outward)
            self.outward = -1

    def close(self) -> None:
        self.dismiss()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self.inward)
        self._errors.close()


class RemoteWorker(WorkerProcess):
    """A process that ``loadgen worker`` lends on another machine; implements :class:`WorkerProcess`."""

    def __init__(self, address: str, token: bytes) -> None:
        super().__init__(f"worker {address}")
        try:
            self._socket = socket.create_connection(parse_address(address), _DIAL_SECONDS)
            introduce(self._socket, token)
        except (OSError, ValueError, HandshakeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise LoadgenError(
                f"--workers {address}: {why}; start it there with loadgen worker --listen HOST:PORT"
            ) from None
        self._socket.settimeout(None)
        self.inward = self.outward = self._socket.fileno()

    def dismiss(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()


class WorkerPool:
    """All worker processes of a run, and what they say, whichever says it first."""

    def __init__(
        self, processes: int, targets: Sequence[str], workers: Sequence[str] = (), token: bytes = b""
    ) -> None:
        """*targets*: IP addresses that ours may load; *workers*: HOST:PORT; then there are none here."""
        self.all: list[WorkerProcess] = []
        self._poll = selectors.DefaultSelector()
        try:
            for address in workers:
                self.all.append(RemoteWorker(address, token))
            for number in range(0 if workers else processes):
                self.all.append(LocalWorker(number, targets))
        except BaseException:
            self.close()
            raise
        for worker in self.all:
            self._poll.register(worker.inward, selectors.EVENT_READ, worker)

    def __len__(self) -> int:
        return len(self.all)

    def receive(self, seconds: float) -> list[tuple[WorkerProcess, Message | None]]:
        """The messages of *seconds*; None: the end of one.  Who talks nonsense has failed, and ended."""
        found: list[tuple[WorkerProcess, Message | None]] = []
        for key, _ in self._poll.select(seconds):
            worker: WorkerProcess = key.data
            data: Any = b""
            with contextlib.suppress(OSError):
                data = os.read(worker.inward, 1 << 20)
            try:
                found += [(worker, message) for message in worker.messages.receive(data)]
            except MessageError as error:
                found.append((worker, Failed(f"{NONSENSE}: {error}")))
                data = b""
            if not data:
                self._poll.unregister(worker.inward)
                worker.ended = True
                found.append((worker, None))
        return found

    def dismiss(self) -> None:
        """Have all workers stop and report."""
        for worker in self.all:
            worker.dismiss()

    def close(self) -> None:
        """Wait for the end of all."""
        self.dismiss()
        for worker in self.all:
            worker.close()
        self._poll.close()
