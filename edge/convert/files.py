"""Reading configurations from disk: bounded in files, bytes and depth, whatever they include.

A configuration may come from a stranger's machine: what is included twice on one way, or is a device, a pipe
or larger than any configuration, is refused in words.
"""

from __future__ import annotations

import os
from glob import glob, has_magic
from stat import S_ISREG

from edge.convert.statements import Place, Unreadable

#: Bytes of one file, and of all; files of one configuration; includes one inside the other.
FILE_BYTES, ALL_BYTES, FILES, DEPTH = 1 << 20, 8 << 20, 500, 16


class Files:
    """The files of one configuration."""

    def __init__(self) -> None:
        self._bytes = self._count = 0

    def read(self, name: str, place: Place | None = None) -> str:
        """The text of the file *name*, which *place* names; :class:`Unreadable`."""
        where = f"{place}: " if place is not None else ""
        self._count += 1
        if self._count > FILES:
            raise Unreadable(f"{where}there are more than {FILES} files; convert the sites one by one")
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with open(fd, "rb") as file:
                if not S_ISREG(os.fstat(fd).st_mode):
                    raise Unreadable(f"{where}{name} is no file; name the configuration itself")
                data = file.read(FILE_BYTES + 1)
        except OSError as error:
            raise Unreadable(f"{where}{name} cannot be read ({error.strerror}); name another file") from None
        self._bytes += len(data)
        if len(data) > FILE_BYTES or self._bytes > ALL_BYTES:
            raise Unreadable(
                f"{where}{name}: a configuration has at most {FILE_BYTES >> 20} MiB a file and "
                f"{ALL_BYTES >> 20} MiB in all; is this one?"
            )
        return data.decode("utf-8", "replace")

    def named(self, pattern: str, base: str) -> list[str]:
        """The files that *pattern*, relative to the folder *base*, names, in order."""
        path = os.path.join(base, pattern)
        return sorted(glob(path))[: FILES + 1] if has_magic(path) else [path]


def check_depth(chain: tuple[str, ...], name: str, place: Place) -> None:
    """Raise :class:`Unreadable` if the file *name* may not be included where *chain* was."""
    if os.path.realpath(name) in chain:
        raise Unreadable(f"{place}: {name} includes itself, by way of others or not; remove this line")
    if len(chain) >= DEPTH:
        raise Unreadable(f"{place}: more than {DEPTH} files include each other; convert the inner one")
