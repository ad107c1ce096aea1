"""Errors that a user can cause, and read.

The message names the thing, the place and the way out; the shell prints it without a traceback.

::

    EdgeError
    |-- ConfigError    an option, a key of the configuration file, a rule
    |-- ListenError    an endpoint that cannot be listened on
    |-- SegmentError   shared memory that is not (or no longer) a usable table
    `-- PublishError   a folder that cannot be published
"""

from __future__ import annotations


class EdgeError(Exception):
    """Base of all: str() is a sentence for the user."""


class ConfigError(EdgeError):
    """A wrong option, configuration key or rule."""


class ListenError(EdgeError):
    """An endpoint that cannot be listened on."""


class SegmentError(EdgeError):
    """Shared memory that is no usable table: bad magic, other version, truncated."""


class PublishError(EdgeError):
    """A folder that cannot be published."""
