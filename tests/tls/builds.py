"""The builds of the record layer that this installation has: name -> what adopts a state."""

from __future__ import annotations

from collections.abc import Callable

from edge.tls.interface import RecordLayer
from edge.tls.twin import PythonRecordLayer

BUILDS: dict[str, Callable[..., RecordLayer]] = {"python": PythonRecordLayer}
