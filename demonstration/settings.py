"""What the environment says: where the data are, and the key of sessions.

::

    DEMONSTRATION_DATA      sqlite:FILE (default: sqlite:demonstration.sqlite), or postgresql://...
    DEMONSTRATION_CACHE     redis://HOST:PORT/N: a second level before the database; default: none
    DEMONSTRATION_KEY       the file with the keys of sessions; default: session.key, beside the data
    DEMONSTRATION_ORIGINS   further origins whose forms are taken, with spaces between them
    DEMONSTRATION_DEV       1: free-form GraphQL, and GraphiQL at /graphql
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """The configuration of one process."""

    data: str = "sqlite:demonstration.sqlite"
    cache: str = ""
    key: Path = Path("session.key")
    origins: tuple[str, ...] = ()
    development: bool = False


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """What *environment* says."""
    data = environment.get("DEMONSTRATION_DATA") or Settings.data
    beside = Path() if data.startswith(("postgresql:", "postgres:")) else _file(data).parent
    key = environment.get("DEMONSTRATION_KEY")
    return Settings(
        data,
        environment.get("DEMONSTRATION_CACHE", ""),
        Path(key) if key else beside / "session.key",
        tuple(environment.get("DEMONSTRATION_ORIGINS", "").split()),
        environment.get("DEMONSTRATION_DEV", "") not in ("", "0"),
    )


def _file(data: str) -> Path:
    return Path(data.removeprefix("sqlite:"))
