"""The state directory of one node: its lock, and what it tells other programs.

::

    lock             held (flock) while a supervisor runs; its text is the supervisor's pid
    listening.json   {"pid": 4711, "urls": ["http://127.0.0.1:8001"], "admin": "unix:PATH"}, as bound
    admin.token      bearer token of the admin API where that listens on TCP, mode 0600
    blobs/, cache    see edge.publish.store

It is made with mode 0700, so whoever is to use ``edgectl`` is the node's user, or root.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from edge import durable
from edge.errors import ConfigError, in_words, named
from edge.node.supervisor.directories import SAME_USER, User, make_directory


class StateDirectory:
    """The directory *path*, made and locked; raises :class:`ConfigError` when that cannot be."""

    def __init__(self, path: Path, user: User = SAME_USER) -> None:
        self.path = path
        make_directory("--state-dir", path, user)
        try:
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
            os.fchown(self._lock, *user)
        except OSError as error:
            raise ConfigError(
                f"--state-dir {path}: cannot be written ({path / 'lock'}: {error.strerror}); "
                "give a directory that this user may write"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip()
            os.close(self._lock)
            raise ConfigError(
                f"--state-dir {path}: in use by another twistd edge (pid {holder or 'unknown'}); "
                "stop that one or give another directory"
            ) from None
        try:
            self.write_pid()
        except OSError as error:
            os.close(self._lock)
            raise ConfigError(in_words(named(error, self.path))) from None

    def write_pid(self) -> None:
        """Write down this process's id: after a daemon has forked."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)

    def tell_listening(self, urls: list[str], admin: str) -> None:
        """Write ``listening.json``; *admin*: of the admin API, where ``edgectl`` finds it."""
        told = {"pid": os.getpid(), "urls": urls, "admin": admin}
        self._replace("listening.json", json.dumps(told) + "\n", 0o640)

    def admin_token(self) -> str:
        """A new bearer token for the admin API, also written to ``admin.token``."""
        token = secrets.token_urlsafe(32)
        self._replace("admin.token", token + "\n", 0o600)
        return token

    def close(self) -> None:
        """Remove ``listening.json`` and let others use the directory."""
        with suppress(OSError):
            (self.path / "listening.json").unlink()
        os.close(self._lock)

    def _replace(self, name: str, text: str, mode: int) -> None:
        """Write the file *name*: readers see the old or the new one, whole."""
        new = self.path / f".{name}.new"
        with suppress(OSError):
            new.unlink()
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
                file.write(text)
                file.flush()
                durable.replace(file.fileno(), new, self.path / name)
        except OSError as error:
            raise ConfigError(in_words(named(error, new))) from None
