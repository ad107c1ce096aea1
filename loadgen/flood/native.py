"""The closed loop in C: ``loadgen/wire/src/edge_flood.c``."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from edge.fastpath import _native
from loadgen.flood.figures import Figures
from loadgen.flood.loop import Load
from loadgen.wire.interface import ERRORS

ffi: Any = _native.ffi
lib: Any = _native.lib


class NativeLoop:
    """See the interface."""

    def __init__(self, load: Load) -> None:
        batch = load.request * load.pipeline
        shape = ffi.new("edge_flood_shape *", (load.connections, load.pipeline, load.first, load.body_bytes))
        head_only = load.request.startswith(b"HEAD ")
        loop = lib.edge_flood_new(load.host.encode("ascii"), load.port, shape, batch, len(batch), head_only)
        if loop == ffi.NULL:
            raise OSError(ffi.errno, os.strerror(ffi.errno))
        self._loop = loop
        counted = lib.edge_flood_look(loop)
        self._counted = counted
        self._statuses = np.frombuffer(ffi.buffer(counted.statuses), np.uint64)
        self._errors = np.frombuffer(ffi.buffer(counted.errors), np.uint64)
        self._latencies = np.frombuffer(ffi.buffer(counted.latencies), np.uint32)

    def run(self, until: int, figures: Figures) -> None:
        """See the interface."""
        try:
            lib.edge_flood_run(self._loop, until)
        finally:  # Ctrl-C ends it, too
            self._take(figures)

    def _take(self, figures: Figures) -> None:
        counted = self._counted
        for status in self._statuses.nonzero()[0]:
            figures.statuses[int(status)] += int(self._statuses[status])
        for error in self._errors.nonzero()[0]:
            figures.errors[ERRORS[error]] += int(self._errors[error])
        figures.bytes_in += counted.bytes_in
        figures.bytes_out += counted.bytes_out
        figures.record(self._latencies[: counted.latency_count].astype(np.int64))
        self._statuses[:] = self._errors[:] = 0
        counted.bytes_in = counted.bytes_out = counted.latency_count = 0

    def close(self) -> None:
        """See the interface."""
        if self._loop is not None:
            lib.edge_flood_free(self._loop)
            self._loop = None
