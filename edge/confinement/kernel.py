"""System calls and operations of ``prctl`` that Python's standard library does not have."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_GET_PDEATHSIG = 2
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

#: The same on all architectures since Linux 5.0 made the table of new system calls one.
SYS_LANDLOCK_CREATE_RULESET = 444
SYS_LANDLOCK_ADD_RULE = 445
SYS_LANDLOCK_RESTRICT_SELF = 446

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


def prctl(operation: int, *arguments: int) -> None:
    """``prctl(2)``; :class:`OSError` if the kernel refuses."""
    _raise_if(_libc.prctl(operation, *arguments, *[0] * (4 - len(arguments))))


def death_signal() -> int:
    """The signal that this process gets when its parent ends; 0: none."""
    number = ctypes.c_int()
    prctl(PR_GET_PDEATHSIG, ctypes.addressof(number))
    return number.value


def system_call(number: int, *arguments: object) -> int:
    """``syscall(2)``: its result; :class:`OSError` if the kernel refuses.

    *arguments* are numbers (passed as long) or structures (passed by reference).
    """
    passed = [
        ctypes.byref(one) if isinstance(one, ctypes.Structure) else ctypes.c_long(one)  # type: ignore[arg-type]
        for one in arguments
    ]
    return _raise_if(_libc.syscall(ctypes.c_long(number), *passed))


def _raise_if(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
