"""Listening sockets and what is said when there are none."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.endpoint import parse_endpoint
from edge.errors import ListenError
from edge.node.supervisor.listeners import open_listener, open_listeners


class ListenerTests(SynchronousTestCase):
    """:func:`edge.node.supervisor.listeners.open_listener`."""

    def test_all_workers_share_the_number_of_a_free_port_on_sockets_of_their_own(self) -> None:
        listener = open_listener(parse_endpoint("tcp:0:interface=127.0.0.1"), 3)
        self.addCleanup(listener.close)
        sockets = {listener.socket_for(worker) for worker in range(3)}
        self.assertEqual(len(sockets), 3)
        [port] = {sock.getsockname()[1] for sock in sockets}
        self.assertEqual(listener.url, f"http://127.0.0.1:{port}")
        for sock in sockets:
            self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT))

    def test_a_tls_socket_does_not_defer_and_says_https(self) -> None:
        listener = open_listener(parse_endpoint("tls:0:privateKey=k:certKey=c:interface=127.0.0.1"), 1)
        self.addCleanup(listener.close)
        self.assertFalse(listener.socket_for(0).getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT))
        self.assertTrue(listener.url.startswith("https://127.0.0.1:"))

    def test_the_kernel_finds_out_within_two_minutes_that_a_client_has_gone_in_silence(self) -> None:
        """Also on a socket of systemd; connections have it of their listener."""
        listener = open_listener(parse_endpoint("tcp:0:interface=127.0.0.1"), 1)
        self.addCleanup(listener.close)
        plain = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(plain.close)
        duplicates = [plain]
        self.patch(os, "dup", lambda number: duplicates.pop().detach())
        self.patch(os, "environ", {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
        passed = open_listener(parse_endpoint("systemd:domain=INET:index=0"), 1)
        self.addCleanup(passed.close)
        for one in (listener, passed):
            client = socket.create_connection(one.sockets[0].getsockname())
            self.addCleanup(client.close)
            client.send(b"GET")
            one.sockets[0].setblocking(True)
            served, _ = one.sockets[0].accept()
            self.addCleanup(served.close)
            self.assertEqual(served.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            idle, between, count = (served.getsockopt(socket.IPPROTO_TCP, option) for option in options)
            self.assertEqual(idle + between * count, 120)

    def test_a_port_of_another_node_is_not_shared(self) -> None:
        first = open_listener(parse_endpoint("tcp:0:interface=127.0.0.1"), 2)
        self.addCleanup(first.close)
        port = first.url.rsplit(":", 1)[1]
        with self.assertRaises(ListenError) as raised:
            open_listener(parse_endpoint(f"tcp:{port}:interface=127.0.0.1"), 2)
        self.assertIn(f"port {port} is in use", str(raised.exception))

    def test_one_endpoint_that_cannot_be_had_closes_the_others(self) -> None:
        path = self.mktemp()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        path = os.path.relpath(path)
        specs = [parse_endpoint(f"unix:{path}"), parse_endpoint("tcp:0:interface=192.0.2.1")]
        self.assertRaises(ListenError, open_listeners, specs, 1)
        self.assertFalse(os.path.exists(path))

    def test_a_unix_socket_somebody_listens_on_and_other_files_are_left_alone(self) -> None:
        path = os.path.relpath(self.mktemp())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        first = open_listener(parse_endpoint(f"unix:{path}"), 2)
        self.addCleanup(first.close)
        self.assertIs(first.socket_for(0), first.socket_for(1))
        with self.assertRaises(ListenError) as raised:
            open_listener(parse_endpoint(f"unix:{path}"), 1)
        self.assertIn("another program listens", str(raised.exception))
        with open(path + ".txt", "w"):
            self.assertRaises(ListenError, open_listener, parse_endpoint(f"unix:{path}.txt"), 1)

    def test_a_socket_of_systemd_that_was_not_passed_is_explained(self) -> None:
        with self.assertRaises(ListenError) as raised:
            open_listener(parse_endpoint("systemd:domain=INET:index=0"), 1)
        self.assertIn(".socket unit", str(raised.exception))


class UnixTests(SynchronousTestCase):
    """Unix sockets, for a proxy on the same machine."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())  # its path has to be short enough for a socket
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = str(self.folder / "edge.sock")

    def test_a_socket_has_an_owner_and_a_group(self) -> None:
        """By name or number; our own, which need no root."""
        user, group = pwd.getpwuid(os.getuid()).pw_name, str(os.getgid())
        spec = parse_endpoint(f"unix:{self.path}:mode=640:owner={user}:group={group}")
        listener = open_listener(spec, 1)
        self.addCleanup(listener.close)
        found = os.stat(self.path)
        self.assertEqual(
            (found.st_uid, found.st_gid, found.st_mode & 0o777), (os.getuid(), os.getgid(), 0o640)
        )

    def test_who_is_not_there_is_told_and_no_socket_is_left(self) -> None:
        spec = parse_endpoint(f"unix:{self.path}:owner=nobody-of-that-name")
        self.assertIn("nobody-of-that-name", str(self.assertRaises(ListenError, open_listener, spec, 1)))
        self.assertFalse(os.path.lexists(self.path))
