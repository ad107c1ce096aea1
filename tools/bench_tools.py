"""Installs what ``make bench`` compares with and drives, or says what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.system import BROWSER, COMPILER, NPM_CI, OPENSSL, Need, ensure

ROOT = Path(__file__).resolve().parents[1]
#: The benchmarks leave out what needs one of these; without the others there are none.
OPTIONAL = {"slowhttptest", "pebble", "git", "make", OPENSSL.what, "zlib.h"}
#: Without one of these, benchmarks in a browser stop with a sentence; the others run.
IN_BROWSERS = {need.what for need in BROWSER}
NEEDS = (
    *COMPILER,
    Need("nginx", "nginx-light"),
    Need("wrk", "wrk"),
    Need("slowhttptest", "slowhttptest"),
    Need("taskset", "util-linux"),
    Need("pebble", "pebble"),
    *BROWSER,
    # wrk2 is fetched and built (benchmarks/wrk2.py).
    Need("git", "git"),
    Need("make", "make"),
    OPENSSL,
    Need("zlib.h", "zlib1g-dev"),
)


def main() -> int:
    """0 when benchmarks can run."""
    missing = set(ensure(NEEDS, "for the benchmarks"))
    if not missing & IN_BROWSERS and not (ROOT / "node_modules").is_dir():
        subprocess.run(NPM_CI, cwd=ROOT, check=False)
    return 1 if missing - OPTIONAL - IN_BROWSERS else 0


if __name__ == "__main__":
    sys.exit(main())
