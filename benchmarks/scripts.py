"""Programs of Node.js, most of which measure in a browser: run, and what they print read."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def output_of(*arguments: str, **environment: str) -> str:
    """What ``node`` prints, and what it complains of behind that; *environment*: more variables."""
    done = subprocess.run(
        ["node", *arguments], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def result_of(script: str, *arguments: str, **environment: str) -> dict[str, Any]:
    """The last line of JSON that *script* prints; SystemExit with what it says if there is none."""
    text = output_of(script, *arguments, **environment)
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"{script}: {text[-2000:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
