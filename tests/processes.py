"""Processes of tests: none outlives this one, and none is waited for without a bound."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any

#: Seconds after which whatever is waited for counts as failed.
PATIENCE = float(os.environ.get("TEST_PATIENCE", "60"))
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """``subprocess.run`` that gives up, and kills it, after twice :data:`PATIENCE`."""
    return subprocess.run(command, **{"timeout": 2 * PATIENCE, "preexec_fn": die_with_parent, **options})


def start(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    """``subprocess.Popen`` of what ends at the latest with this process, however that ends."""
    return subprocess.Popen(command, **{"preexec_fn": die_with_parent, **options})


def join(*running: Thread | BaseProcess) -> None:
    """Wait until threads or processes of :mod:`multiprocessing` have ended; :exc:`AssertionError` if not."""
    until = time.monotonic() + 2 * PATIENCE
    for one in running:
        one.join(max(0.0, until - time.monotonic()))
        assert not one.is_alive(), f"{one.name} has not ended"


def first_line(process: subprocess.Popen[Any]) -> Any:
    """What *process* says first on its standard output; :exc:`AssertionError` if nothing."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    assert ready, "it has said nothing"
    return process.stdout.readline()


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send *number* when the *thread* that starts it ends: let that be the main one."""
    _libc.prctl(_PR_SET_PDEATHSIG, number)
