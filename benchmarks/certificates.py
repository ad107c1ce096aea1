"""Four real nodes that care for certificates and tickets together: how soon, at what cost, who takes over.

Pebble refuses 30 % of good nonces and thinks up to a second before it looks at a challenge.  Needs its Debian
package.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from pathlib import Path
from typing import NamedTuple

from ops.localhost_authority import make_localhost_certificate
from tests.end_to_end.cluster import free_port
from tests.end_to_end.node import PATIENCE
from tests.end_to_end.pebble import Pebble
from tests.end_to_end.test_acme import FOUR, AutomaticCluster, Load, address
from tests.end_to_end.test_tickets import SecureCluster, keys, visit

#: Seconds between two looks for a challenge.
_LOOK = 0.002
_CHALLENGE = f"/.well-known/acme-challenge/{FOUR[0]}"


class Found(NamedTuple):
    """What was measured, in seconds where nothing else is said."""

    #: From the first start of the nodes to the first certificate on all.
    first: float
    #: From the first node that answers a challenge to the last one, for each order.
    challenges: list[float]
    #: Of requests while the certificate was renewed: answered, and failed.
    answered: int
    failed: int
    #: From the kill of the ordering node to its successor's certificate on all others.
    takeover: float


def measure(renewals: int) -> Found:
    """One cluster, from its first start, with so many *renewals*."""
    pebble = Pebble(free_port(), free_port(), nonces=30, sleep=1)
    try:
        pebble.start()
        cluster = AutomaticCluster(pebble)
        try:
            return _measure(pebble, cluster, renewals)
        finally:
            cluster.clean_up()
    finally:
        pebble.clean_up()


def _measure(pebble: Pebble, cluster: AutomaticCluster, renewals: int) -> Found:
    first, second, *_ = cluster.nodes
    began = time.monotonic()
    cluster.start()
    first.wait_for(cluster.agree, "all have the first certificate")
    until_first = time.monotonic() - began

    lags = []
    for _ in range(renewals):
        [before] = set(cluster.shown())
        looks = [_Looks(address(number), pebble.http_port) for number in range(4)]
        first.admin("POST", "/renew")
        first.wait_for(lambda before=before: cluster.agree(before), "all have the next one")
        seen = [look.stop() for look in looks]
        lags.append(max(seen) - min(seen))
    load = Load(pebble.tls_port)
    for _ in range(renewals):
        [before] = set(cluster.shown())
        first.admin("POST", "/renew")
        first.wait_for(lambda before=before: cluster.agree(before), "all have the next one")
    load.stop()

    [before] = set(cluster.shown())
    pebble.pause()
    first.admin("POST", "/renew")
    first.wait_for(lambda: first.admin("GET", "/certificates")[1]["certificates"][0]["ordering"], "it orders")
    assert first.process is not None
    first.process.kill()
    first.process.wait(20)
    began = time.monotonic()
    pebble.lead(FOUR[0], address(1))
    pebble.resume()
    second.wait_for(lambda: cluster.agree(before), "another one has gone on")
    return Found(until_first, lags, load.done, len(load.failures), time.monotonic() - began)


def measure_tickets(folder: Path) -> tuple[int, int]:
    """Tickets of each of four nodes, shown to all: how many were taken, of how many.

    At once, after a change of the key, and after all nodes were killed and started again.
    """
    cluster = SecureCluster(4, make_localhost_certificate(folder))
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    first, *others = cluster.nodes
    taken: list[bool] = []

    def agree() -> None:
        for node in others:
            node.wait_for(lambda node=node: keys(node) == keys(first), "they agree")

    def show() -> None:
        taken.extend(
            visit(node, context, one)[1] for one in tickets for node in cluster.nodes for _ in range(4)
        )

    try:
        cluster.start()
        agree()
        tickets = [visit(node, context)[0] for node in cluster.nodes]
        show()
        before = keys(first)
        others[-1].admin("POST", "/tickets", {"forget": False})
        first.wait_for(lambda: keys(first) != before, "there is a new key")
        agree()
        show()
        for node in cluster.nodes:
            assert node.process is not None
            node.process.kill()
            node.process.wait(20)
        for node in cluster.nodes:
            node.spawn()
        for node in cluster.nodes:
            node.wait_for(
                lambda node=node: node.state_of() == "ready" and node.workers_ready(), "it is ready"
            )
        show()
    finally:
        cluster.clean_up()
    return sum(taken), len(taken)


class _Looks:
    """When a node answered the challenge first."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        self._over = threading.Event()
        self._seen = float("inf")
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.is_set() and self._seen == float("inf"):
            self._connection.request("GET", _CHALLENGE)
            answer = self._connection.getresponse()
            answer.read()
            if answer.status == 200:
                self._seen = time.monotonic()
            self._over.wait(_LOOK)

    def stop(self) -> float:
        """Look no more; when it was there, infinity if never."""
        self._over.set()
        self._thread.join(PATIENCE)
        self._connection.close()
        return self._seen
