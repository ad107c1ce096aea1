"""Installs what ``make bench`` compares with, or says what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.system import ensure

PROGRAMS = {"nginx": "nginx-light", "wrk": "wrk", "slowhttptest": "slowhttptest", "cc": "gcc"}

if __name__ == "__main__":
    sys.exit(1 if set(ensure(PROGRAMS, "for the benchmarks")) - {"slowhttptest"} else 0)
