"""Whether a collector takes spans, tried now: for ``--check`` and ``edgectl check``.

In a process of its own, ``python -m edge.node.exporter.trying URL``, as the exporter does it: what a
collector does to it, it does to nobody else.  A batch without spans is sent.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from edge.config.traces import sdk_missing
from edge.errors import ConfigError, plain
from edge.node.process.imports import own_environment

if TYPE_CHECKING:
    from edge.config import Config

#: Seconds that a collector may take to answer, and the process to say so.
ANSWER_SECONDS, PATIENCE = 5.0, 20.0


def trace_problems(config: Config) -> list[str]:
    """Why the collector of *config* does not take spans, a sentence; blocks."""
    if config.traces is None or sdk_missing():  # which is a mistake of its own: edge.config.check
        return []
    try:
        tried = subprocess.run(
            [sys.executable, "-m", "edge.node.exporter.trying", config.traces],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=own_environment(),
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"--traces {config.traces}: it does not answer within {PATIENCE:g} s"]
    except OSError as error:
        return [f"--traces {config.traces}: it cannot be tried: {error.strerror}"]
    if not tried.returncode:
        return []
    lines = (tried.stdout or tried.stderr).decode("utf-8", "replace").strip().splitlines()
    return [f"--traces {config.traces}: {plain(lines[-1]) if lines else 'it cannot be tried'}"]


def main() -> int:
    """0: the collector at the address in the first argument takes spans; else the reason is printed."""
    from edge.node.exporter.collector import OtlpCollector, require_sdk

    try:
        require_sdk()
    except ConfigError as error:
        print(str(error).removeprefix("--traces: "))
        return 1
    why = OtlpCollector(sys.argv[1], {}).send([], ANSWER_SECONDS).why
    if why:
        print(f"{why}; is a collector running there, and does it take OTLP over HTTP?")
    return bool(why)


if __name__ == "__main__":
    sys.exit(main())
