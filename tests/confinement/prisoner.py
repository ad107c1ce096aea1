"""A process that is confined as a worker is, and then tries what somebody who has taken it over would.

``python -m tests.confinement.prisoner JSON`` prints what came of each attempt as a line of JSON, the name of
the error or "done", and waits for the end of its standard input.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import msgspec

from edge.confinement.confine import Confinement, confine


def _attempt(what: Callable[[], object]) -> str:
    try:
        what()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except ImportError as error:  # the interpreter may lie where nobody else can read it
        return str(error)
    return "done"


def _system_call(number: int, argument: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, argument, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "")


def _start_thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join(20)


def main() -> None:
    """Be confined, try everything, and tell."""
    told = json.loads(sys.argv[1])
    wanted = msgspec.convert(told["confinement"], Confinement)
    accepted, other = socket.socketpair()
    confined = confine(wanted)
    attempts = {
        "read a secret": lambda: open(told["secret"]).close(),
        "list a secret folder": lambda: os.listdir(os.path.dirname(told["secret"])),
        "read what it may": lambda: open(told["readable"]).close(),
        "write what it may read": lambda: open(told["readable"], "a").close(),
        "write a temporary file": lambda: open(told["writable"], "w").close(),
        "import a module": lambda: __import__("xml.dom.minidom"),
        "execute": lambda: subprocess.run(["/bin/true"], check=True, timeout=20),
        "fork": lambda: os.fork() or os._exit(0),
        "start a thread": _start_thread,
        "open a socket": lambda: socket.socket().close(),
        "talk on an accepted connection": lambda: (accepted.send(b"x"), other.recv(1)),
        "become root": lambda: os.setresuid(0, 0, 0),
        "signal its parent": lambda: os.kill(os.getppid(), signal.SIGCONT),
        "trace": lambda: _system_call(101, 0xFFF),  # no such request: EIO, if it may ask at all
        "bpf": lambda: _system_call(321),
        "io_uring": lambda: _system_call(425),
        "new namespace": lambda: _system_call(272),
    }
    told = {name: _attempt(what) for name, what in attempts.items()}
    print(json.dumps({"confined": msgspec.to_builtins(confined), "attempts": told}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
