"""The staging cluster: four nodes on this machine, at http://localhost:8001 .. 8004.

``python -m ops.staging`` starts n1, which alone is given the site, and the others, which get everything from
the cluster.  With ``--tls`` they are at https://.  The certificates are made at the first start.  What the
nodes say passes through, each line with the node's name before it.  A node that dies is started again: try
``kill -9``.  Ctrl-C stops all of them; a second one at once.

The site is the demonstration (``demonstration/``), as an application on each node, with buttons on its
pages that kill nodes and bring them back (``ops/controls.py``); or, with ``--site``, a folder of files.

::

    .staging/ca/       the certificate authority
    .staging/nN/       state of one node; edgectl --state-dir .staging/nN
    .staging/web/      with --tls: authority and certificate of localhost (ops/localhost_authority.py)
    .staging/site/     files of the demonstration; also demonstration/ and token (ops/demonstration.py)
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool

from edge.config import default_webroot
from edge.endpoint import quote
from edge.trust.authority import certify, create
from ops.controls import Controls, controls_factory
from ops.demonstration import CONFIGURATION, WEBROOT, Demonstration
from ops.localhost_authority import how_to_trust, make_localhost_certificate
from ops.ports import is_taken, loopback_addresses, taken_ports
from ops.staged_cluster import Cluster
from ops.staged_node import Node

NODES = 4
#: Gossip is so many ports below HTTP.
GOSSIP_BELOW = 1000
#: Seconds for one look whether a node is ready.
LOOK_PATIENCE = 2.0
#: The port of the buttons is so many above that of n1.
CONTROLS_ABOVE = 9


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
    least, most = 1024 + GOSSIP_BELOW, 65_535 - CONTROLS_ABOVE
    if not text.isascii() or not text.isdecimal() or not least <= int(text[:6]) <= most:
        raise argparse.ArgumentTypeError(
            f"{text}: give a port from {least} to {most}; n1 listens there, the others on those after it, "
            f"the buttons of the demonstration {CONTROLS_ABOVE} above, and gossip is {GOSSIP_BELOW} below "
            "(make run PORT=9001)"
        )
    return int(text)


def scheme_of(options: argparse.Namespace) -> str:
    """The scheme of all addresses."""
    return "https" if options.tls else "http"


def endpoints(port: int, options: argparse.Namespace) -> Iterator[str]:
    """Where a node listens on *port*, as strings of endpoints."""
    pem = quote(str(options.folder.absolute() / "web" / "server.pem"))
    kind, files = ("tls", f":privateKey={pem}:certKey={pem}") if options.tls else ("tcp", "")
    for address in loopback_addresses():
        yield f"{kind}:{port}{files}:interface={quote(address)}"


def command_of(
    name: str, port: int, peers: Sequence[int], site: Path, options: argparse.Namespace
) -> list[str]:
    """The command line of one node; *site*: the folder of files, for n1 alone."""
    folder = options.folder.absolute()
    return [
        str(Path(sys.executable).with_name("twistd")),
        "--nodaemon",
        "--pidfile=",
        "edge",
        f"--node={name}",
        *(f"--listen={one}" for one in endpoints(port, options)),
        "--cluster=staging",
        f"--public-url={scheme_of(options)}://localhost:{port}",
        f"--webroot={site.absolute() if name == 'n1' else 'none'}",
        f"--state-dir={folder / name}",
        f"--gossip=127.0.0.1:{gossip_port(port)}",
        *(f"--peer=127.0.0.1:{gossip_port(other)}" for other in peers),
        f"--workers={options.workers}",
        *([] if options.site else [f"--config={CONFIGURATION}"]),
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
    parser.add_argument("--site", type=Path, metavar="DIR",
                        help="a folder of files to serve (default: the demonstration)")  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="of each node (default 1)")
    parser.add_argument(
        "--base-port", type=base_port, default=8001, metavar="PORT", help="of n1 (default 8001)"
    )
    parser.add_argument("--folder", type=Path, default=Path(".staging"), metavar="DIR",
                        help="where the nodes keep their state (default .staging)")  # fmt: skip
    parser.add_argument("--tls", action="store_true", help="HTTPS, by an authority made for this machine")
    parser.add_argument("--dev", action="store_true",
                        help="free-form GraphQL, and GraphiQL at /graphql")  # fmt: skip
    parser.add_argument("option", nargs="*", help="after --: further options of twistd edge, for each node")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the staging cluster; the exit code: 0 after Ctrl-C, 1 if it cannot run, 2 for wrong usage."""
    from twisted.internet import reactor as real_reactor

    parser = _parser()
    options = parser.parse_args(arguments)
    if options.site is None and not (WEBROOT.parent / "app.py").exists():
        options.site = default_webroot()
    if options.site is not None and not options.site.is_dir():
        parser.error(f"--site {options.site}: there is no such folder; name the one that holds the site")
    ports = range(options.base_port, options.base_port + NODES)
    controls_port = options.base_port + CONTROLS_ABOVE
    folders = [options.folder / f"n{number}" for number in range(1, NODES + 1)]
    make_certificates(options.folder, [folder.name for folder in folders])
    problems = taken_ports(ports, map(gossip_port, ports), folders)
    if options.site is None and is_taken("127.0.0.1", controls_port):
        problems.append(f"port {controls_port} (for the buttons) is in use by another program; stop it")
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    web = options.folder / "web"
    if options.tls:
        make_localhost_certificate(web)
    reactor: Any = real_reactor
    scheme = scheme_of(options)
    demonstration = None
    if options.site is None:
        demonstration = Demonstration(options.folder, f"http://localhost:{controls_port}")
        demonstration.development = options.dev
        demonstration.prepare()
    nodes = [
        Node(
            folder.name,
            port,
            command_of(
                folder.name,
                port,
                [other for other in ports if other != port],
                options.site or options.folder / "site",
                options,
            ),
            reactor,
            demonstration.environment if demonstration else None,
        )
        for folder, port in zip(folders, ports, strict=True)
    ]

    def listen() -> None:
        if demonstration is None:
            return
        origins = {f"{scheme}://{name}:{port}" for name in ("localhost", "127.0.0.1") for port in ports}
        hosts = [f"{name}:{controls_port}" for name in ("localhost", "127.0.0.1", "[::1]")]
        factory = controls_factory(Controls(cluster, demonstration.token, origins, hosts))
        # Plain HTTP, also for pages over HTTPS: to browsers localhost is as trustworthy.
        for address in loopback_addresses():
            where = f"tcp:{controls_port}:interface={quote(address)}"
            listening = serverFromString(reactor, where).listen(factory)
            listening.addErrback(lambda failure: print(f"no buttons: {failure.value}", file=sys.stderr))

    cluster = Cluster(
        nodes,
        readiness(web / "ca.pem" if options.tls else None),
        reactor,
        scheme,
        how_to_trust(web.absolute()) if options.tls else "",
        demonstration.publish if demonstration else None,
        listen,
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
