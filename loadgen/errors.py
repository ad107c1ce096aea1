"""The errors that the user can mend.

::

    LoadgenError          str() names the thing, the place and the way out; exit code 1
      +-- UsageError      the command line or a file that it names is wrong; exit code 2
"""

from __future__ import annotations


class LoadgenError(Exception):
    """An error outside of this program: something is not as it has to be."""

    exit_code = 1


class UsageError(LoadgenError):
    """An error in what the user wrote."""

    exit_code = 2
