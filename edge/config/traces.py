"""Whether requests can be traced as they are configured to be: for ``--check``, and at the start."""

from __future__ import annotations

import importlib.util

#: What the extra ``traces`` brings: looked for, and imported by the exporter alone.
_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def sdk_missing() -> str:
    """A sentence if what traces need is not installed; "": it is."""
    for name in _PACKAGES:
        try:
            found = importlib.util.find_spec(name)
        except ImportError:
            found = None
        if found is None:
            return f"--traces: {name} is not installed; it comes with pip install 'twistd-edge[traces]'"
    return ""
