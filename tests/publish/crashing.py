"""A disk that loses what was not synchronized: system calls are written down, and a crash is made of them.

After a crash a real file system has everything that was synchronized (fsync(2)), and of the rest whatever it
likes: single blocks of what was written, a length without its bytes, a name without either, a later rename
without an earlier one.  :class:`CrashingDisk` writes down what is done below one directory, and its method
``image`` makes the directory as it may be found after a crash behind any of these steps, by a seed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

#: Bytes that the disk writes, or loses, together.
BLOCK = 512


class _File:
    """One inode: what was written to it, step by step."""

    def __init__(self) -> None:
        #: (step, offset, data); data None: cut to the offset.
        self.writes: list[tuple[int, int, bytes | None]] = []
        self.synchronized: list[int] = []

    def bytes_after(self, step: int, random: Random) -> bytes:
        """What the disk has of it after a crash behind *step*."""
        sure = max((one for one in self.synchronized if one <= step), default=-1)
        found = bytearray()
        length = 0
        for at, offset, data in self.writes:
            if at > step:
                break
            if data is None:
                if at <= sure or random.random() < 0.5:
                    length = offset
                    del found[offset:]
                continue
            if at <= sure or random.random() < 0.8:
                length = max(length, offset + len(data))
            for start in range(0, len(data), BLOCK):
                if at <= sure or random.random() < 0.5:
                    block = data[start : start + BLOCK]
                    end = offset + start + len(block)
                    found.extend(bytes(max(0, end - len(found))))
                    found[offset + start : end] = block
        found.extend(bytes(max(0, length - len(found))))
        return bytes(found[:length])


class CrashingDisk:
    """What happens below *folder*; *patch* replaces an attribute for the time of a test."""

    def __init__(self, folder: Path, patch: Callable[[Any, str, Any], object]) -> None:
        self.folder = folder
        self.steps = 0
        self._files: dict[int, _File] = {}
        self._inodes: dict[tuple[int, int], _File] = {}
        #: (step, old name or None, new name or None, inode)
        self._names: list[tuple[int, str | None, str | None, _File]] = []
        self._folders_synchronized: list[tuple[int, str]] = []
        self._real = {
            name: getattr(os, name)
            for name in ("open", "write", "fsync", "replace", "unlink", "ftruncate", "close")
        }
        for name in self._real:
            patch(os, name, getattr(self, "_" + name))

    def image(self, step: int, seed: int, target: Path) -> None:
        """Make *target* what is found of the folder after a crash behind *step*."""
        random = Random(seed)
        names: dict[str, _File] = {}
        for at, old, new, file in self._names:
            if at > step:
                break
            is_sure = any(
                at < synchronized <= step and os.path.dirname(new or old or "") == folder
                for synchronized, folder in self._folders_synchronized
            )
            if is_sure or random.random() < 0.6:
                if old is not None and names.get(old) is file:
                    del names[old]
                if new is not None:
                    names[new] = file
        for name, file in names.items():
            path = target / os.path.relpath(name, self.folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.bytes_after(step, random))

    def _step(self) -> int:
        self.steps += 1
        return self.steps

    def _is_ours(self, path: Any) -> bool:
        return isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(f"{self.folder}/")

    def _file_at(self, path: str) -> _File:
        status = os.stat(path)
        return self._inodes.setdefault((status.st_dev, status.st_ino), _File())

    # The calls

    def _open(self, path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        is_new = self._is_ours(path) and flags & os.O_CREAT and not os.path.exists(path)
        fd: int = self._real["open"](path, flags, *args, **kwargs)
        if self._is_ours(path) and not flags & os.O_DIRECTORY:
            status = os.fstat(fd)
            key = (status.st_dev, status.st_ino)
            if is_new:
                self._inodes[key] = _File()  # the number of an inode is used again
                self._names.append((self._step(), None, os.fspath(path), self._inodes[key]))
            if key in self._inodes:
                self._files[fd] = self._inodes[key]
        return fd

    def _write(self, fd: int, data: Any) -> int:
        file = self._files.get(fd)
        offset = os.lseek(fd, 0, os.SEEK_CUR) if file is not None else 0
        count: int = self._real["write"](fd, data)
        if file is not None:
            file.writes.append((self._step(), offset, bytes(data[:count])))
        return count

    def _ftruncate(self, fd: int, length: int) -> None:
        self._real["ftruncate"](fd, length)
        if fd in self._files:
            self._files[fd].writes.append((self._step(), length, None))

    def _fsync(self, fd: int) -> None:
        path = os.readlink(f"/proc/self/fd/{fd}")
        if fd in self._files:
            self._files[fd].synchronized.append(self._step())
        elif os.path.isdir(path):
            self._folders_synchronized.append((self._step(), path))

    def _replace(self, old: Any, new: Any) -> None:
        ours = self._is_ours(new)
        file = self._file_at(old) if ours else None
        self._real["replace"](old, new)
        if file is not None:
            self._names.append((self._step(), os.fspath(old), os.fspath(new), file))

    def _unlink(self, path: Any, *args: Any, **kwargs: Any) -> None:
        file = self._file_at(path) if self._is_ours(path) and os.path.exists(path) else None
        self._real["unlink"](path, *args, **kwargs)
        if file is not None:
            self._names.append((self._step(), os.fspath(path), None, file))

    def _close(self, fd: int) -> None:
        self._files.pop(fd, None)
        self._real["close"](fd)
