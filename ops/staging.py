"""The staging cluster: four nodes on this machine, at http://localhost:8001 .. 8004.

``python -m ops.staging`` starts n1, which alone is given the site, and the others, which get everything from
the cluster.  With ``--tls`` they are at https://.  The certificates are made at the first start.  What the
nodes say passes through, each line with the node's name before it.  A node that dies is started again: try
``kill -9``.  Ctrl-C stops all of them; a second one at once.

::

    .staging/ca/       the certificate authority
    .staging/nN/       state of one node; edgectl --state-dir .staging/nN
    .staging/web/      with --tls: authority and certificate of localhost (ops/localhost_authority.py)
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool

from edge.config import default_webroot
from edge.endpoint import quote
from edge.trust.authority import certify, create
from ops.localhost_authority import how_to_trust, make_localhost_certificate
from ops.ports import loopback_addresses, taken_ports

NODES = 4
#: Gossip is so many ports below HTTP.
GOSSIP_BELOW = 1000
#: Seconds between two looks whether a node is ready, and for one look.
LOOK_SECONDS = 0.1
LOOK_PATIENCE = 2.0
#: Seconds until a node that died is started again: the kernel has its ports free by then.
RESTART_SECONDS = 0.5
#: Seconds that nodes have to end before they are killed: what they need to drain, and some.
STOP_SECONDS = 15.0
#: The nodes run this checkout, also where nothing is installed.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(
        filter(None, [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")])
    ),
}


class StagingError(Exception):
    """The cluster cannot run; str() says why, for the user."""


class Node(ProcessProtocol):
    """A supervised node: its process, and the next one when that dies."""

    def __init__(self, name: str, port: int, command: Sequence[str], reactor: Any) -> None:
        self.name = name
        self.port = port
        #: None while there is no process.
        self.pid: int | None = None
        self.was_ready = False
        #: Fires when the node has ended for good.
        self.ended: Deferred[None] = Deferred()
        self._command = command
        self._reactor = reactor
        self._process: Any = None
        self._partial = b""
        self._stopping = False

    def start(self) -> None:
        """Start the process, in a session of its own: Ctrl-C in the terminal is for us alone."""
        setsid = shutil.which("setsid")
        command = [setsid, *self._command] if setsid else self._command
        null = os.open(os.devnull, os.O_RDONLY)
        try:
            fds = {0: null, 1: "r", 2: "r"}
            self._process = self._reactor.spawnProcess(self, command[0], command, ENVIRONMENT, childFDs=fds)
        finally:
            os.close(null)
        self.pid = self._process.pid

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the process for good, by the signal *number*."""
        self._stopping = True
        if self._process is not None:
            self._process.signalProcess(number)
        elif not self.ended.called:
            self.ended.callback(None)

    def say(self, text: str) -> None:
        """Print a line with the node's name before it."""
        print(f"{self.name} | {text}", flush=True)

    # Twisted's overrides

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self.say(line.decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        if self._partial:
            self.childDataReceived(1, b"\n")
        pid, self._process, self.pid = self.pid, None, None
        if self._stopping or not self.was_ready:
            if not self._stopping:
                self.say(f"[staging] process {pid} {_how(reason)} before it was ready")
            self.ended.callback(None)
        else:
            self.say(f"[staging] process {pid} {_how(reason)}: starting another")
            self._reactor.callLater(RESTART_SECONDS, self._start_again)

    def _start_again(self) -> None:
        if not self._stopping:
            self.start()


class Cluster:
    """The supervisor of all nodes, from the first start to the last end."""

    def __init__(
        self,
        nodes: Sequence[Node],
        is_ready: Callable[[int], Awaitable[bool]],
        reactor: Any,
        scheme: str = "http",
        hint: str = "",
    ) -> None:
        """*scheme*: of the nodes' addresses; *hint*: lines to print beside them."""
        self._scheme = scheme
        self._hint = hint
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
                print("\n".join(f"{n.name}  {self._scheme}://localhost:{n.port}" for n in self._nodes))
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


def _how(reason: Failure) -> str:
    """How a process ended, in words."""
    number = getattr(reason.value, "signal", None)
    if number is not None:
        return f"was killed by {signal.Signals(number).name}"
    return f"exited with code {getattr(reason.value, 'exitCode', 0)}"


def readiness(authority: Path | None) -> Callable[[int], Awaitable[bool]]:
    """A function that tells whether the node on a port serves; *authority*: over HTTPS, certified by it."""
    from twisted.internet import reactor

    scheme, policy = "http", BrowserLikePolicyForHTTPS()
    if authority is not None:
        trusted = Certificate.loadPEM(authority.read_bytes())
        scheme, policy = "https", BrowserLikePolicyForHTTPS(trustRootFromCertificates([trusted]))
    client = HTTPClient(Agent(reactor, policy, pool=HTTPConnectionPool(reactor, persistent=False)))

    async def is_ready(port: int) -> bool:
        url = f"{scheme}://localhost:{port}/.edge/ready"
        try:
            answer = await client.get(url, timeout=LOOK_PATIENCE)
            await answer.content()
        except Exception:  # refused, reset, late: each says that it is not
            return False
        return bool(answer.code == 200)

    return is_ready


def gossip_port(port: int) -> int:
    """The port of gossip of the node whose port of HTTP is *port*."""
    return port - GOSSIP_BELOW


def base_port(text: str) -> int:
    """*text* as ``--base-port``."""
    least, most = 1024 + GOSSIP_BELOW, 65_536 - NODES
    if not text.isascii() or not text.isdecimal() or not least <= int(text[:6]) <= most:
        raise argparse.ArgumentTypeError(
            f"{text}: give a port from {least} to {most}; n1 listens there, the others on those after it, "
            f"and gossip is {GOSSIP_BELOW} below (make run PORT=9001)"
        )
    return int(text)


def command_of(name: str, port: int, peers: Sequence[int], options: argparse.Namespace) -> list[str]:
    """The command line of one node."""
    folder = options.folder.absolute()
    command = [
        str(Path(sys.executable).with_name("twistd")),
        "--nodaemon",
        "--pidfile=",
        "edge",
        f"--node={name}",
    ]
    pem = quote(str(folder / "web" / "server.pem"))
    kind, files = ("tls", f":privateKey={pem}:certKey={pem}") if options.tls else ("tcp", "")
    command += [
        f"--listen={kind}:{port}{files}:interface={quote(address)}" for address in loopback_addresses()
    ]
    return [
        *command,
        "--cluster=staging",
        f"--public-url=http{'s' if options.tls else ''}://localhost:{port}",
        f"--webroot={options.site.absolute() if name == 'n1' else 'none'}",
        f"--state-dir={folder / name}",
        f"--gossip=127.0.0.1:{gossip_port(port)}",
        *(f"--peer=127.0.0.1:{gossip_port(other)}" for other in peers),
        f"--workers={options.workers}",
        f"--mount=/favourites=ops.favourites:Favourites:{folder / 'favourites.sqlite'}",
        *options.option,
    ]


def make_certificates(folder: Path, names: Sequence[str]) -> None:
    """Make the cluster's authority and a certificate for each node, where they are not there yet."""
    authority = folder / "ca"
    if not (authority / "ca.pem").exists():
        create(authority, "staging")
    for name in names:
        out = folder / name / "cluster"
        if not (out / f"{name}.pem").exists():
            certify(authority, name, out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.staging", description="Four nodes on this machine.")
    parser.add_argument("--site", type=Path, default=default_webroot(), metavar="DIR",
                        help="the folder of files to serve (default: the demonstration site)")  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="of each node (default 1)")
    parser.add_argument(
        "--base-port", type=base_port, default=8001, metavar="PORT", help="of n1 (default 8001)"
    )
    parser.add_argument("--folder", type=Path, default=Path(".staging"), metavar="DIR",
                        help="where the nodes keep their state (default .staging)")  # fmt: skip
    parser.add_argument("--tls", action="store_true", help="HTTPS, by an authority made for this machine")
    parser.add_argument("option", nargs="*", help="after --: further options of twistd edge, for each node")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the staging cluster; the exit code: 0 after Ctrl-C, 1 if it cannot run, 2 for wrong usage."""
    from twisted.internet import reactor as real_reactor

    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.site.is_dir():
        parser.error(f"--site {options.site}: there is no such folder; name the one that holds the site")
    ports = range(options.base_port, options.base_port + NODES)
    folders = [options.folder / f"n{number}" for number in range(1, NODES + 1)]
    make_certificates(options.folder, [folder.name for folder in folders])
    problems = taken_ports(ports, map(gossip_port, ports), folders)
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    web = options.folder / "web"
    if options.tls:
        make_localhost_certificate(web)
    reactor: Any = real_reactor
    nodes = [
        Node(
            folder.name,
            port,
            command_of(folder.name, port, [other for other in ports if other != port], options),
            reactor,
        )
        for folder, port in zip(folders, ports, strict=True)
    ]
    cluster = Cluster(
        nodes,
        readiness(web / "ca.pem" if options.tls else None),
        reactor,
        "https" if options.tls else "http",
        how_to_trust(web.absolute()) if options.tls else "",
    )
    codes: list[int] = []

    def begin() -> None:
        # Instead of the reactor's handlers, which would not wait for the nodes.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: reactor.callFromThread(cluster.ask_to_stop))
        running = Deferred.fromCoroutine(cluster.run())
        running.addCallback(codes.append)
        running.addErrback(lambda failure: print(failure.getTraceback(), file=sys.stderr))
        running.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    return codes[0] if codes else 1


if __name__ == "__main__":
    sys.exit(main())
