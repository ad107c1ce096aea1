"""The program of an application's process: ``PYTHON .../edge/app/hosting/start.py SPECIFICATION``.

The interpreter may be any Python from 3.10 on, with or without this project installed: ``edge`` is put
together here from the node's own files, and nothing else of the node's environment can be imported.
"""

import contextlib
import os
import signal
import sys

#: Programs of this process gain no privileges by executing files (prctl(2)).
PR_SET_NO_NEW_PRIVS = 38


def main() -> int:
    """Run the application, which ends the process; the exit code, if this is no Python for it."""
    if sys.version_info < (3, 10):  # noqa: UP036 - it is not our interpreter
        print(f"this is Python {sys.version.split()[0]}; an application needs 3.10 or newer", file=sys.stderr)
        return 1
    here = os.path.abspath(__file__)
    hosting = os.path.dirname(here)
    # What is executed lies in our folder, which has no business in the search path of the application.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != hosting]
    make_importable(os.path.dirname(os.path.dirname(hosting)))
    stand_alone()
    from edge.app.hosting.process import run

    return run(sys.argv[1])


def make_importable(folder: str) -> None:
    """Have ``import edge.app`` find it in *folder*, whatever else is called edge."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(
        "edge", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["edge"] = module
    spec.loader.exec_module(module)


def stand_alone() -> None:
    """Lead a group of processes of its own, with signals as usual, and gain no privileges any more."""
    with contextlib.suppress(OSError):  # it leads one already
        os.setsid()
    # The supervisor ignores most signals, and holds all back while it starts this: an application need not.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGINT}:
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with contextlib.suppress(ImportError, OSError, AttributeError):  # an interpreter without ctypes
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
