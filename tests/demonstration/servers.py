"""PostgreSQL and Redis for tests: processes of our own, in a temporary directory, on Unix sockets alone.

One of each serves all tests of a process; each test gets a database of its own.  They end with it: at its
exit, and by the kernel if it is killed.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import redis

from tests import processes
from tests.processes import PATIENCE, die_with_parent

_numbers = count()


class ServerProcess:
    """A server, which can be stopped and started again."""

    def __init__(self, command: list[str], folder: Path, user: str | None) -> None:
        self.folder = folder
        self._command = command
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = processes.start(
                self._command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=lambda: die_with_parent(signal.SIGQUIT),
                user=self._user,
            )

    def check(self) -> None:
        """Fail if it has ended."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"{self._command[0]} ended:\n{(self.folder / 'log').read_text()}")

    def stop(self, number: int = signal.SIGINT) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None


class PostgresqlServer:
    """A cluster of PostgreSQL."""

    def __init__(self) -> None:
        folder = _folder()
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        found = shutil.which("initdb")
        programs += [Path(found).parent] if found else []
        assert programs, "PostgreSQL is missing; on Debian: apt-get install postgresql"
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        runs_as = self.user if os.geteuid() == 0 else None
        if runs_as:
            shutil.chown(folder, runs_as)
        data = folder / "data"
        initdb = [programs[-1] / "initdb", "--no-sync", "--auth=trust", f"--username={self.user}", data]
        made = processes.run(
            list(map(str, initdb)), cwd=folder, user=runs_as, capture_output=True, check=False
        )
        assert made.returncode == 0, made.stderr.decode()
        command = [str(programs[-1] / "postgres"), "-D", str(data), "-k", str(folder)]
        for setting in ("listen_addresses=", "fsync=off", "shared_buffers=16MB", "max_connections=60"):
            command += ["-c", setting]
        self._folder = folder
        self.process = ServerProcess(command, folder, runs_as)
        self.start()

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://{self.user}@/{name}?host={self._folder}"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self.process.start()
        until = time.monotonic() + PATIENCE
        while True:
            self.process.check()
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < until
            time.sleep(0.02)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test{next(_numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy TEMPLATE template0")
        return self.url(name)


class RedisServer:
    """A Redis that keeps nothing on the disk."""

    def __init__(self) -> None:
        folder = _folder()
        assert shutil.which("redis-server"), "Redis is missing; on Debian: apt-get install redis-server"
        self.path = folder / "socket"
        command = [
            "redis-server",
            "--port",
            "0",
            "--unixsocket",
            str(self.path),
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        command += ["--unixsocketperm", "777", "--databases", "512"]
        self.process = ServerProcess(command, folder, None)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self.process.start()
        until = time.monotonic() + PATIENCE
        while True:
            self.process.check()
            try:
                redis.Redis(unix_socket_path=str(self.path)).ping()
                return
            except redis.RedisError:
                assert time.monotonic() < until
            time.sleep(0.02)

    def new_database(self) -> str:
        """The URL of an empty database."""
        return f"unix://{self.path}?db={next(_numbers) % 512}"


def _folder() -> Path:
    """A temporary directory with a short name, for sockets, that others may enter."""
    folder = Path(tempfile.mkdtemp(prefix="edge-data-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def postgresql() -> PostgresqlServer:
    """The PostgreSQL of this process, started when it is asked for first."""
    server = PostgresqlServer()
    atexit.register(server.process.stop)
    return server


@cache
def redis_server() -> RedisServer:
    """The Redis of this process."""
    server = RedisServer()
    atexit.register(server.process.stop)
    return server
