"""Session tickets in a cluster of real nodes: those of one are taken by all others."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import stat
import unittest
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from twisted.trial.unittest import SynchronousTestCase

from ops.localhost_authority import make_localhost_certificate
from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import PATIENCE, RunningNode


class SecureCluster(RunningCluster):
    """Nodes that serve HTTPS on loopback."""

    def __init__(self, count: int, pem: Path) -> None:
        self._pem = pem
        super().__init__(count)

    def make(self, number: int, *options: str) -> RunningNode:
        """The node at *number*, with two workers."""
        listen = f"tls:0:privateKey={self._pem}:certKey={self._pem}:interface=127.0.0.1"
        node = RunningNode(*options, workers=2, listen=(listen,))
        if number == 0:
            node.write("index.html", b"hello")
        return node


def keys(node: RunningNode) -> list[str]:
    """Names of the keys of a node, the one that seals first."""
    return list(node.admin("GET", "/tickets")[1]["keys"])


def visit(
    node: RunningNode, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLSession, bool]:
    """A ticket of *node*, and whether *session* was resumed there."""
    port = urlsplit(node.urls[0]).port
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as secure,
    ):
        secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := secure.recv(65536):
            answer += data
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"hello"), answer
        assert secure.session is not None
        return secure.session, bool(secure.session_reused)


@unittest.skipUnless(find_spec("edge._tls"), "there is no native TLS here: nobody gives tickets")
class ClusterTests(SynchronousTestCase):
    """Three nodes with two workers each."""

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        self.cluster = SecureCluster(3, make_localhost_certificate(folder))
        self.addCleanup(self.cluster.clean_up)
        self.context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        self.cluster.start()
        self.agree()

    def agree(self) -> None:
        """Wait until all nodes have the same keys."""
        first, *others = self.cluster.nodes
        for node in others:
            node.wait_for(lambda node=node: keys(node) == keys(first), "they agree")

    def taken(self, session: ssl.SSLSession) -> list[bool]:
        """Whether each node takes *session*, four times: its workers take turns."""
        return [visit(node, self.context, session)[1] for node in self.cluster.nodes for _ in range(4)]

    def test_a_ticket_is_taken_everywhere_also_after_a_rotation_and_after_all_were_down(self) -> None:
        first, second, third = self.cluster.nodes
        self.assertFalse(visit(first, self.context)[1])
        old = [visit(node, self.context)[0] for node in self.cluster.nodes]
        for session in old:
            self.assertEqual(set(self.taken(session)), {True})

        third.admin("POST", "/tickets", {"forget": False})
        first.wait_for(lambda: keys(first)[0] == keys(third)[0], "it is told")
        self.agree()
        before = keys(first)
        for node in self.cluster.nodes:
            self.assertEqual(stat.S_IMODE(os.stat(node.state / "tickets").st_mode), 0o600)
            assert node.process is not None
            node.process.send_signal(signal.SIGKILL)
        for node in self.cluster.nodes:
            assert node.process is not None
            node.process.wait(PATIENCE)
            node.spawn()
        for node in self.cluster.nodes:
            node.wait_for(
                lambda node=node: node.state_of() == "ready" and node.workers_ready(), "it is ready"
            )
            self.assertEqual(keys(node), before)
        for session in [*old, visit(second, self.context)[0]]:
            self.assertEqual(set(self.taken(session)), {True})

        self.assertEqual(second.admin("POST", "/tickets", {"forget": True})[0], 200)
        first.wait_for(lambda: not set(keys(first)) & set(before), "they are forgotten")
        self.agree()
        self.assertEqual(set(self.taken(old[0])), {False})
        self.assertEqual(set(self.taken(visit(third, self.context)[0])), {True})
        lines = [line for node in self.cluster.nodes for line in node.log.read_text().splitlines()]
        failed = [line for line in lines if "could not be told" in line]
        self.assertEqual([line for line in failed if "no answer within" not in line], [])
