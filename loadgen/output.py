"""What a command writes: files, whole or not at all, and standard output.

Who reads standard output may have seen enough and go (``| head``): then a run goes on, saves its result, and
ends with the exit code of its verdict.  So it does on a full disk, which is an error, told at the end.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from loadgen.errors import LoadgenError

STANDARD_OUTPUT = "-"


def printable(text: str) -> str:
    """*text*, parts of which a stranger may have said, without what a terminal would do something for."""
    return "".join(
        one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode("ascii")
        for one in text
    )


def write(path: str, text: str) -> None:
    """Write *text* to the file *path*, or to standard output if it is "-"; :exc:`LoadgenError`."""
    if path == STANDARD_OUTPUT:
        sys.stdout.write(text)
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


class _Output(io.RawIOBase):
    """A file to which writing never fails: what it does not take is dropped, and the first error is kept."""

    def __init__(self, file: io.FileIO) -> None:
        super().__init__()
        self._file = file
        self.error: OSError | None = None

    # ---- RawIOBase's overrides ----

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()

    def write(self, data: bytes, /) -> int | None:  # type: ignore[override]
        if self.error is None:
            try:
                return self._file.write(data)
            except OSError as error:
                self.error = error
        return len(data)


@contextlib.contextmanager
def standard_output() -> Iterator[None]:
    """In it, what is written to standard output never raises; :exc:`LoadgenError` at its end.

    A reader that has gone is no error.
    """
    before = sys.stdout
    buffer = getattr(before, "buffer", None)
    file = getattr(buffer, "raw", buffer)  # PYTHONUNBUFFERED leaves out the one between
    if not isinstance(before, io.TextIOWrapper) or not isinstance(file, io.FileIO):  # in memory
        yield
        return
    before.flush()
    output = _Output(file)
    sys.stdout = io.TextIOWrapper(
        output if buffer is file else io.BufferedWriter(output),
        before.encoding, before.errors, line_buffering=before.line_buffering,
        write_through=before.write_through,
    )  # fmt: skip
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = before
    if output.error is not None and not isinstance(output.error, BrokenPipeError):
        raise LoadgenError(f"standard output: it cannot be written: {output.error.strerror}")
