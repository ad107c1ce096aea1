"""Who a process is: giving up its user, its groups, its capabilities, and all ways to get some again."""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress

from edge.confinement import kernel

_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    """Two sets of 32 capabilities each: effective, permitted, inheritable."""

    _fields_ = (("sets", ctypes.c_uint32 * 6),)


def become(uid: int, gid: int) -> None:
    """Be the user *uid* with the one group *gid*, for good; :class:`OSError` unless this is root."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def drop_bounding_set() -> None:
    """Make it impossible to gain a capability by executing a file; only root can, before :func:`become`."""
    for number in range(64):
        try:
            kernel.prctl(kernel.PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno == errno.EINVAL:  # there are no more
                return
            raise


def drop_capabilities() -> None:
    """Give up every capability of this thread, also those that executed files would inherit."""
    with suppress(OSError):  # before Linux 4.3 there is no ambient set
        kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_CLEAR_ALL)
    numbers = {"x86_64": 126, "aarch64": 91, "riscv64": 91, "loongarch64": 91, "ppc64le": 184, "s390x": 185}
    machine = os.uname().machine
    if machine not in numbers:
        raise OSError(errno.ENOSYS, f"capset on {machine} is not known here")
    kernel.system_call(numbers[machine], _Header(_CAPABILITY_VERSION_3, 0), _Data())


def forbid_new_privileges() -> None:
    """Executing a set-user-ID file gives nothing any more (``no_new_privs``)."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def hide_memory() -> None:
    """No core dumps, and no debugger of the same user: memory holds keys of certificates."""
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
