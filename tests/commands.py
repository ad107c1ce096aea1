"""Running a command line's ``main`` within the test's process."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable


def run_command(main: Callable[[list[str]], int], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(list(arguments))
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue(), err.getvalue()
