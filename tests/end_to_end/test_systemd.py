"""Listening on a socket that systemd has opened (socket activation, sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap

from twisted.trial.unittest import TestCase

from tests import processes
from tests.end_to_end.node import PATIENCE, ROOT, RunningNode

#: Does what systemd does: descriptor 3, LISTEN_FDS, and LISTEN_PID of the process that becomes twistd.
ACTIVATE = textwrap.dedent("""
    import os, sys
    from twisted.scripts.twistd import run
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    sys.argv[0] = "twistd"
    run()
""")


class ActivatedNode(RunningNode):
    """A node that gets its listening socket as systemd would give it."""

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process with the socket as descriptor 3."""
        command = [sys.executable, "-c", ACTIVATE, "--nodaemon", f"--pidfile={self.directory}/pid", "edge"]
        command += ["--webroot", str(self.site), "--state-dir", str(self.state), "--arena-mib", "16"]
        command += ["--table-entries", "4096", *self.options]
        with socket.create_server(("127.0.0.1", 0)) as listener, self.log.open("ab") as log:
            self.activated_port = listener.getsockname()[1]
            inherited = listener.fileno()
            command = ["/bin/sh", "-c", f'exec "$@" 3<&{inherited}', "sh", *command]
            self.process = processes.start(
                command,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                pass_fds=(inherited,),
            )
        return self.process


class SystemdTests(TestCase):
    """The kind of listener that only a supervisor of processes can make."""

    def test_all_workers_serve_on_the_socket(self) -> None:
        """It outlives a worker, as any listener does."""
        node = ActivatedNode(listen=("systemd:domain=INET:index=0",))
        self.addCleanup(node.clean_up)
        node.write("index.html", b"activated")
        node.start()
        with socket.create_connection(("127.0.0.1", node.activated_port), PATIENCE) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while data := connection.recv(65536):
                answer += data
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(answer.endswith(b"activated"))
