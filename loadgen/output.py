"""Output files, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from loadgen.errors import LoadgenError

STANDARD_OUTPUT = "-"


def write(path: str, text: str) -> None:
    """Write *text* to the file *path*, or to standard output if it is "-"; :exc:`LoadgenError`."""
    if path == STANDARD_OUTPUT:
        _print(text)
        return
    # What cannot be encoded (half a surrogate pair from JSON) must not cost the rest.
    data = text.encode("utf-8", "replace")
    file = Path(path)
    # Devices and pipes are written to, not replaced.
    target = file.with_name(file.name + ".new") if file.is_file() or not file.exists() else file
    try:
        target.write_bytes(data)
        if target != file:
            os.replace(target, file)
    except OSError as error:
        if target != file:
            with contextlib.suppress(OSError):
                target.unlink()
        raise LoadgenError(f"{path}: it cannot be written: {error.strerror}; give another file") from None


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not fail once more when the process ends.
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise LoadgenError(f"standard output: {error.strerror}") from None
