"""The servers under test, each a tree of processes on one core."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

#: The core that servers run on; clients run on the other ones.
SERVER_CORE = 0

#: Believes whatever certificate it is shown.
UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE

_NGINX_CONFIG = """
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
worker_rlimit_nofile 65536;
events {{ worker_connections 40000; use epoll; multi_accept on; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    open_file_cache max=10000 inactive=300s;
    open_file_cache_valid 300s;
    gzip_static on;
    gzip_vary on;
    etag on;
    types {{ text/html html; text/css css; }}
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{servers}}}
"""


_NGINX_SERVER = """    server {{
        listen 127.0.0.1:{port} {tls} reuseport deferred backlog=4096;
        {certificate}
        root {webroot};
        add_header Cache-Control no-cache;
        {rules}
    }}
"""
#: The same choices as ours: without them nginx would spend more on other ciphers and groups.
_NGINX_TLS = """
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.3;
        ssl_ecdh_curve X25519:prime256v1;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        ssl_session_tickets on;
        ssl_session_cache off;
"""


def certificate(folder: Path) -> Path:
    """*folder*, with a new self-signed certificate (P-256) for 127.0.0.1: cert.pem and key.pem."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        "openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "30",
        "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return folder


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A running server: where it is, and what its processes have used."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], port: int, secure_port: int = 0) -> None:
        """*secure_port*: of HTTPS, if it is spoken, too."""
        self.name = name
        self.process = process
        self.port = port
        self.secure_port = secure_port
        #: What is asked for speaks TLS.
        self.secure = False

    def over_tls(self) -> Server:
        """The same server, asked over HTTPS."""
        other = Server(self.name, self.process, self.secure_port)
        other.secure = True
        return other

    @property
    def url(self) -> str:
        """Of its root."""
        return f"{'https' if self.secure else 'http'}://127.0.0.1:{self.port}/"

    def connect(self) -> socket.socket:
        """A connection that requests can be sent on."""
        connection = socket.create_connection(("127.0.0.1", self.port), 10)
        return UNVERIFIED.wrap_socket(connection) if self.secure else connection

    def processes(self) -> list[psutil.Process]:
        """The process tree, parents first."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """CPU time of all threads of all processes so far."""
        return sum(map(cpu_seconds_of, self.processes()))

    def private_bytes(self) -> int:
        """Memory of user space that belongs to the processes alone."""
        total = 0
        for process in self.processes():
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Private_Dirty:"):
                    total += int(line.split()[1]) * 1024
        return total

    def head(self, path: str, **fields: str) -> dict[str, str]:
        """The header fields of a HEAD answer, and its status under ":status"."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        if self.secure:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=UNVERIFIED)
        with contextlib.closing(connection):
            connection.request("HEAD", path, headers=fields)
            answer = connection.getresponse()
            answer.read()
            return {
                ":status": str(answer.status),
                **{name.lower(): value for name, value in answer.getheaders()},
            }


def cpu_seconds_of(process: psutil.Process) -> float:
    """CPU time of all threads of *process* so far, from the scheduler (nanosecond account)."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until *condition* holds; exit if it never does."""
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited 120 s in vain until {what}")
        time.sleep(0.05)


def settle(server: Server) -> None:
    """Wait until what a start needs (compression, programs that end) is over: else it is measured, too."""
    for _ in range(60):
        before = server.cpu_seconds()
        time.sleep(0.5)
        if abs(server.cpu_seconds() - before) < 0.02:
            return


def _await_ready(server: Server, path: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise SystemExit(
                f"{server.name} ended at start; its log:\n{log.read_text(errors='replace')[-2000:]}"
            )
        with contextlib.suppress(OSError):
            if server.head(path)[":status"] == "200":
                return
        time.sleep(0.1)
    raise SystemExit(
        f"{server.name} is not ready after 120 s; its log:\n{log.read_text(errors='replace')[-2000:]}"
    )


@contextlib.contextmanager
def running(
    name: str, arguments: list[str], port: int, ready: str, log: Path, secure_port: int = 0
) -> Iterator[Server]:
    """The server that *arguments* start, from when it answers *ready* to its end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *arguments],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        server = Server(name, process, port, secure_port)
        _await_ready(server, ready, log)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def nginx_program() -> str:
    """The path of nginx, or exit saying how to get it."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise SystemExit("nginx is not installed: the benchmarks compare with it (apt-get install nginx)")
    return program


@contextlib.contextmanager
def nginx(
    webroot: Path,
    directory: Path,
    secure: Path | None = None,
    rules: str = "",
    hosts: Sequence[str] = (),
) -> Iterator[Server]:
    """nginx with one worker, tuned: no access log, open file cache, reuseport, static gzip.

    *secure*: the folder of a :func:`certificate`, with which it speaks TLS on another port, too.
    *rules*: more of its configuration, inside of the server.  *hosts*: each has a server of its own besides.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = directory / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    plain = _NGINX_SERVER.format(port=port, tls="", certificate="", webroot=webroot, rules=rules)
    for host in hosts:  # options of a port stand once
        one = _NGINX_SERVER.format(
            port=port, tls="", certificate="", webroot=webroot, rules=f"server_name {host};"
        )
        plain += one.replace(" reuseport deferred backlog=4096", "")
    secure_port = free_port() if secure else 0
    if secure:
        plain += _NGINX_SERVER.format(
            port=secure_port,
            tls="ssl",
            certificate=_NGINX_TLS.format(folder=secure),
            webroot=webroot,
            rules=rules,
        )
    config.write_text(user + _NGINX_CONFIG.format(directory=directory, servers=plain))
    arguments = [nginx_program(), "-c", str(config), "-p", str(directory)]
    with running("nginx", arguments, port, "/small.html", directory / "log", secure_port) as server:
        yield server


@contextlib.contextmanager
def edge(
    webroot: Path,
    directory: Path,
    fast_path: str = "native",
    *options: str,
    descriptors: int = 0,
    ready: str = "",
    secure: Path | None = None,
    public: bool = False,
) -> Iterator[Server]:
    """Our node with one worker; *descriptors*: the limit of each of its processes, 0: as it is.

    *ready*: the path that is waited for; "": all is served, and coded as well as it will ever be.
    *secure*: the folder of a :func:`certificate`, with which it speaks TLS on another port, too; *public*:
    that is how clients are told to come.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    workers = () if "--workers" in options else ("--workers", "1")
    twistd = Path(sys.executable).with_name("twistd")
    limit = ("prlimit", f"--nofile={descriptors}:{descriptors}") if descriptors else ()
    arguments = [
        *limit, str(twistd), "--nodaemon", f"--pidfile={directory / 'twistd.pid'}", "edge",
        "--listen", f"tcp:{port}:interface=127.0.0.1", "--webroot", str(webroot), *workers,
        "--state-dir", str(directory / "state"), "--fast-path", fast_path,
        "--connections-per-address", "0", *options,
    ]  # fmt: skip
    secure_port = free_port() if secure else 0
    if secure:
        files = f"privateKey={secure / 'key.pem'}:certKey={secure / 'cert.pem'}"
        arguments += ["--listen", f"tls:{secure_port}:{files}:interface=127.0.0.1"]
    if public:
        arguments += ["--public-url", f"https://127.0.0.1:{secure_port}"]
    path, log = ready or "/.edge/ready", directory / "log"
    with running(f"edge ({fast_path})", arguments, port, path, log, secure_port) as server:
        while not ready and is_coding(directory):
            time.sleep(0.1)
        yield server


def is_coding(directory: Path) -> bool:
    """Whether the node in *directory* has still to code something well, of whatever site."""
    status = admin(directory, "GET", "/status")
    return any(site["provisional"] for site in status.get("sites", [status["site"]]))


def admin(directory: Path, method: str, path: str, content: object = None) -> Any:
    """What the admin API of the node in *directory* answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(directory / "state" / "admin.sock"))
        body = json.dumps(content).encode() if content is not None else b""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return json.loads(answer.read())
