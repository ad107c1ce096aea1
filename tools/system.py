"""Programs that do not come from PyPI: installed with apt-get where we may, asked for where not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def ensure(packages: dict[str, str], why: str) -> list[str]:
    """Makes sure that programs exist; *packages*: program -> Debian package.

    Installs what is missing when this is a Debian machine and we are root.  Returns the programs that
    are still missing, having said how to get them.
    """
    missing = {program: package for program, package in packages.items() if not _find(program)}
    if not missing:
        return []
    names = sorted(set(missing.values()))
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {', '.join(names)} ({why})", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment, stdout=subprocess.DEVNULL, check=False)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )
    still = [program for program in missing if not _find(program)]
    if still:
        wanted = " ".join(sorted({missing[program] for program in still}))
        print(f"missing: {', '.join(still)} ({why}); install with: apt-get install {wanted}", file=sys.stderr)
    return still


def _find(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
