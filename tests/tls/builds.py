"""The builds of the record layer that this installation has: name -> what adopts a state."""

from __future__ import annotations

from collections.abc import Callable

from edge.tls.interface import RecordLayer
from edge.tls.native import NativeTls
from edge.tls.twin import PythonRecordLayer

#: One for all tests of a process, as in a worker.
NATIVE = NativeTls(1 << 16)

BUILDS: dict[str, Callable[..., RecordLayer]] = {"python": PythonRecordLayer, "native": NATIVE.record_layer}
