"""Installs what ``make bench`` compares with, or says what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.system import COMPILER, Need, ensure

#: The benchmarks leave out what needs one of these; without the others there are none.
OPTIONAL = {"slowhttptest", "pebble"}
NEEDS = (
    *COMPILER,
    Need("nginx", "nginx-light"),
    Need("wrk", "wrk"),
    Need("slowhttptest", "slowhttptest"),
    Need("taskset", "util-linux"),
    Need("pebble", "pebble"),
)

if __name__ == "__main__":
    sys.exit(1 if set(ensure(NEEDS, "for the benchmarks")) - OPTIONAL else 0)
