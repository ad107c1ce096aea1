"""Which user the worker processes become: one that owns nothing."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from twisted.logger import Logger

import edge
from edge.confinement.in_force import name_of
from edge.errors import ConfigError
from edge.node.supervisor.directories import SAME_USER, User, acting_as

#: Who owns nothing, on every system.
NOBODY = "nobody"

_log = Logger()


def find_worker_user(name: str | None, required: bool, node: User) -> User:
    """The user called *name* (None: nobody, if this is root) and its group; :data:`SAME_USER`: nobody else.

    *node*: whom ``twistd --uid`` makes of this process later.  :class:`ConfigError`: there is no such user,
    this process may not become it, or, if that is *required*, it cannot read the program.
    """
    is_root = os.geteuid() == 0 and node.uid <= 0
    if not is_root:
        if name is not None and _look_up(name).uid != (node.uid if node.uid > 0 else os.geteuid()):
            raise ConfigError(
                f"--worker-user {name}: only root can start workers as somebody else; start the node as "
                "root, without --uid, or leave the option out"
            )
        return SAME_USER
    user = _look_up(name or NOBODY)
    if user.uid == 0:
        return SAME_USER
    unreadable = _unreadable_for(user)
    if not unreadable:
        return user
    problem = (
        f"workers run as root: {name_of(user.uid)} cannot read the program in {unreadable}; install it, and "
        "its Python, where everybody may read, as under /opt and /usr, or name another --worker-user"
    )
    if name is not None or required:
        raise ConfigError(problem.replace("workers run as root", f"--worker-user {name or NOBODY}"))
    _log.warn("{problem}", problem=problem)
    return SAME_USER


def _look_up(name: str) -> User:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise ConfigError(
            f"--worker-user {name}: there is no such user; make one (useradd --system {name}) or name another"
        ) from None
    return User(found.pw_uid, found.pw_gid)


def _unreadable_for(user: User) -> str:
    """A part of the program that *user* cannot read, and where that is; "": none."""
    program = (sys.executable, os.path.dirname(os.__file__), str(Path(edge.__file__).parent))
    with acting_as(user):
        path = next((path for path in program if not os.access(path, os.R_OK, effective_ids=True)), "")
    real = os.path.realpath(path) if path else ""
    return path if real == path else f"{path}, which leads to {real}"
