"""Applications behind our node, and behind nginx: CPU of the server and of the application together.

The same ASGI application everywhere: 10 KiB, not to be stored.  nginx asks uvicorn (uvloop, httptools) over
a Unix socket, with connections that are used again; what is passed without its cache, whose lock would let
requests of one address wait for one another.  Ours runs the application itself (edge-app/1); and,
beside that, asks the same uvicorn as nginx does, so what each of the two ways costs is seen.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import client, servers
from benchmarks.rows import Place, Row
from benchmarks.servers import Server

ROOT = Path(__file__).resolve().parents[1]
CONNECTIONS = 32
#: Where the application answers, behind every server.
PASSED = "/passed"

_APPLICATION = """
BODY = b"x" * 10240
HEADERS = [(b"content-type", b"text/html"), (b"content-length", b"10240")]


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    lifetime = b"no-store" if path.startswith("/passed") else b"public, s-maxage=3600"
    if path.startswith("/brief"):
        lifetime = b"public, s-maxage=1"
    headers = [*HEADERS, (b"cache-control", lifetime)]
    if not path.startswith("/passed"):  # the same bytes from everybody, whatever codings are accepted
        headers[0] = (b"content-type", b"application/octet-stream")
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
"""

_NGINX = """
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
{user}
events {{ worker_connections 4096; use epoll; multi_accept on; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    proxy_cache_path {directory}/cache keys_zone=shared:16m;
    upstream application {{ server unix:{socket}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} reuseport deferred backlog=4096;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        location /passed {{
            proxy_pass http://application;
        }}
        location / {{
            proxy_pass http://application;
            proxy_cache shared;
            proxy_cache_lock on;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Pair:
    """A server and the processes of the application behind it, if these are not its own."""

    front: Server
    behind: tuple[psutil.Process, ...] = ()

    def cpu_seconds(self) -> float:
        """CPU time of all of them so far."""
        return self.front.cpu_seconds() + sum(servers.cpu_seconds_of(one) for one in self.behind)

    def microseconds(self, path: str, seconds: float, connections: int = CONNECTIONS) -> tuple[float, int]:
        """(CPU time of a request of *path*, errors)."""
        before = self.cpu_seconds()
        result = client.wrk(self.front, client.request(path), seconds, connections)
        return (self.cpu_seconds() - before) / max(1, result.requests) * 1e6, result.errors


def application(directory: Path) -> Path:
    """The folder of the application, ``bench_app:app``."""
    folder = directory / "application"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    (folder / "bench_app.py").write_text(_APPLICATION)
    return folder


@contextlib.contextmanager
def uvicorn(directory: Path) -> Iterator[tuple[Path, psutil.Process]]:
    """(socket, process) of uvicorn with the application, on the servers' core."""
    path = directory / "uvicorn.sock"
    with (directory / "uvicorn.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(servers.SERVER_CORE), sys.executable, "-m", "uvicorn", "bench_app:app",
             "--uds", str(path), "--no-access-log", "--log-level", "warning", "--loop", "uvloop",
             "--http", "httptools"],
            cwd=application(directory), stdout=log, stderr=log,
        )  # fmt: skip
    try:
        servers.wait_until(path.exists, f"uvicorn listens; see {directory}/uvicorn.log")
        path.chmod(0o666)
        yield path, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def nginx(directory: Path) -> Iterator[Pair]:
    """nginx before uvicorn."""
    directory.mkdir(parents=True, exist_ok=True)
    with uvicorn(directory) as (path, process):
        port = servers.free_port()
        config = directory / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        config.write_text(_NGINX.format(directory=directory, port=port, socket=path, user=user))
        command = [servers.nginx_program(), "-c", str(config), "-p", str(directory)]
        with servers.running("nginx", command, port, PASSED, directory / "log") as front:
            yield Pair(front, (process,))


@contextlib.contextmanager
def edge_before_uvicorn(webroot: Path, directory: Path) -> Iterator[Pair]:
    """Our node before uvicorn."""
    directory.mkdir(parents=True, exist_ok=True)
    with (
        uvicorn(directory) as (path, process),
        servers.edge(webroot, directory, "native", "--app", f"/=http+unix:{path}", ready=PASSED) as front,
    ):
        _wait_until_coded(directory)
        yield Pair(front, (process,))


@contextlib.contextmanager
def edge(webroot: Path, directory: Path) -> Iterator[Pair]:
    """Our node, which runs the application."""
    folder = application(directory)
    file = directory / "edge.toml"
    file.write_text(
        f'[[app]]\nat = "/"\nrun = "bench_app:app"\nfolder = "{folder}"\nshare = ["/miss/**", "/brief"]\n'
    )
    with servers.edge(webroot, directory, "native", "--config", str(file), ready=PASSED) as front:
        _wait_until_coded(directory)
        yield Pair(front)


def _wait_until_coded(directory: Path) -> None:
    """What a node does once, after it has started, is no cost of a request."""
    servers.wait_until(lambda: not servers.is_coding(directory), "all is coded")


def passed(place: Place) -> list[Row]:
    """What is asked each time: pass-through."""
    with (
        nginx(place.directory / "nginx") as theirs,
        edge(place.webroot, place.directory / "edge") as ours,
        edge_before_uvicorn(place.webroot, place.directory / "edge-uvicorn") as over_http,
    ):
        figures: dict[Pair, list[float]] = {theirs: [], ours: [], over_http: []}
        errors = dict.fromkeys(figures, 0)
        for _ in range(place.rounds):
            for pair, found in figures.items():
                cost, failed = pair.microseconds(PASSED, place.seconds)
                found.append(cost)
                errors[pair] += failed
    reference = statistics.median(figures[theirs])

    def row(work: str, pair: Pair) -> Row:
        cost, failed = statistics.median(figures[pair]), errors[pair]
        ratio = cost / reference
        beside = f"nginx + uvicorn {reference:.0f} us" + (
            f" ({errors[theirs]} errors)" if errors[theirs] else ""
        )
        note = f" ({failed} errors!)" if failed else ""
        return Row(
            work, f"{cost:.0f} us", beside, f"{ratio:.2f} x{note}", "<= 0.90 x", ratio <= 0.9 and not failed
        )

    return [
        row("pass-through, 10 KiB, 32 at once: node + application that it runs", ours),
        row("the same: node + uvicorn over http+unix", over_http),
    ]


FORMS = {"apps-passed": passed}
