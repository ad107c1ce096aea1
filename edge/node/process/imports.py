"""How a process that is started imports this very edge package."""

from __future__ import annotations

import os

import edge


def own_environment() -> dict[str, str]:
    """The environment for it; what it prints comes at once."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(edge.__file__)))
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
