"""What the nodes' shared caches made of the requests of a run, from the metrics of their admin sockets."""

from __future__ import annotations

import http.client
import re
import socket
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from loadgen.errors import UsageError

_TIMEOUT_S = 5.0
_SHARED = re.compile(rb'^edge_shared_answers_total\{.*\bresult="(\w+)".*\} (\S+)$', re.MULTILINE)
#: Counted by virtual users: copies of applications' answers that a batch has confirmed.
CONFIRMED = "confirmed_answers"


class SharedAnswers:
    """The nodes whose state directories are *folders*; what they have counted before counts for nothing."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._sockets = [folder / "admin.sock" for folder in folders]
        self._before = self._read()

    def counts(self) -> dict[str, int]:
        """What became of requests for applications since then: ``shared_hit``, ``shared_filled`` ..."""
        now = self._read()
        return {f"shared_{kind}": now[kind] - self._before[kind] for kind in sorted(now)}

    def _read(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        for path in self._sockets:
            try:
                text = _metrics(path)
            except (OSError, http.client.HTTPException) as error:
                why = getattr(error, "strerror", None) or str(error) or type(error).__name__
                raise UsageError(
                    f"--state {path.parent}: no metrics from {path}: {why}; name the state directory of a "
                    "node that runs here, as a user who may read it"
                ) from None
            for kind, value in _SHARED.findall(text):
                counted[kind.decode("ascii")] += int(float(value))
        return counted


def table_share(counts: dict[str, int], mutations: int = 0) -> float:
    """The share of the reading requests for applications that the nodes' tables answered; 0: there were none.

    Copies that were confirmed in batches are reads as well.  *mutations*: requests that change something;
    they pass by design, and are not counted.
    """
    hits = sum(counts.get(name, 0) for name in ("shared_hit", "shared_stale", CONFIRMED))
    asked = sum(counts.get(f"shared_{kind}", 0) for kind in ("filled", "coalesced"))
    passed = max(0, counts.get("shared_passed", 0) - mutations)
    return hits / (hits + asked + passed) if hits else 0.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


def _metrics(path: Path) -> bytes:
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/.edge/metrics")
        return connection.getresponse().read()
    finally:
        connection.close()
