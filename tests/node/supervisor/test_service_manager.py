"""What systemd is told."""

from __future__ import annotations

import os
import socket
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from edge.node.supervisor.service_manager import tell_service_manager


class ServiceManagerTests(SynchronousTestCase):
    """A datagram on the socket that the environment names."""

    def test_each_state_is_a_line(self) -> None:
        """At a path, and in the abstract namespace."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "notify")
        for name, address in ((path, path), ("@edge-test-notify", "\0edge-test-notify")):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(address)
                self.patch(os, "environ", {"NOTIFY_SOCKET": name})
                tell_service_manager("READY=1", "STATUS=ready")
                self.assertEqual(manager.recv(100), b"READY=1\nSTATUS=ready")

    def test_without_a_manager_nothing_happens(self) -> None:
        """Nor when it has gone, or names something odd."""
        for environment in ({}, {"NOTIFY_SOCKET": "/nonexistent/socket"}, {"NOTIFY_SOCKET": "vsock:2:1"}):
            self.patch(os, "environ", environment)
            tell_service_manager("READY=1")
