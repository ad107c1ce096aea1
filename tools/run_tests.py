"""``make test``: sets up, runs everything, and ends with one line ``N passed, N failed``.

Each of lint, format and types counts as one test; trial's and the native tests count one by one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.system import ensure

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".venv" / "bin"


def _run(title: str, command: list[str], **environment: str) -> tuple[int, str]:
    """Runs a command, showing its output; (exit code, output)."""
    print(f"--- {title}: {' '.join(command)}", flush=True)
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        sys.stdout.write(line)
        lines.append(line)
    sys.stdout.flush()
    return process.wait(), "".join(lines)


def _simple(title: str, command: list[str]) -> tuple[int, int]:
    code, _ = _run(title, command)
    return (1, 0) if code == 0 else (0, 1)


def _native() -> tuple[int, int]:
    code, output = _run(
        "native tests under ASan and UBSan", ["make", "--no-print-directory", "-C", "tests/native", "test"]
    )
    passed = len(re.findall(r"^ok - ", output, re.MULTILINE))
    failed = len(re.findall(r"^not ok - ", output, re.MULTILINE))
    return passed, failed or int(code != 0 or not passed)


def _trial() -> tuple[int, int]:
    command = [str(BIN / "python"), "-m", "twisted.trial", "--temp-directory=_trial_temp", "tests"]
    code, output = _run("trial", command, PYTHONWARNINGS="default")
    summary = re.findall(r"^(?:PASSED|FAILED) \((.*)\)$", output, re.MULTILINE)
    counts = dict(re.findall(r"(\w+)=(\d+)", summary[-1])) if summary else {}
    passed = int(counts.get("successes", 0))
    failed = sum(int(counts.get(name, 0)) for name in ("failures", "errors", "unexpectedSuccesses"))
    return passed, failed or int(code != 0 or not passed)


def main() -> int:
    """0 when nothing failed."""
    ensure({"make": "make", "gcc": "gcc", "curl": "curl"}, "for the tests")
    code, _ = _run(
        "environment",
        ["make", "--no-print-directory", f"PYTHON={sys.executable}", "venv"],
        EDGE_REQUIRE_NATIVE="1",
    )
    if code:
        print("0 passed, 1 failed")
        return 1
    results = [
        _simple("lint", [str(BIN / "ruff"), "check", "."]),
        _simple("format", [str(BIN / "ruff"), "format", "--check", "."]),
        _simple("types", [str(BIN / "mypy")]),
        _native(),
        _trial(),
    ]
    passed, failed = (sum(column) for column in zip(*results, strict=True))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
