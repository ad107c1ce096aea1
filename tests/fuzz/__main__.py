"""``make fuzz``: coverage-guided fuzzing with atheris, one process for each target.

``python -m tests.fuzz [TARGET ...] [--seconds N]``; exit code 1 with the input that did it when a target
raised; the same input again: ``python -m tests.fuzz TARGET --input FILE``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import SEEDS, TARGETS


def main() -> int:
    """0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzzes what nodes send.")
    parser.add_argument("target", nargs="*", help=f"some of {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="for each target (default 60)")
    parser.add_argument("--input", type=Path, metavar="FILE", help="run the one target with this input only")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.target) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    names = options.target or list(TARGETS)
    if options.input is not None:
        if len(names) != 1:
            parser.error("--input needs exactly one target")
        TARGETS[names[0]](options.input.read_bytes())
        print(f"{names[0]}: nothing wrong with {options.input}")
        return 0
    if options.inside:
        return _fuzz(names[0], options.seconds)
    failed = [name for name in names if _run(name, options.seconds)]
    print(f"{len(names) - len(failed)} targets clean, {len(failed)} with findings")
    return 1 if failed else 0


def _run(name: str, seconds: int) -> int:
    print(f"{name}: {seconds} s", flush=True)
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds), "--inside"]
    return subprocess.run(command, check=False).returncode


def _fuzz(name: str, seconds: int) -> int:
    try:
        import atheris
    except ImportError:
        print("atheris is not installed: make fuzz does that (Python 3.11 to 3.13 on Linux)", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="edge-fuzz-") as folder:
        for number, seed in enumerate(SEEDS[name]):
            (Path(folder) / f"seed{number}").write_bytes(seed)
        atheris.instrument_all()
        atheris.Setup(
            ["fuzz", folder, f"-max_total_time={seconds}", "-max_len=4096", "-verbosity=0",
             "-print_final_stats=1", f"-artifact_prefix=fuzz-{name}-"],
            TARGETS[name],
        )  # fmt: skip
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
