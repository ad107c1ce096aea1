"""Landlock: which files a process may still open, since Linux 5.13.

What is open already stays usable.  Sources: landlock(7), linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

from edge.confinement import kernel

_VERSION = 1 << 0  # flag of landlock_create_ruleset: which ABI is there
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_MAKE_REG = 1 << 8
_REMOVE_FILE = 1 << 5
_TRUNCATE = 1 << 14

#: ABI -> how many kinds of access to files it can restrict: the lowest bits.
_FILE_ACCESSES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
#: Both kinds of TCP access (bind, connect), from ABI 4.
_NET_ACCESSES = 0b11
#: Abstract Unix sockets and signals to processes outside, from ABI 6.
_SCOPES = 0b11

#: Of these, a rule for a file (not a directory) may name none.
_READ = _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _MAKE_REG | _REMOVE_FILE | _TRUNCATE


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi() -> int:
    """The version of Landlock that this kernel has; 0: none, or switched off."""
    try:
        return kernel.system_call(kernel.SYS_LANDLOCK_CREATE_RULESET, 0, 0, _VERSION)
    except OSError:
        return 0


def restrict(readable: Iterable[str], writable: Iterable[str]) -> int:
    """From now on only files below *readable* can be read, below *writable* read, made and removed.

    Nothing can be executed, no TCP connection opened, no TCP port taken, no process outside signalled, as far
    as the kernel can forbid that.  Paths that are not there are left out.  The version of Landlock that
    did it; :class:`OSError`: there is none.  ``no_new_privs`` must be set.
    """
    version = abi()
    if not version:
        raise OSError(38, "this kernel has no Landlock")
    handled = (1 << _FILE_ACCESSES[min(version, 5)]) - 1
    attributes = _Ruleset(handled, _NET_ACCESSES if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = kernel.system_call(kernel.SYS_LANDLOCK_CREATE_RULESET, attributes, size, 0)
    try:
        for access, paths in ((_READ, readable), (_WRITE, writable)):
            for path in paths:
                _allow(ruleset, path, access & handled)
        kernel.system_call(kernel.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(f"/proc/self/fd/{fd}"):
            access &= _READ_FILE | _WRITE_FILE | _TRUNCATE
        kernel.system_call(kernel.SYS_LANDLOCK_ADD_RULE, ruleset, _PATH_BENEATH, _PathBeneath(access, fd), 0)
    finally:
        os.close(fd)
