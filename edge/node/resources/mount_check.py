"""Whether mounts can be opened, tried in a process of its own: ``python -m edge.node.resources.mount_check``.

Opening a mount runs the application, which may do anything, and imports modules as they are now: in a process
that has imported them before, a module that was broken since would still work.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from edge.errors import ConfigError
from edge.node.resources.mounts import open_mount, parse_mount

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds that an application may take to open.
PATIENCE = 30.0


def mount_problems(mounts: Sequence[str]) -> list[str]:
    """Why some of *mounts* cannot be opened, a sentence each; blocks."""
    if not mounts:
        return []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        tried = subprocess.run(
            [sys.executable, "-m", __spec__.name if __spec__ else __name__, *mounts],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"mount {', '.join(mounts)}: cannot be opened within {PATIENCE:g} s"]
    except OSError as error:
        return [f"mounts cannot be tried: {error.strerror}"]
    lines = tried.stdout.splitlines()
    problems = [line.removeprefix(_MARK) for line in lines if line.startswith(_MARK)]
    if tried.returncode and not problems:
        last = (tried.stderr.strip().splitlines() or ["it said nothing"])[-1]
        problems = [f"mount {', '.join(mounts)}: the process that opened them ended: {last}"]
    return problems


#: Before a sentence of ours: applications print, too.
_MARK = "mount-problem: "


def main(mounts: Sequence[str]) -> int:
    """Open *mounts*, and print why that is impossible; the exit code."""
    failed = False
    for text in mounts:
        try:
            open_mount(parse_mount(text))
        except ConfigError as error:
            failed = True
            print(_MARK + " ".join(str(error).splitlines()), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
