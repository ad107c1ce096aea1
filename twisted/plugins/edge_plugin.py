"""Makes ``twistd edge`` known.  This folder must not get an ``__init__.py``: it is Twisted's package."""

from __future__ import annotations

from twisted.application.service import ServiceMaker

edge = ServiceMaker(
    "twistd edge",
    "edge.tap",
    "Serve a folder of files to very many clients: ETag table in shared memory, fast path in C.",
    "edge",
)
