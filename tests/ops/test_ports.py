"""Addresses and ports for the staging cluster."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ops.ports import holder, loopback_addresses, taken_ports
from tests.end_to_end.cluster import free_port


class PortTests(SynchronousTestCase):
    """What can be listened on."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "n1"
        self.folder.mkdir(parents=True)
        self.socket = socket.socket()
        self.addCleanup(self.socket.close)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        self.port = self.socket.getsockname()[1]

    def test_the_ipv4_address_is_always_there(self) -> None:
        self.assertEqual(loopback_addresses()[0], "127.0.0.1")

    def test_a_port_of_another_program_is_reported(self) -> None:
        self.assertEqual(
            taken_ports([self.port], [free_port()], [self.folder]),
            [f"port {self.port} is in use by another program; stop it"],
        )

    def test_a_port_that_gossip_needs_is_reported_whichever_way_it_is_used(self) -> None:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as other:
                other.bind(("127.0.0.1", 0))
                if kind is socket.SOCK_STREAM:
                    other.listen()
                port = other.getsockname()[1]
                self.assertEqual(
                    taken_ports([free_port()], [port], [self.folder]),
                    [f"port {port} (for gossip) is in use by another program; stop it"],
                )

    def test_a_node_left_over_is_reported_with_its_process(self) -> None:
        with (self.folder / "lock").open("w+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            self.assertEqual(
                taken_ports([self.port], [free_port()], [self.folder]),
                [f"port {self.port} is in use by n1 of an earlier start: kill {os.getpid()}"],
            )

    def test_a_free_port_is_no_problem(self) -> None:
        self.socket.close()
        self.assertEqual(taken_ports([self.port], [free_port()], [self.folder]), [])

    def test_a_lock_that_nobody_holds_means_nothing(self) -> None:
        (self.folder / "lock").write_text("1\n")
        self.assertIsNone(holder(self.folder))
