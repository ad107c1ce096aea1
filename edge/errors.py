"""Errors that a user can cause, and read.

The message names the thing, the place and the way out; the shell prints it without a traceback.

::

    EdgeError
    |-- ConfigError    an option, a key of the configuration file, a rule
    |-- ListenError    an endpoint that cannot be listened on
    |-- SegmentError   shared memory that is not (or no longer) a usable table
    |-- NotConnected   an application that cannot be reached now
    `-- PublishError   a folder that cannot be published
"""

from __future__ import annotations

import errno


class EdgeError(Exception):
    """Base of all: str() is a sentence for the user."""


class ConfigError(EdgeError):
    """A wrong option, configuration key or rule."""


class ListenError(EdgeError):
    """An endpoint that cannot be listened on."""


class SegmentError(EdgeError):
    """Shared memory that is no usable table: bad magic, other version, truncated."""


class NotConnected(EdgeError):
    """There is nobody now at the place where an application should be."""


class PublishError(EdgeError):
    """A folder that cannot be published."""


def plain(text: str) -> str:
    """*text* with what means a thing to a terminal, or hides something, escaped; line ends stay.

    For whatever others had a part in and people read: tables, logs, errors.

    >>> plain("a\\x1b[2J\\u202e")
    'a\\\\x1b[2J\\\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text
    )


def in_words(error: OSError) -> str:
    """What the operating system refused, in a sentence for the user."""
    where = f"{error.filename}: " if error.filename else ""
    way_out = _WAYS_OUT.get(error.errno or 0, "see its permissions, and those of the folders above it")
    return f"{where}{error.strerror or error}; {way_out}"


def named(error: OSError, path: object) -> OSError:
    """*error* with *path*, unless it names a file: a failed write or fsync does not."""
    return error if error.filename else OSError(error.errno, error.strerror, str(path))


_WAYS_OUT = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room on that disk: the quota of this user is used up",
    errno.EROFS: "that disk is mounted read-only; name a directory on another one",
    errno.EMFILE: "raise the limit on open files (LimitNOFILE=, ulimit -n)",
    errno.ENFILE: "the whole machine has too many open files (fs.file-max)",
    errno.ENOMEM: "there is no memory left",
    errno.EIO: "that disk may be damaged; see the log of the kernel",
}
