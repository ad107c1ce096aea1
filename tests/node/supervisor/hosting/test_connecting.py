"""Connections to applications elsewhere: who may listen there, and what is said when nobody does."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from edge.config.applications import Target
from edge.errors import NotConnected
from edge.node.supervisor.hosting import connecting
from edge.node.supervisor.hosting.connecting import connect


class ConnectingTests(SynchronousTestCase):
    """:mod:`edge.node.supervisor.hosting.connecting`."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="edge-")  # short: a socket's path
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "s")

    def listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen()
        return listener

    def refused(self, target: Target, *words: str) -> None:
        why = str(self.assertRaises(NotConnected, connect, target))
        for word in words:
            self.assertIn(word, why)

    def test_a_unix_socket_and_tcp(self) -> None:
        listener = self.listen()
        descriptor = connect(Target("unix", path=self.path))
        self.assertFalse(os.get_blocking(descriptor))
        with socket.socket(fileno=descriptor) as ours:
            theirs, _ = listener.accept()
            with theirs:
                theirs.sendall(b"x")
                self.assertEqual(ours.recv(10), b"x")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.socket(fileno=connect(Target("http", host="127.0.0.1", port=port))) as ours:
                self.assertTrue(ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        self.refused(
            Target("http", host="127.0.0.1", port=port), f"http://127.0.0.1:{port}: ", "is the application"
        )

    def test_nobody_there_is_said_with_the_way_out(self) -> None:
        self.refused(
            Target("unix", path=self.path), f"unix:{self.path}: No such file", "does it listen there?"
        )
        self.listen().close()
        self.refused(Target("http+unix", path=self.path), f"http+unix:{self.path}: Connection refused")
        os.unlink(self.path)
        with open(self.path, "w"):
            pass
        self.refused(Target("unix", path=self.path), self.path, "a file is there, no socket; remove it")
        self.refused(Target("unix", path=os.path.dirname(self.path)), "a directory is there, no socket")
        self.refused(Target("http", host="no-such-host.invalid", port=1), "does that name exist?")

    def test_only_root_we_and_the_owner_of_a_private_folder_are_believed(self) -> None:
        self.listen()

        class Peer(socket.socket):
            uid = 4711

            def getsockopt(self, *of: int) -> bytes:  # type: ignore[override]
                return struct.pack("3i", 1, self.uid, 1)

        self.patch(connecting.socket, "socket", Peer)
        self.refused(
            Target("unix", path=self.path), "user 4711 listens there", "a folder of the application's user"
        )
        stat = os.stat(self.folder)
        owned = os.stat_result((stat.st_mode, *stat[1:4], 4711, *stat[5:10]))
        self.patch(connecting.os, "stat", lambda path: owned)
        os.close(connect(Target("unix", path=self.path)))
        owned = os.stat_result((stat.st_mode | 0o002, *stat[1:4], 4711, *stat[5:10]))
        self.refused(Target("unix", path=self.path), "others cannot write to")
        Peer.uid = 0
        os.close(connect(Target("unix", path=self.path)))
