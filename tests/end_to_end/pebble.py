"""Pebble, an ACME directory for tests, with its bad habits on, and the names that it can resolve.

It refuses half of all good nonces, thinks before it validates, and looks each name up with
pebble-challtestsrv. Its authority is new for each run.  Debian: ``pebble``.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from edge.trust.web_certificate import authority, key_pem, server_certificate
from tests import processes
from tests.end_to_end.cluster import free_port
from tests.processes import PATIENCE


class Pebble:
    """A running ACME directory; *nonces*: percent of good ones that it refuses."""

    def __init__(self, http_port: int, tls_port: int, nonces: int = 50, sleep: int = 1, **more: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-acme-"))
        self.http_port, self.tls_port = http_port, tls_port
        self._nonces, self._sleep, self._more = nonces, sleep, more
        self._port, self._management, self._dns, self._names = (free_port() for _ in range(4))
        self._processes: list[subprocess.Popen[bytes]] = []
        issuer = authority("Pebble itself", ["127.0.0.1"], 3)
        made = server_certificate(["127.0.0.1"], 3, issuer)
        #: Whom a client of the directory has to trust.
        self.ca = self.folder / "ca.pem"
        self.ca.write_bytes(issuer.certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / "cert.pem").write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / "key.pem").write_bytes(key_pem(made.key))

    @property
    def url(self) -> str:
        """The directory."""
        return f"https://127.0.0.1:{self._port}/dir"

    def start(self) -> Pebble:
        """Start both programs, and wait until they answer."""
        config = {
            "listenAddress": f"127.0.0.1:{self._port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(self.folder / "cert.pem"),
            "privateKey": str(self.folder / "key.pem"),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "certificateValidityPeriod": 90 * 86_400,
        }
        (self.folder / "config.json").write_text(json.dumps({"pebble": config}))
        environment = {
            **os.environ,
            "PEBBLE_WFE_NONCEREJECT": str(self._nonces),
            "PEBBLE_VA_SLEEPTIME": str(self._sleep),
            "PEBBLE_AUTHZREUSE": "0",
            **self._more,
        }
        names = [
            "pebble-challtestsrv", "-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "",
            "-dns01", f"127.0.0.1:{self._dns}", "-management", f"127.0.0.1:{self._names}",
        ]  # fmt: skip
        pebble = [
            "pebble",
            "-config",
            str(self.folder / "config.json"),
            "-dnsserver",
            f"127.0.0.1:{self._dns}",
        ]
        with (self.folder / "log").open("ab") as log:
            for command in (names, pebble):
                self._processes.append(
                    processes.start(command, stdout=log, stderr=log, env=environment, cwd=self.folder)
                )
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > until or any(one.poll() is not None for one in self._processes):
                raise AssertionError(f"Pebble does not start:\n{self.log}")
            time.sleep(0.02)
        return self

    @property
    def log(self) -> str:
        """What both have said."""
        return (self.folder / "log").read_text()

    def lead(self, name: str, *addresses: str) -> None:
        """Have *name* lead to *addresses*, and nowhere else."""
        self._tell("/clear-a", {"host": f"{name}."})
        self._tell("/add-a", {"host": f"{name}.", "addresses": list(addresses)})

    def roots(self) -> str:
        """The root that issues certificates, as PEM."""
        status, body = self._ask(self._management, "/roots/0")
        assert status == 200, body
        return body.decode()

    def pause(self) -> None:
        """Answer nobody until :meth:`resume`."""
        self._processes[1].send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        self._processes[1].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop both; it can be started again, with the same certificates of its own."""
        for process in self._processes:
            process.kill()
            process.wait(10)
        self._processes.clear()

    def clean_up(self) -> None:
        """Stop both, and remove all files."""
        self.stop()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        try:
            self._tell("/add-a", {"host": "nobody.example.", "addresses": ["127.0.0.1"]})
            return self._ask(self._port, "/dir")[0] == 200
        except OSError:
            return False

    def _tell(self, path: str, content: Any) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._names, timeout=PATIENCE)
        connection.request("POST", path, json.dumps(content))
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()

    def _ask(self, port: int, path: str) -> tuple[int, bytes]:
        context = ssl.create_default_context(cafile=str(self.ca))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context)
        connection.request("GET", path)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found
