"""Files that survive a crash of the machine: a name never stands for bytes that have not reached the disk.

A rename may reach the disk before the bytes of what was renamed (ext4, XFS and btrfs all may).  So the bytes
are written out before the rename (fsync(2)), and the directory after it.  Where the directory cannot be
synchronized (some network file systems), only the bytes are.
"""

from __future__ import annotations

import os
from contextlib import suppress


def replace(fd: int, temporary: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Give *temporary*, whole and open as *fd*, the name *target* for good; :class:`OSError`."""
    os.fsync(fd)
    os.replace(temporary, target)
    directory = os.open(os.path.dirname(os.path.abspath(target)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            os.fsync(directory)
    finally:
        os.close(directory)
