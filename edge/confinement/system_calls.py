"""The system calls that a worker may make, from when it is prepared (seccomp, by the library libseccomp).

An allow list: what is not on it, and does not exist yet, fails with EPERM.  Not on it is above all what an
attacker would go on with: executing programs, making sockets and connections, changing users, mounts and
namespaces, tracing, loading code into the kernel, io_uring, BPF, keys.
"""

from __future__ import annotations

import ctypes
import errno
from functools import lru_cache
from typing import Any

_ALLOW = 0x7FFF0000  # seccomp.h: SCMP_ACT_ALLOW
_ERRNO = 0x00050000  # SCMP_ACT_ERRNO(...)
_UNKNOWN = -1  # __NR_SCMP_ERROR
_MASKED_EQ = 7  # SCMP_CMP_MASKED_EQ
_CLONE_THREAD = 0x00010000  # sched.h

#: What CPython, libc's allocator, threads and clocks need.
_RUNTIME = """
    brk mmap munmap mremap mprotect madvise futex futex_waitv get_robust_list set_robust_list rseq
    membarrier set_tid_address exit exit_group sched_yield sched_getaffinity sched_setaffinity prctl
    arch_prctl rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigpending rt_sigtimedwait
    sigaltstack restart_syscall clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time
    times getrusage getcpu getpid getppid gettid getpgrp getpgid getsid getuid geteuid getgid getegid
    getresuid getresgid getgroups tgkill uname sysinfo getrandom prlimit64 getrlimit getcwd umask capget
"""
#: Files: opening them is what Landlock is for.
_FILES = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 open openat openat2 close
    close_range stat fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 lseek
    ftruncate truncate readlink readlinkat getdents getdents64 dup dup2 dup3 fcntl ioctl flock fsync
    fdatasync sync_file_range fadvise64 fallocate memfd_create copy_file_range sendfile splice tee unlink
    unlinkat rename renameat renameat2 mkdir mkdirat
"""
#: Descriptors that are ready, and connections that others make to the sockets that are inherited.
_CONNECTIONS = """
    epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll select pselect6
    eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime pipe pipe2 socketpair accept accept4
    getsockname getpeername getsockopt setsockopt shutdown recvfrom recvmsg recvmmsg sendto sendmsg
    sendmmsg
"""

ALLOWED: tuple[str, ...] = tuple(sorted(f"{_RUNTIME} {_FILES} {_CONNECTIONS}".split()))


class _Comparison(ctypes.Structure):
    """``struct scmp_arg_cmp``: argument & mask == value."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def restrict() -> None:
    """Allow this thread, and those that it starts, no more than :data:`ALLOWED`, and to start threads.

    :class:`OSError`: there is no libseccomp, or the kernel has no seccomp.  ``no_new_privs`` must be set.
    """
    library = _library()
    filter = library.seccomp_init(ctypes.c_uint32(_ERRNO | errno.EPERM))
    if not filter:
        raise OSError(errno.ENOMEM, "libseccomp makes no filter")
    filter = ctypes.c_void_p(filter)
    try:
        for name in ALLOWED:
            number = library.seccomp_syscall_resolve_name(name.encode("ascii"))
            if number != _UNKNOWN:  # else newer than the library, or of another architecture
                _check(library.seccomp_rule_add(filter, ctypes.c_uint32(_ALLOW), number, 0))
        _allow_threads(library, filter)
        _check(library.seccomp_load(filter))
    finally:
        library.seccomp_release(filter)


def _allow_threads(library: Any, filter: ctypes.c_void_p) -> None:
    """A thread may be started, a process may not.

    What ``clone3`` is to do lies in memory, where no filter sees it: it is said not to exist, and libc
    takes ``clone``.
    """
    thread = _Comparison(0, _MASKED_EQ, _CLONE_THREAD, _CLONE_THREAD)
    clone, clone3 = (library.seccomp_syscall_resolve_name(name) for name in (b"clone", b"clone3"))
    rule_add = library.seccomp_rule_add_array
    _check(rule_add(filter, ctypes.c_uint32(_ALLOW), clone, 1, ctypes.byref(thread)))
    if clone3 != _UNKNOWN:
        _check(rule_add(filter, ctypes.c_uint32(_ERRNO | errno.ENOSYS), clone3, 0, None))


@lru_cache(maxsize=1)
def _library() -> Any:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        raise OSError(errno.ENOENT, "the library libseccomp is not installed") from None
    library.seccomp_init.restype = ctypes.c_void_p
    return library


def _check(result: int) -> None:
    if result < 0:
        raise OSError(-result, f"seccomp: {errno.errorcode.get(-result, result)}")
