"""How a process that is started imports this very edge package."""

from __future__ import annotations

import os

import edge


def import_path() -> str:
    """PYTHONPATH for it."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(edge.__file__)))
    return os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
