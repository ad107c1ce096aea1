"""Files that survive a crash of the machine: a name never stands for bytes that have not reached the disk.

A rename may reach the disk before the bytes of what was renamed (ext4, XFS and btrfs all may).  So the bytes
are written out before the rename (fsync(2)), and the directory after it.  Where the directory cannot be
synchronized (some network file systems), only the bytes are.
"""

from __future__ import annotations

import os
from contextlib import suppress


def write_private(path: str | os.PathLike[str], content: bytes) -> None:
    """Put *content*, whole or not at all, into *path*, which only its owner may read; :class:`OSError`."""
    target = os.path.abspath(path)
    temporary = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.new")
    with suppress(FileNotFoundError):
        os.unlink(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            replace(file.fileno(), temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


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
