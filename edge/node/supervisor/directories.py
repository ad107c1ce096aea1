"""Directories that a node keeps its files in: for its user alone, whoever starts it.

Started by root with ``twistd --uid``, everything is opened by root, and written by the user that the process
becomes afterwards.  So what is made before belongs to that user at once.
"""

from __future__ import annotations

import os
import pwd
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from edge.confinement import kernel
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Of a directory: nobody else has anything to look for in it.
DIRECTORY_MODE = 0o700


class User(NamedTuple):
    """Who the process becomes after it has opened everything, as chown(2) has it: -1 stays as it is."""

    uid: int = -1
    gid: int = -1


#: Who started it.
SAME_USER = User()


def make_directory(option: str, path: Path, user: User) -> None:
    """Make *path*, and what is missing above it, for *user*; one that is there is left as it is.

    :class:`ConfigError`, which names *option*, if it cannot be made, or not be written by *user*.
    """
    if (other := next((one for one in (path, *path.parents) if one.exists()), path)).is_file():
        raise ConfigError(f"{option} {path}: {other} is a file; name a directory")
    missing = [one for one in (path, *path.parents) if not one.exists()]
    try:
        for one in reversed(missing):
            one.mkdir(DIRECTORY_MODE, exist_ok=True)
            give(one, user)
    except OSError as error:
        raise ConfigError(
            f"{option} {path}: cannot be made ({error.strerror}); give a directory that this user may write"
        ) from None
    with acting_as(user):
        usable = os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)
    if not usable:
        raise ConfigError(
            f"{option} {path}: cannot be written by {_name(user)}; change its owner and that of "
            "what is in it (chown -R), or give another directory"
        )


def give(path: Path | str, user: User) -> None:
    """Make what lies under *path* that of *user*: never what a link there leads to."""
    if user != SAME_USER:
        os.chown(path, *user, follow_symlinks=False)


def share_folder(path: Path, gid: int) -> None:
    """Make the folder *path*, and have all that is in it, and will be, readable by the group *gid*."""
    path.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
    for folder, _, names in os.walk(path):
        if os.stat(folder).st_gid != gid or folder == os.fspath(path):
            os.chown(folder, -1, gid)
            os.chmod(folder, 0o2750)  # what is made in it is the group's
        for name in names:
            file = os.path.join(folder, name)
            with suppress(FileNotFoundError):  # other nodes may use the cache at the same time
                if os.stat(file, follow_symlinks=False).st_gid != gid:
                    os.chown(file, -1, gid, follow_symlinks=False)


@contextmanager
def acting_as(user: User) -> Iterator[None]:
    """With the rights of *user*, if root may take them on.

    Whoever started us may have asked the kernel to end us with them: a change of ids takes that back
    (PR_SET_PDEATHSIG), and so it is asked for again.
    """
    before = os.geteuid(), os.getegid()
    if user == SAME_USER or before[0] != 0:
        yield
        return
    groups, death_signal = os.getgroups(), kernel.death_signal()
    gid = before[1] if user.gid < 0 else user.gid
    os.setgroups(_groups(user.uid, gid))
    os.setegid(gid)
    os.seteuid(before[0] if user.uid < 0 else user.uid)
    try:
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])
        with suppress(OSError):
            os.setgroups(groups)
        if death_signal:
            kernel.prctl(kernel.PR_SET_PDEATHSIG, death_signal)


def _groups(uid: int, gid: int) -> list[int]:
    """All groups of the user *uid*, of whose primary group *gid* is."""
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid) if uid >= 0 else os.getgroups()
    except KeyError:  # a number without a name
        return [gid]


def _name(user: User) -> str:
    return "this user" if user.uid < 0 else f"the user {user.uid}"
