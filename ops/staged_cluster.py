"""All nodes of the staging cluster: started, watched until ready, ordered about by buttons, ended."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from ops.controls import Refused
from ops.staged_node import Node

#: Seconds between two looks whether a node is ready.
LOOK_SECONDS = 0.1
#: Seconds that nodes have to end before they are killed: what they need to drain, and some.
STOP_SECONDS = 15.0
#: Seconds that a node is given to come back, at the push of a button.
BACK_PATIENCE = 60.0


class StagingError(Exception):
    """The cluster cannot run; str() says why, for the user."""


class Cluster:
    """The supervisor of all nodes, from the first start to the last end; carries out what buttons order."""

    def __init__(
        self,
        nodes: Sequence[Node],
        is_ready: Callable[[int], Awaitable[bool]],
        reactor: Any,
        scheme: str = "http",
        hint: str = "",
        publish: Callable[[], str] | None = None,
        when_ready: Callable[[], object] = lambda: None,
    ) -> None:
        """*scheme*: of the nodes' addresses; *hint*: lines to print beside them.

        *publish* publishes a change, and says so; *when_ready* is called once, when all are.
        """
        self._scheme = scheme
        self._hint = hint
        self._publish = publish
        self._when_ready = when_ready
        self._nodes = nodes
        self._is_ready = is_ready
        self._reactor = reactor
        self._asked: Deferred[None] = Deferred()

    async def run(self) -> int:
        """Run until stopped; the exit code: 0, or 1 if a node did not start."""
        try:
            for node in self._nodes:
                node.start()
            for node in self._nodes:
                await self._wait_until_ready(node)
            if not self._asked.called:
                self._when_ready()
                print("\n".join(f"{n.name}  {self._url(n)}" for n in self._nodes))
                if self._hint:
                    print(self._hint)
                print("Ctrl-C stops them.", flush=True)
                await self._asked
            return 0
        except StagingError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            await self._stop()

    def ask_to_stop(self) -> None:
        """Have :meth:`run` end in an orderly way; asked again, kill all nodes."""
        if not self._asked.called:
            self._asked.callback(None)
        else:
            self._kill()

    def nodes(self) -> list[dict[str, str]]:
        """Name, URL and condition of each node, as pages are told."""
        return [{"name": n.name, "url": self._url(n), "is": n.condition} for n in self._nodes]

    async def carry_out(self, order: str, node: str) -> str:
        """Do what a button says (:mod:`ops.controls`); in a sentence, what was done."""
        if order == "kill":
            self._node(node).kill()
            return f"{node} was killed: no goodbye, its connections just end."
        if order == "kill-all":
            for one in self._nodes:
                one.kill()
            return "All nodes were killed. There is no server any more."
        if order == "slow":
            if (chosen := self._node(node)).condition != "up":
                raise Refused(f"{node} is {chosen.condition}: only a node that is up can be slowed down.")
            chosen.slow_down()
            return f"{node} runs a tenth of the time from now on."
        if order == "bring-back":
            return await self._bring_back([self._node(node)] if node else self._nodes)
        if order == "publish" and self._publish is not None:
            if self._nodes[0].condition not in ("up", "slow"):
                raise Refused(f"{self._nodes[0].name} has the files, and is away: bring it back first.")
            return self._publish()
        raise Refused(f"There is no button for {order[:40]!r}.", 400)

    async def _bring_back(self, nodes: Sequence[Node]) -> str:
        away = [node for node in nodes if node.condition != "up"]
        if not away:
            return "All nodes are up, and as fast as ever."
        for node in away:
            node.bring_back()
        begun = self._reactor.seconds()
        while not all([await self._is_ready(node.port) for node in away]):
            if self._asked.called or self._reactor.seconds() > begun + BACK_PATIENCE:
                raise Refused("It is on its way back, but not ready yet.")
            await deferLater(self._reactor, LOOK_SECONDS)
        names = " and ".join(filter(None, [", ".join(n.name for n in away[:-1]), away[-1].name]))
        took = self._reactor.seconds() - begun
        return f"{names} {'is' if len(away) == 1 else 'are'} back, after {took:.1f} s."

    def _node(self, name: str) -> Node:
        for node in self._nodes:
            if node.name == name:
                return node
        names = ", ".join(node.name for node in self._nodes)
        raise Refused(f"There is no node {name[:40]!r}; there are {names}.", 400)

    def _url(self, node: Node) -> str:
        return f"{self._scheme}://localhost:{node.port}"

    async def _wait_until_ready(self, node: Node) -> None:
        """Return when it is, or when we are to stop; :class:`StagingError` when it never will be."""
        while not self._asked.called and not await self._is_ready(node.port):
            if node.ended.called:
                raise StagingError(f"{node.name} did not start; it says why above")
            await deferLater(self._reactor, LOOK_SECONDS)
        node.was_ready = True

    async def _stop(self) -> None:
        started = [node for node in self._nodes if not node.ended.called]
        for node in started:
            node.stop()
        late = self._reactor.callLater(STOP_SECONDS, self._kill)
        await DeferredList([node.ended for node in started])
        if late.active():
            late.cancel()

    def _kill(self) -> None:
        for node in self._nodes:
            if node.pid is not None:
                node.say("[staging] is killed")
                node.stop(signal.SIGKILL)
