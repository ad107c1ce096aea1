"""A copy of the data, whole and of one moment, made while they are used."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from demonstration.data.sqlite import in_words
from demonstration.data.store import StoreError


def backup(where: str, target: Path) -> int:
    """Copy the data at *where* to *target*; its size.  What was there stays until the new one is whole."""
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        if where.startswith(("postgresql://", "postgres://")):
            _dump(where, unfinished)
        else:
            _copy(Path(where.removeprefix("sqlite:")), unfinished)
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(unfinished, target)
        return target.stat().st_size
    except OSError as error:
        raise StoreError(f"{target}: it cannot be written: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _copy(file: Path, target: Path) -> None:
    if not file.exists():
        raise StoreError(f"{file}: there are no data; DEMONSTRATION_DATA says where they are")
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with in_words(file), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as source:
        source.execute("PRAGMA schema_version")
        with closing(sqlite3.connect(target)) as copy, in_words(target):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without others beside it
            found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise StoreError(f"{file}: it is damaged, the copy was thrown away: {found}")


def _dump(url: str, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise StoreError("pg_dump is missing; on Debian: apt-get install postgresql-client")
    command = [program, "--format=custom", f"--file={target}", f"--dbname={url}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise StoreError(lines[0] if lines else f"pg_dump ended with code {done.returncode}")
