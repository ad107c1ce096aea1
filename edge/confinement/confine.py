"""What a worker gives up, in the order in which that works, and what of it came about."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

import edge
from edge.confinement import identity, landlock, system_calls
from edge.errors import ConfigError

#: Where shared libraries and what they read lie.
_LIBRARIES = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ssl", "/etc/localtime")
_DEVICES = ("/dev/null", "/dev/urandom")


class Confinement(msgspec.Struct, frozen=True):
    """How a worker is to be confined."""

    #: "required": what cannot be given up is an error; "auto": it is said; "off": nothing is given up.
    mode: str = "off"
    #: Whom to become; -1: who this is already.
    uid: int = -1
    gid: int = -1
    #: Whether files and system calls are restricted, too: not where an application shares the process.
    restricts: bool = True
    #: What may be read and written besides the program itself.
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()


class Confined(msgspec.Struct, frozen=True):
    """What a process has given up besides what :mod:`edge.confinement.in_force` can see."""

    #: The version of Landlock that restricts it; 0: none.
    landlock: int = 0
    #: Sentences about what was to be given up, and could not.
    missing: tuple[str, ...] = ()


def confine(wanted: Confinement) -> Confined:
    """Give up what is *wanted*, for good; this process must have one thread.

    :class:`ConfigError`: a step does not work here, and is required.
    """
    if wanted.mode == "off":
        return Confined()
    missing: list[str] = []
    version = 0

    def attempt(what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            missing.append(f"{what}: {error.strerror or error}")

    if wanted.uid >= 0:
        attempt("capabilities that executing a file gives", identity.drop_bounding_set)
        attempt(f"user {wanted.uid}", lambda: identity.become(wanted.uid, wanted.gid))
    attempt("capabilities", identity.drop_capabilities)
    attempt("no_new_privs", identity.forbid_new_privileges)
    attempt("hidden memory", identity.hide_memory)
    if wanted.restricts:
        try:
            version = landlock.restrict((*program_files(), *wanted.readable), wanted.writable)
        except OSError as error:
            missing.append(f"Landlock: {error.strerror or error}")
        attempt("seccomp", system_calls.restrict)
    if missing and wanted.mode == "required":
        raise ConfigError(
            f"--confinement required: {'; '.join(missing)}; start the node as root or under its systemd "
            "unit on a kernel that has these, install libseccomp2, or use --confinement auto"
        )
    return Confined(version, tuple(missing))


def program_files() -> Sequence[str]:
    """Where the program, its libraries and its interpreter lie: modules are imported when they are needed.

    Not the working directory, which ``sys.path`` may name: it can be any, the root directory too.
    """
    here = os.getcwd()
    imported = {path for path in sys.path if os.path.isabs(path) and not Path(here).is_relative_to(path)}
    return sorted(
        {*_LIBRARIES, *_DEVICES, sys.prefix, sys.base_prefix, str(Path(edge.__file__).parent), *imported}
    )
