"""Debian's nginx, a node of the converted configuration, and an application behind both: real processes."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from edge.convert import Draft, convert
from tests import processes
from tests.beside_nginx.content import write_all
from tests.end_to_end.cluster import free_port
from tests.end_to_end.node import PATIENCE, RunningNode

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
SITES = Path(__file__).with_name("sites")
#: The password of staff is "secret", by bcrypt: what both read.
_HTPASSWD = "staff:$2b$04$Yx.DbfthNUgrq.svXWvwfOoNxLNu.bAgNpXhH4h2R4ZgDqt.A89ey\n"
_MAIN = """
worker_processes 1;
daemon off;
master_process off;
pid DIR/nginx.pid;
error_log DIR/error.log;
events { worker_connections 256; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    sendfile on;
    access_log off;
    absolute_redirect off;
    client_body_temp_path DIR/t1; proxy_temp_path DIR/t2; fastcgi_temp_path DIR/t3;
    uwsgi_temp_path DIR/t4; scgi_temp_path DIR/t5;
    include sites/*.conf;
}
"""


class Application(BaseHTTPRequestHandler):
    """Says what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with path and host."""
        body = json.dumps({"path": self.path, "host": self.headers.get("Host")}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "private")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Both:
    """Both servers, over the same files."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="edge-beside-"))
        self.root = self.directory / "www"
        self.application = ThreadingHTTPServer(("127.0.0.1", 0), Application)
        threading.Thread(target=self.application.serve_forever, daemon=True).start()
        self.nginx_port = free_port()
        self.draft = self._configure()
        options = ("--config", str(self.directory / "edge.toml"), "--table-entries", "65536")
        self.node = RunningNode(*options, workers=0)
        self.node.has_webroot = False
        self.nginx: subprocess.Popen[bytes] | None = None

    def _configure(self) -> Draft:
        write_all(self.root)
        (self.root / "htpasswd").write_text(_HTPASSWD)
        folder = self.directory / "sites"
        folder.mkdir()
        for one in sorted(SITES.glob("*.conf")):
            text = one.read_text().replace("ROOT", str(self.root))
            text = text.replace("BACKEND", str(self.application.server_port))
            (folder / one.name).write_text(text.replace("listen 80", f"listen 127.0.0.1:{self.nginx_port}"))
        main = self.directory / "nginx.conf"
        main.write_text(_MAIN.replace("DIR", str(self.directory)))
        draft = convert(str(main))
        draft.keys.pop("listen")
        (self.directory / "edge.toml").write_text(draft.toml())
        return draft

    def start(self) -> Both:
        """Start both and wait until they answer."""
        command = [NGINX, "-c", str(self.directory / "nginx.conf"), "-p", str(self.directory)]
        self.nginx = processes.start(
            command, stdout=subprocess.DEVNULL, stderr=(self.directory / "nginx.err").open("wb")
        )
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.nginx_port), 1):
                break
            if self.nginx.poll() is not None:
                raise AssertionError((self.directory / "nginx.err").read_text())
            time.sleep(0.02)
        self.node.start()
        return self

    def clean_up(self) -> None:
        """Stop both and remove all."""
        if self.nginx is not None and self.nginx.poll() is None:
            self.nginx.send_signal(signal.SIGTERM)
            self.nginx.wait(PATIENCE)
        self.node.clean_up()
        self.application.shutdown()
        self.application.server_close()
        shutil.rmtree(self.directory)

    @contextlib.contextmanager
    def connections(self) -> Iterator[tuple[HTTPConnection, HTTPConnection]]:
        """A connection to each: nginx, the node."""
        pair = tuple(
            HTTPConnection("127.0.0.1", port, timeout=PATIENCE) for port in (self.nginx_port, self.node.port)
        )
        try:
            yield pair  # type: ignore[misc]
        finally:
            for one in pair:
                one.close()
