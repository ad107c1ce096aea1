"""``bounded.py SECONDS COMMAND...``: a command that ends in time and leaves no process behind.

Whatever the command starts ends with it, also what has a session of its own or whose parent has gone: this
process is a subreaper, so that all of them stay its descendants (prctl(2)).  A line that begins with
:data:`MARK` says what went wrong:

* the command has not ended after SECONDS: it is sent SIGABRT, by which Python shows the stacks of its threads
  if PYTHONFAULTHANDLER is set, and the exit code is :data:`BROKE_OFF`;
* the command has ended, and left processes running: each is named.

Descendants that are left are sent SIGTERM and, when that is not enough, SIGKILL.  So are all when this
process itself is told to end, or its parent ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

MARK = "bounded: "
BROKE_OFF = 124
#: Seconds in which processes end by themselves once the command has ended, and after each signal.
GRACE = float(os.environ.get("TEST_GRACE", "5"))
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(arguments: list[str]) -> int:
    """The command's exit code, or :data:`BROKE_OFF`."""
    seconds, command = float(arguments[0]), arguments[1:]
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # An abort shows stacks; nobody reads the core.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    _on_stop(_stop)
    try:
        if os.getppid() != parent:
            return BROKE_OFF
        return _run(command, seconds)
    finally:
        _on_stop(signal.SIG_IGN)
        _end_all()


def _run(command: list[str], seconds: float) -> int:
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        _say(f"{command[0]} does not start: {error.strerror}")
        return 127
    code = _wait(process.pid, seconds)
    if code is None:
        _say(f"broke off: it has not ended after {seconds:g} seconds")
        os.kill(process.pid, signal.SIGABRT)
        _wait(process.pid, GRACE)
        return BROKE_OFF
    for pid in _left(GRACE):
        _say(f"left running: {pid} {_command_line(pid)}")
    return code


def _wait(child: int, seconds: float) -> int | None:
    """The exit code of *child*, negative for a signal; None if it has not ended in time."""
    until = time.monotonic() + seconds
    while True:
        ended = dict(_reap())
        if child in ended:
            return os.waitstatus_to_exitcode(ended[child])
        if time.monotonic() >= until:
            return None
        time.sleep(0.02)


def _reap() -> list[tuple[int, int]]:
    """(pid, status) of each child that has ended, those inherited from others among them."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended.append((pid, status))


def _left(seconds: float) -> list[int]:
    """The descendants that still run after *seconds* at most; none as soon as none is left."""
    until = time.monotonic() + seconds
    while True:
        _reap()
        running = _descendants()
        if not running or time.monotonic() >= until:
            return running
        time.sleep(0.02)


def _descendants() -> list[int]:
    """Ids of all processes below this one that have not ended."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name in parentheses may hold anything; state and parent follow it.
            state, parent = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state not in "ZX":
            children.setdefault(int(parent), []).append(int(folder.name))
    found = []
    new = [os.getpid()]
    while new:
        new = [child for pid in new for child in children.get(pid, ())]
        found += new
    return found


def _command_line(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return "(ended meanwhile)"
    return b" ".join(words).decode("utf-8", "replace")[:300]


def _end_all() -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        # Again and again: one that is about to end may have started another.
        until = time.monotonic() + GRACE
        while (running := _left(0)) and time.monotonic() < until:
            for pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(0.05)


def _on_stop(action: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, action)


def _stop(number: int, frame: FrameType | None) -> None:
    _say(f"broke off: {signal.Signals(number).name}")
    sys.exit(BROKE_OFF)


def _say(words: str) -> None:
    # Begins a line of its own: the command's last one may not be whole.
    os.write(1, f"\n{MARK}{words}\n".encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
