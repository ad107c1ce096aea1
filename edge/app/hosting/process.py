"""The life of an application's process: load, be ready, take connections of workers, drain, end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from edge.app import changes
from edge.app.hosting import control, twisted_reactor
from edge.app.hosting.asgi import Asgi
from edge.app.hosting.asgi_lifespan import Lifespan
from edge.app.hosting.connection import Connection
from edge.app.hosting.loading import ASGI, WSGI, CannotLoad, Loaded, load
from edge.app.hosting.wsgi import Wsgi
from edge.app.messages import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.app.hosting.connection import Interface

#: Before a sentence of ours in what is printed: applications print, too.
PROBLEM = "application-problem: "
#: Descriptors that may come with one read of the control socket.
MOST_DESCRIPTORS = 64


def run(specification: str) -> NoReturn:
    """Run the application of *specification* (JSON with run, folder and threads), and end the process.

    With ``"check": true`` it is only loaded, and what is wrong is printed.
    """
    told = json.loads(specification)
    folder = told["folder"]
    if folder:
        sys.path.insert(0, folder)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    twisted_reactor.on(loop)
    if told.get("check"):
        _leave(_check(told["run"]))
    os.register_at_fork(after_in_child=_forget_control)
    os.set_inheritable(control.CONTROL_FD, False)
    try:
        loaded = load(told["run"])
    except CannotLoad as error:
        _fail(str(error))
        _leave(1)
    _leave(loop.run_until_complete(_serve(loaded, int(told["threads"]))))


def _leave(code: int) -> NoReturn:
    """End, without waiting for threads that the application has begun."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the application has closed it
            stream.flush()
    os._exit(code)


def _check(run: str) -> int:
    try:
        load(run)
    except CannotLoad as error:
        print(f"\n{PROBLEM}{' '.join(str(error).splitlines())}", flush=True)
        return 1
    return 0


def _fail(sentence: str) -> None:
    """Say why there is no application."""
    with socket.socket(fileno=os.dup(control.CONTROL_FD)) as supervisor:
        supervisor.setblocking(True)
        supervisor.sendall(control.frame(control.FAILED, sentence.encode()[: control.MAX_SENTENCE]))


def _forget_control() -> None:
    """A child of the application's is nobody whom the supervisor knows."""
    with contextlib.suppress(OSError):
        os.close(control.CONTROL_FD)


async def _serve(loaded: Loaded, threads: int) -> int:
    process = Process()
    try:
        interface, lifespan = await _begin(loaded, threads)
    except CannotLoad as error:
        _fail(str(error))
        return 1
    twisted_reactor.begin()
    changes.node = process
    process.start(interface, loaded.kind)
    await process.ended.wait()
    changes.node = None
    if lifespan is not None:
        await lifespan.stop()
    twisted_reactor.end()
    return 0


async def _begin(loaded: Loaded, threads: int) -> tuple[Interface, Lifespan | None]:
    """What answers questions."""
    if loaded.kind == ASGI:
        lifespan = Lifespan(loaded.application)
        await lifespan.start()
        return Asgi(loaded.application, lifespan.state), lifespan
    if loaded.kind == WSGI:
        return Wsgi(loaded.application, threads), None
    from edge.app.hosting.twisted_web import Resources

    return Resources(loaded.application), None


class Process:
    """The connection to the supervisor, and those of workers.  Implements :class:`edge.app.changes.Node`."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._supervisor = socket.socket(fileno=control.CONTROL_FD)
        self._supervisor.setblocking(False)
        self._messages = control.Messages()
        self._descriptors: list[int] = []
        self._connections: set[Connection] = set()
        self._interface: Interface
        self._is_draining = False

    def start(self, interface: Interface, kind: str) -> None:
        """Say that the application is ready, and take what comes."""
        self._interface = interface
        # Ctrl-C and the like are the supervisor's, who tells us what follows.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._loop.add_signal_handler(signal.SIGTERM, self._drain, 10_000)
        self._loop.add_reader(self._supervisor, self._read)
        self._say(control.frame(control.READY, kind.encode()))

    def changed(self, groups: Sequence[bytes], settled: Callable[[int | None], None]) -> None:
        """Tell the node, by any of its workers; called in any thread."""
        self._loop.call_soon_threadsafe(self._tell_changed, groups, settled)

    def _tell_changed(self, groups: Sequence[bytes], settled: Callable[[int | None], None]) -> None:
        for connection in self._connections:
            connection.changed(groups, settled)
            return
        settled(None)

    def _say(self, frame: bytes) -> None:
        """Tell the supervisor; it reads always, unless it has gone."""
        try:
            self._supervisor.send(frame)
        except (BlockingIOError, OSError):
            return

    def _read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._supervisor, 65_536, MOST_DESCRIPTORS)
            self._descriptors += descriptors
            messages = self._messages.receive(data)
        except BlockingIOError:
            return
        except (OSError, Malformed):
            data, messages = b"", []
        if not data:  # the supervisor has gone
            self._loop.remove_reader(self._supervisor)
            self._drain(10_000)
            return
        for kind, elements in messages:
            self._take(kind, elements)

    def _take(self, kind: int, elements: list[Any]) -> None:
        if kind == control.CONNECTION:
            self._loop.create_task(self._connect(self._descriptors.pop(0)))
        elif kind == control.PING:
            running = sum(connection.running for connection in self._connections)
            self._say(control.frame(control.FIGURES, running, getattr(self._interface, "stuck", 0)))
        elif kind == control.DRAIN:
            self._drain(elements[0])

    async def _connect(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        connected = socket.socket(fileno=descriptor)
        connected.setblocking(False)
        connection = Connection(self._interface, self._closed)
        self._connections.add(connection)  # before it is open: it may be closed at once
        await self._loop.create_connection(lambda: connection, sock=connected)
        if self._is_draining:
            connection.drain()

    def _drain(self, milliseconds: int) -> None:
        """Have workers ask elsewhere; end when they have closed, or the time is over."""
        if self._is_draining:
            return
        self._is_draining = True
        for connection in self._connections:
            connection.drain()
        self._loop.call_later(milliseconds / 1000, self.ended.set)
        self._end_if_done()

    def _closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._is_draining and not self._connections:
            self.ended.set()
