"""A cluster of real nodes on loopback."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import shutil
import socket
import tempfile
from pathlib import Path
from typing import IO, Any

from edge.trust.authority import certify, create
from tests.end_to_end.node import PATIENCE, RunningNode

#: Files of ports that are ours until this process ends.
_taken: list[IO[bytes]] = []


def free_port(host: str = "127.0.0.1") -> int:
    """A port of *host* that nobody uses now, for TCP and UDP, and that no other process of tests is given."""
    return free_ports(1, host)


def free_ports(count: int, *hosts: str) -> int:
    """The first of *count* ports in a row that are free on all *hosts*.

    Not of those that the kernel gives to outgoing connections: of these somebody may have got one before
    it is used, or while a node is down.
    """
    while True:
        first = random.randrange(12_000, 32_000)
        ports = range(first, first + count)
        if all(_is_free(host, port) for host in hosts for port in ports) and all(map(_take, ports)):
            return first


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as tcp, socket.socket(family, socket.SOCK_DGRAM) as udp:
        try:
            tcp.bind((host, port))
            udp.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def _take(port: int) -> bool:
    """Whether *port* is this process's from now on: a lock says so to others that run tests."""
    folder = Path(tempfile.gettempdir()) / f"edge-test-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = (folder / str(port)).open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    _taken.append(file)
    return True


class RunningCluster:
    """Nodes n1 .. n*count*; only n1 is given a site."""

    def __init__(self, count: int = 3, lease: int = 10) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        create(self.folder / "ca", "test")
        #: Where each node listens for the others.
        self.gossip = self.addresses(count)
        self.nodes = [self._node(number, lease) for number in range(count)]

    def addresses(self, count: int) -> list[str]:
        """Gossip addresses of *count* nodes: free ports of 127.0.0.1."""
        return [f"127.0.0.1:{free_port()}" for _ in range(count)]

    def peers(self, number: int) -> list[str]:
        """Gossip addresses of the others, which the node at *number* is started with."""
        return [one for other, one in enumerate(self.gossip) if other != number]

    def make(self, number: int, *options: str) -> RunningNode:
        """A node for the place *number*, from 0; subclasses make others."""
        return RunningNode(*options, workers=1)

    def _node(self, number: int, lease: int) -> RunningNode:
        name = f"n{number + 1}"
        peers = [f"--peer={one}" for one in self.peers(number)]
        node = self.make(
            number, f"--node={name}", "--cluster=test", f"--gossip={self.gossip[number]}", *peers,
            f"--lease-seconds={lease}", *(["--webroot=none"] if number else []),
        )  # fmt: skip
        certify(self.folder / "ca", name, node.state / "cluster")
        return node

    def start(self) -> None:
        """Start all nodes, and wait until each is ready and sees the others alive; else none is left."""
        try:
            for node in self.nodes:
                node.spawn()
            for node in self.nodes:
                node.wait_for(
                    lambda node=node: node.state_of() == "ready" and node.workers_ready(), "it is ready"
                )
            for node in self.nodes:
                node.wait_for(lambda node=node: set(states(node).values()) == {"alive"}, "all are alive")
        except BaseException:
            self.clean_up()
            raise

    def clean_up(self) -> None:
        """Kill all nodes and remove their directories."""
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                node.process.kill()
                node.process.wait(PATIENCE)
            shutil.rmtree(node.directory, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def states(node: RunningNode) -> dict[str, str]:
    """State of each member by name, as *node* sees it."""
    return {one["name"]: one["state"] for one in node.admin("GET", "/members")[1]["members"]}


def load(node: RunningNode) -> dict[str, Any]:
    """Entries of the load document of *node*, by name."""
    return {one["id"]: one for one in json.loads(node.ask("/.edge/load")[2])["nodes"]}
