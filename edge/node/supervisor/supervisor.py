"""The supervisor, ``twistd edge`` itself: from the first option to the exit code.

1. Before ``twistd`` goes into the background: open what the node needs (:mod:`.opening`).
2. Afterwards: take signals (:mod:`.signals`), make the parts of the node (:mod:`.assembly`), start them
   (:mod:`.node`), publish.
3. At SIGTERM, SIGINT or ``edgectl drain``: drain, close, exit with 0.  A second one does not wait.

Where the node is in this is its :mod:`~edge.node.process.life`.  What it cannot run with is said in one line,
and the process exits with 1.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.errors import EdgeError, in_words
from edge.node.process.life import Life, NodeEvent
from edge.node.supervisor.assembly import make_node
from edge.node.supervisor.configuration import Configuration
from edge.node.supervisor.opening import open_node
from edge.node.supervisor.signals import Action, take_signals

if TYPE_CHECKING:
    from twisted.application.service import IService

    from edge.config import Config
    from edge.node.supervisor.directories import User
    from edge.node.supervisor.node import Node

#: What a running node makes is not for others: where the state directory was there before, it may be open.
OTHERS_UMASK = 0o027


def make_supervisor(config: Config, user: User, reactor: Any) -> IService:
    """The service of one node; raises an :class:`EdgeError` when it cannot have what it needs.

    *user*: who the process becomes before the service is started.
    """
    return Supervisor(config, user, reactor)


class Supervisor(Service):
    """The service that ``twistd`` runs: the process of one node."""

    _log = Logger()

    def __init__(self, config: Config, user: User, reactor: Any) -> None:
        self._reactor = reactor
        self._configuration = Configuration(config)
        self._life = Life()
        self._opened = open_node(config, user)
        self._node: Node | None = None
        self._ended: Deferred[None] | None = None

    # Starting

    def startService(self) -> None:
        """Start everything; what fails is said in one line, and the process exits with 1."""
        super().startService()
        os.umask(os.umask(0o777) | OTHERS_UMASK)
        actions = {
            Action.DRAIN: self._terminate,
            Action.RELOAD: self._reload,
            Action.REOPEN: self._reopen,
        }
        self._reactor.callWhenRunning(take_signals, actions, self._reactor)
        try:
            self._node = node = make_node(
                self._configuration, self._opened, self._life, self._terminate, self._give_up, self._reactor
            )
            node.start()
        except EdgeError as error:
            self._give_up(str(error))
            return
        except OSError as error:
            self._give_up(in_words(error))
            return
        Deferred.fromCoroutine(node.publish_first())

    # Signals, and what the admin API asks

    def _terminate(self) -> None:
        """Drain, then end the process; asked again: end it now."""
        if self._ended is None:
            self._log.info("draining for at most {n} seconds", n=self._configuration.current.drain_seconds)
            self._end(self._drain_seconds).addBoth(lambda _: self._stop_reactor())
        else:
            self._log.info("asked again: not waiting any longer")
            if self._node is not None:
                Deferred.fromCoroutine(self._node.hurry())

    def _reload(self) -> None:
        if self._node is not None:
            Deferred.fromCoroutine(self._node.reload())

    def _reopen(self) -> None:
        if self._node is not None:
            Deferred.fromCoroutine(self._node.reopen_logs())

    # Ending

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self._end(self._drain_seconds)

    @property
    def _drain_seconds(self) -> float:
        return float(self._configuration.current.drain_seconds)

    def _end(self, seconds: float) -> Deferred[None]:
        """Drain and close everything, once."""
        if self._ended is None:
            self._ended = Deferred.fromCoroutine(self._drain(seconds))
        waiting: Deferred[None] = Deferred()
        self._ended.addBoth(lambda _: waiting.callback(None))
        return waiting

    async def _drain(self, seconds: float) -> None:
        self._life.happens(NodeEvent.TOLD_TO_END)
        if self._node is not None:
            await self._node.drain(seconds)
        self._opened.close()
        self._life.happens(NodeEvent.ENDED)

    def _give_up(self, why: str) -> None:
        """Say why the node cannot run, and end the process with 1."""
        self._log.critical("{why}", why=why)
        atexit.register(_exit_with_1)
        self._end(0.0).addBoth(lambda _: self._stop_reactor())

    def _stop_reactor(self) -> None:
        if self._reactor.running:
            self._reactor.stop()
        else:
            self._reactor.callWhenRunning(self._reactor.stop)


def _exit_with_1() -> None:
    """Twisted knows no exit code; called at the very end of the interpreter's life."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
