"""The files of users who may log in: read by the supervisor, for workers may not, and told to these.

A file that cannot be read or understood stops a start.  Later what it said before stays in force, and is
said so once.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec
from twisted.logger import Logger

from edge.access.htpasswd import read_users
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Seconds between two looks.
LOOK_SECONDS = 2.0


class UserFiles:
    """The files that *names* gives; *tell* is called when workers are to know more."""

    _log = Logger()

    def __init__(self, names: Callable[[], Iterable[str]], tell: Callable[[], None]) -> None:
        self._names = names
        self._tell = tell
        self._seen: dict[str, tuple[int, ...]] = {}
        self._read: dict[str, bytes] = {}
        self._said: dict[str, str] = {}

    def start_with(self) -> None:
        """Read all; :class:`~edge.errors.ConfigError`: one cannot be had."""
        for name in self._names():
            self._take(name)

    def look(self) -> None:
        """Read those anew that have changed, and tell of it."""
        changed = False
        names = set(self._names())
        for name in self._read.keys() - names:
            del self._read[name]
            self._seen.pop(name, None)
            changed = True
        for name in names:
            try:
                changed |= self._take(name)
                self._said.pop(name, None)
            except ConfigError as error:
                if self._said.get(name) != str(error):
                    self._said[name] = str(error)
                    self._log.error("{error}; who could log in before still can", error=error)
        if changed:
            self._tell()

    @property
    def packed(self) -> bytes:
        """What the files hold, by name, for workers; those that the configuration has since named, too."""
        for name in self._names():
            if name not in self._read:
                with contextlib.suppress(ConfigError):  # the next look says so
                    self._take(name)
        return msgspec.msgpack.encode(self._read)

    def _take(self, name: str) -> bool:
        """Read *name* if it is another than before; whether it is."""
        seen: tuple[int, ...] = ()
        try:
            status = os.stat(name)
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            pass  # reading says why
        if seen and self._seen.get(name) == seen:
            return False
        data = read_users(name)
        self._seen[name] = seen
        self._read[name] = data
        return True
