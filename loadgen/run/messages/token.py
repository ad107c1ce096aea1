"""The token that ``loadgen worker`` and who uses it share: a file, so that no process list shows it."""

from __future__ import annotations

import os
from pathlib import Path

from loadgen.errors import UsageError

#: Where it is taken from without --token-file.
VARIABLE = "LOADGEN_TOKEN"
_LEAST = 16


def read_token(file: Path | None) -> bytes:
    """The token in *file*, or in the environment; :exc:`UsageError`."""
    if file is not None:
        try:
            token = file.read_bytes().strip()
        except OSError as error:
            raise UsageError(f"--token-file {file}: {error.strerror}") from None
        where = f"--token-file {file}"
    else:
        token, where = os.fsencode(os.environ.get(VARIABLE, "")).strip(), f"the variable {VARIABLE}"
    if len(token) < _LEAST:
        raise UsageError(
            f"{where}: a token of {_LEAST} bytes or more is needed; openssl rand -hex 32 > FILE makes one, "
            "the same on all machines"
        )
    return token
