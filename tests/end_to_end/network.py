"""Network namespaces: machines of their own on one switch, whose cables can be pulled.

Nothing outside is touched: the bridges stand in a namespace of their own too.  Needs root and ``ip``.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor

from tests import processes
from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import PATIENCE, RunningNode

_CLONE_NEWNET = 0x40000000


def why_not() -> str:
    """Why there can be no network namespaces here; empty: there can."""
    if os.geteuid():
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need the command ip (Debian: iproute2)"
    probe = f"edge-probe-{os.getpid()}"
    made = processes.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    processes.run(["ip", "netns", "del", probe], check=False)
    return ""


class Network:
    """*count* hosts, numbered from 0, each with one cable to the bridge ``b0``."""

    def __init__(self, count: int, ipv6: bool = False) -> None:
        tag = f"edge-{os.getpid()}"
        self._switch = f"{tag}-switch"
        self._hosts = [f"{tag}-{number}" for number in range(count)]
        self._ip("netns", "add", self._switch)
        for bridge in ("b0", "b1"):
            self._in_switch("link", "add", bridge, "type", "bridge")
            self._in_switch("link", "set", bridge, "up")
        for number, host in enumerate(self._hosts):
            self._ip("netns", "add", host)
            self._in_switch("link", "add", f"v{number}", "type", "veth", "peer", "name", "e0", "netns", host)
            self._in_switch("link", "set", f"v{number}", "master", "b0", "up")
            self._ip("-n", host, "link", "set", "lo", "up")
            mask, flags = ("64", ["nodad"]) if ipv6 else ("24", [])
            self._ip(
                "-n", host, "address", "add", f"{self.address(number, ipv6)}/{mask}", "dev", "e0", *flags
            )
            self._ip("-n", host, "link", "set", "e0", "up")

    @staticmethod
    def address(number: int, ipv6: bool = False) -> str:
        """IP address of the host *number*."""
        return f"fd77::{number + 1}" if ipv6 else f"10.77.0.{number + 1}"

    def prefix(self, number: int) -> tuple[str, ...]:
        """Words before a command by which it runs on the host *number*."""
        return ("ip", "netns", "exec", self._hosts[number])

    def split(self, *numbers: int) -> None:
        """Partition the network: these hosts see each other only; what they send to others vanishes."""
        for number in numbers:
            self._in_switch("link", "set", f"v{number}", "master", "b1")

    def heal(self) -> None:
        """End a partition and plug in all cables."""
        for number in range(len(self._hosts)):
            self._in_switch("link", "set", f"v{number}", "master", "b0", "up")

    def unplug(self, number: int) -> None:
        """Pull the cable: the host knows that it has none."""
        self._in_switch("link", "set", f"v{number}", "down")

    def connect(self, number: int, address: tuple[str, int]) -> socket.socket:
        """A TCP connection from the host *number*."""

        def work() -> socket.socket:
            with open(f"/run/netns/{self._hosts[number]}", "rb") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            return socket.create_connection(address, timeout=PATIENCE)

        with ThreadPoolExecutor(1) as thread:  # only this thread goes there
            return thread.submit(work).result()

    def remove(self) -> None:
        """Remove all namespaces."""
        for name in (*self._hosts, self._switch):
            processes.run(["ip", "netns", "del", name], check=False)

    def _in_switch(self, *words: str) -> None:
        self._ip("-n", self._switch, *words)

    @staticmethod
    def _ip(*words: str) -> None:
        processes.run(["ip", *words], check=True)


class HostConnection(http.client.HTTPConnection):
    """A client's HTTP connection from the host *number* to itself."""

    def __init__(self, network: Network, number: int, host: str, port: int) -> None:
        super().__init__(host, port, timeout=PATIENCE)
        self._network, self._number = network, number

    def connect(self) -> None:
        """Open the TCP connection in the namespace of the host."""
        self.sock = self._network.connect(self._number, (self.host, self.port))


class HostNode(RunningNode):
    """A real node on the host *number*."""

    def __init__(self, network: Network, number: int, *options: str) -> None:
        super().__init__(*options, workers=1, listen=(f"tcp:8000:interface={network.address(number)}",))
        self.prefix = network.prefix(number)
        self._network, self._number = network, number

    def connect(self) -> http.client.HTTPConnection:
        """A client's connection, from the same host."""
        return HostConnection(self._network, self._number, self._network.address(self._number), 8000)


class HostCluster(RunningCluster):
    """A cluster with one node on each host."""

    def __init__(self, count: int = 4, lease: int = 10) -> None:
        self.network = Network(count)
        try:
            super().__init__(count, lease)
        except BaseException:
            self.network.remove()
            raise

    def addresses(self, count: int) -> list[str]:
        """Gossip addresses of *count* hosts, all on the same port."""
        return [f"{self.network.address(number)}:7000" for number in range(count)]

    def make(self, number: int, *options: str) -> RunningNode:
        """A node for the place *number*, on its host."""
        return HostNode(self.network, number, *options)

    def clean_up(self) -> None:
        """Kill all nodes; remove directories and namespaces."""
        super().clean_up()
        self.network.remove()
