"""Reactors for Twisted's suites: ours waiting with a fast path, which listens until the test is over."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from edge.fastpath.interface import FastPath, Settings
from edge.fastpath.native import NativeFastPath
from edge.fastpath.reactor import FastPathReactor
from edge.fastpath.twin import PythonFastPath
from edge.table.segment import Segment
from tests.fastpath import site


def _attached(test: Any, build: Callable[[Segment, int, Settings], FastPath]) -> FastPathReactor:
    segment = site.published()
    fast_path = build(segment, 0, Settings())
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    fast_path.listen(listener.fileno(), 7, True)
    reactor = FastPathReactor()
    fast_path.watch(reactor.fileno())
    reactor.wait_with(fast_path.run)

    def close() -> None:
        reactor.wait_with(None)
        fast_path.close()
        listener.close()
        segment.close()

    test.addCleanup(close)
    return reactor


def with_native(test: Any) -> FastPathReactor:
    """As in a worker."""
    return _attached(test, NativeFastPath)


def with_twin(test: Any) -> FastPathReactor:
    """As in a worker where there is no compiler."""
    return _attached(test, PythonFastPath)
