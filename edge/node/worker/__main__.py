"""A worker process: ``python -m edge.node.worker``, started by the supervisor and by nobody else.

It inherits its descriptors (see :mod:`edge.node.process.control`), is told its settings over the control
connection, and ends by being drained, or when the supervisor has gone.  What it logs goes to
standard error, line by line, from where the supervisor takes it.  Its reactor lets the fast path wait for
both (:mod:`edge.fastpath.reactor`).
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.main import installReactor
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
)
from twisted.logger import formatEvent as format_event
from zope.interface import implementer

from edge.confinement.confine import confine
from edge.descriptors import raise_descriptor_limit
from edge.errors import ConfigError, EdgeError, NotConnected
from edge.fastpath.reactor import FastPathReactor
from edge.node.process import control
from edge.node.process.clocks import measure_steadily
from edge.node.process.settings import WorkerSettings, decode
from edge.node.process.signals import let_signals_in, take_signals
from edge.node.process.ticket_keys import unpack as unpack_ticket_keys
from edge.node.worker.fill_control import FillsOverControl
from edge.node.worker.serving import Serving
from edge.table.segment import Segment
from edge.tls.interface import Credential

if TYPE_CHECKING:
    from twisted.logger import LogEvent
    from twisted.python.failure import Failure


class Worker(control.FillsConnection):
    """The worker's end of the control connection, and the life of the worker."""

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor
        self._serving: Serving | None = None
        self._settings: WorkerSettings | None = None
        self._leaving = False
        #: Of the listener whose last certificate has not come yet.
        self._credentials: list[Credential] = []
        #: Of the files of users whose last piece has not come yet.
        self._users = b""
        self._fills = FillsOverControl(self.callRemote, self.say_of_fills, reactor)
        self.exit_code = 0

    @control.Start.responder
    def start(self, settings: bytes) -> dict[str, Any]:
        """Attach the table and prepare to serve."""
        told = self._settings = decode(settings)
        try:
            confined = confine(told.confinement)
            segment = Segment.attach(control.TABLE_FD, {told.index: control.BLOCK_FD}, told.counted_sites)
            serving = self._serving = Serving(
                told,
                segment,
                self._reactor,
                self._look_up,
                self._fetch,
                self._failed,
                self._connect,
                self._fills,
            )
        except EdgeError as error:
            self.exit_code = 1
            raise control.Refused(str(error)) from None
        self._log.info("pid {pid}, {how}", pid=os.getpid(), how=serving.describe_fast_path())
        return {"fast_path": serving.fast_path, "confined": msgspec.json.encode(confined)}

    @control.TicketKeys.responder
    def ticket_keys(self, keys: bytes) -> dict[str, Any]:
        """Use *keys* for session tickets."""
        if self._serving is not None:
            self._serving.take_ticket_keys(unpack_ticket_keys(keys))
        return {}

    @control.Users.responder
    def users(self, piece: bytes, last: bool) -> dict[str, Any]:
        """These may log in."""
        self._users += piece
        if last and self._serving is not None:
            packed, self._users = self._users, b""
            self._serving.take_users(packed)
        return {}

    @control.Accept.responder
    def accept(self, ready: bool) -> dict[str, Any]:
        """Accept connections."""
        assert self._serving is not None
        self._serving.accept(ready)
        return {}

    @control.Certificate.responder
    def certificate(self, listener: int, last: bool, **credential: Any) -> dict[str, Any]:
        """Show it, and those that came before it, to new connections of the listener."""
        self._credentials.append(Credential(**credential))
        if last:
            credentials, self._credentials = self._credentials, []
            try:
                if self._serving is not None:
                    self._serving.certify(listener, credentials)
            except ConfigError as error:
                raise control.Refused(str(error)) from None
        return {}

    @control.Refill.responder
    def refill(self, application: str, name: bytes, token: int) -> dict[str, Any]:
        """Ask the clean question of a key."""
        if self._serving is not None:
            self._serving.refill(application, name, token)
        return {}

    def hear_of_fills(self, said: bytes) -> None:
        """What became of fills."""
        self._fills.told(said)

    @control.TellGroups.responder
    def tell_groups(self, news: bytes) -> dict[str, Any]:
        """Tell those sockets that follow them."""
        if self._serving is not None:
            self._serving.tell_groups(news)
        return {}

    @control.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Answered by a reactor that turns."""
        return {}

    @control.Drain.responder
    def drain(self, seconds: float) -> dict[str, Any]:
        """Finish and exit; answered at once."""
        self._reactor.callLater(0, self.leave, seconds)
        return {}

    def leave(self, seconds: float | None = None) -> None:
        """Drain within *seconds* (None: as configured), then end the process."""
        if self._leaving:
            return
        self._leaving = True
        if seconds is None:
            seconds = self._settings.drain_seconds if self._settings is not None else 0.0
        Deferred.fromCoroutine(self._leave(seconds))

    async def _leave(self, seconds: float) -> None:
        if self._serving is not None:
            aborted = await self._serving.drain(seconds)
            if aborted:
                self._log.warn("drained; {n} connections had to be aborted", n=aborted)
        self._reactor.stop()

    async def _look_up(self, path: bytes) -> bytes:
        answer = await self.callRemote(control.Lookup, path=path)
        return answer["entries"]  # type: ignore[no-any-return]

    async def _fetch(self, path: bytes, etag: bytes) -> bool:
        answer = await self.callRemote(control.Fetch, path=path, etag=etag)
        return answer["found"]  # type: ignore[no-any-return]

    async def _connect(self, application: str, number: int) -> int:
        """A connection to an application, as the supervisor makes it; it is ours to close."""
        try:
            answer = await self.callRemote(control.Connect, application=application, number=number)
        except control.Refused as refusal:
            raise NotConnected(str(refusal)) from None
        except (ConnectionDone, ConnectionLost):
            raise NotConnected(f"{application}: the supervisor has gone") from None
        self.callRemote(control.Connected, token=answer["token"]).addErrback(lambda _: None)
        return answer["socket"]  # type: ignore[no-any-return]

    def _failed(self, reason: Failure) -> None:
        """Nothing can be served any more: the supervisor starts another worker."""
        self.exit_code = 1
        self._reactor.stop()

    # Twisted's overrides

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._fills.lost()
        if not self._leaving:
            self._log.warn("the supervisor has gone; finishing what runs")
            self.leave()


@implementer(ILogObserver)
def _write_event(event: LogEvent) -> None:
    """One log event as lines on standard error; nobody may be there to read it."""
    text = format_event(event)
    failure = event.get("log_failure")
    if failure is not None:
        text = f"{text}\n{failure.getTraceback()}"
    try:
        os.write(2, (text.rstrip() + "\n").encode("utf-8", "backslashreplace"))
    except OSError:
        return


def main() -> int:
    """Serve until drained; the exit code."""
    reactor = FastPathReactor()
    installReactor(reactor)
    measure_steadily(reactor)
    relevant = LogLevelFilterPredicate(LogLevel.warn)
    for namespace in ("edge", __name__):
        relevant.setLogLevelForNamespace(namespace, LogLevel.info)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(_write_event, [relevant])], redirectStandardIO=False
    )
    raise_descriptor_limit()
    worker = Worker(reactor)
    # Nothing else: Ctrl-C and the like reach the whole group, and the supervisor tells us what follows.
    take_signals({signal.SIGTERM: worker.leave}, reactor)
    reactor.wake_on_signals()
    let_signals_in()
    reactor.adoptStreamConnection(control.CONTROL_FD, socket.AF_UNIX, Factory.forProtocol(lambda: worker))
    os.close(control.CONTROL_FD)
    reactor.run(installSignalHandlers=False)
    return worker.exit_code


if __name__ == "__main__":
    sys.exit(main())
