"""What closed loops have counted; several add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from loadgen.histogram import Histogram


@dataclass
class Figures:
    """Of one run, or of several at once."""

    seconds: float = 0.0
    #: CPU of the generator, all processes.
    cpu_seconds: float = 0.0
    #: Answers by status; connections that failed, by reason.
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    #: From sending a batch to its last answer.
    latency: Histogram = field(default_factory=Histogram)
    interrupted: bool = False

    @property
    def requests(self) -> int:
        """Answers received."""
        return self.statuses.total()

    def record(self, microseconds: NDArray[np.int64]) -> None:
        """Latencies of batches."""
        self.latency.record(microseconds)

    def add(self, other: Figures) -> None:
        """What ran beside it."""
        self.seconds = max(self.seconds, other.seconds)
        self.cpu_seconds += other.cpu_seconds
        self.statuses += other.statuses
        self.errors += other.errors
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.latency.add(other.latency)
        self.interrupted |= other.interrupted

    def __getstate__(self) -> dict[str, object]:
        """Histograms travel between processes as text."""
        return {**self.__dict__, "latency": self.latency.encode()}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.latency = Histogram.decode(str(state["latency"]))

    def summary(self) -> dict[str, object]:
        """For people and for --json."""
        shares = (50, 90, 99, 99.9, 100)
        latencies = self.latency.percentiles(shares)
        return {
            "requests": self.requests,
            "seconds": round(self.seconds, 3),
            "requests_per_second": round(self.requests / (self.seconds or 1.0), 1),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "batch_latency_ms": {
                f"p{share:g}": value / 1e3 for share, value in zip(shares, latencies, strict=True)
            },
            "client_cpu_us_per_request": round(self.cpu_seconds / max(1, self.requests) * 1e6, 3),
            "errors": dict(self.errors),
            "interrupted": self.interrupted,
        }
