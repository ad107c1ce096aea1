"""What a closed loop is, and which build of it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from loadgen.errors import LoadgenError, UsageError

if TYPE_CHECKING:
    from loadgen.flood.figures import Figures


@dataclass(frozen=True)
class Load:
    """What is sent where."""

    host: str
    port: int
    #: One request; *pipeline* of them are sent at once.
    request: bytes
    connections: int
    pipeline: int = 1
    #: Of one answer; a longer one ends its connection.
    body_bytes: int = 64 << 20
    #: Number of the first connection; on loopback each comes from an address of its own.
    first: int = 0

    def share(self, number: int, count: int) -> Load:
        """The part of process *number* of *count*."""
        begin, end = (self.connections * edge // count for edge in (number, number + 1))
        return replace(self, connections=end - begin, first=self.first + begin)


class Loop(Protocol):
    """Connections that send again when they are answered."""

    def run(self, until: int, figures: Figures) -> None:
        """Until then (CLOCK_MONOTONIC, nanoseconds) or a while less; counts in *figures*."""

    def close(self) -> None:
        """Close all connections."""


def select(kind: str, load: Load) -> Loop:
    """A loop for *load*; *kind*: "auto" (native if it is built), "native" or "python"."""
    from loadgen.flood.python import PythonLoop

    if kind == "python":
        return PythonLoop(load)
    try:
        from loadgen.flood.native import NativeLoop
    except ImportError as error:
        if kind == "auto":
            return PythonLoop(load)
        raise UsageError(
            f"--wire native: this installation has no native build ({error}); "
            "install a C compiler and reinstall, or use --wire auto"
        ) from None
    try:
        return NativeLoop(load)
    except OSError as error:
        raise LoadgenError(f"{load.host}, port {load.port}: no connections: {error.strerror}") from None
