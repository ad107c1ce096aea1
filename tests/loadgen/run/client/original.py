"""Runs the smart client's own code in node: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests import processes


def run(script: str, lines: Iterable[bytes]) -> list[Any]:
    """What the *script* beside this file says to each of the *lines*."""
    node = shutil.which("node")
    if node is None:
        raise AssertionError("the smart client runs in node, which is not installed (apt-get install nodejs)")
    command = [node, str(Path(__file__).with_name(script))]
    given = b"".join(line + b"\n" for line in lines)
    done = processes.run(command, input=given, capture_output=True, timeout=120, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return [json.loads(line) for line in done.stdout.splitlines()]
