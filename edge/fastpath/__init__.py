"""The fast path: answers from the shared table without leaving C, or lets go.

* ``interface.py``: what a fast path is;
* ``twin.py``: the specification, in Python; serves where there is no compiler.  It consists of
  ``recognise.py`` (requests), ``answerer.py`` (answers), ``acceptor.py`` and ``connection.py``;
* ``native.py`` over ``src/``: the same in C11 (``build.py`` compiles it).  All but ``edge_loop``,
  ``edge_connection`` and ``edge_peers`` is sans-IO;
* ``adapter.py``: either of them in a Twisted reactor, and connections on their way to and fro.

:func:`select` picks the build.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.fastpath.interface import FastPath, Settings
    from edge.table.segment import Segment


def select(kind: str) -> Callable[[Segment, int, Settings], FastPath]:
    """The fast path for ``--fast-path`` *kind*: "auto", "native", "python" or "off".

    "off" is the Python build too: its worker asks it to hand off every connection at once.
    """
    from edge.fastpath.twin import PythonFastPath

    if kind in ("python", "off"):
        return PythonFastPath
    try:
        from edge.fastpath.native import NativeFastPath
    except ImportError as error:
        if kind == "auto":
            return PythonFastPath
        raise ConfigError(
            "--fast-path native: this installation has no native build "
            f"({error}); install a C compiler and reinstall, or use --fast-path auto"
        ) from None
    return NativeFastPath
