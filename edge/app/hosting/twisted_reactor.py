"""A reactor of Twisted on the loop of this process, for applications that import one.

Twisted itself is imported by nobody here before the application does it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_REACTOR = "twisted.internet.reactor"


class _OnTheLoop(MetaPathFinder, Loader):
    """Finds the reactor when it is imported first, and makes one on *loop*."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == _REACTOR else None

    def create_module(self, spec: ModuleSpec) -> Any:
        sys.meta_path.remove(self)
        from twisted.internet import asyncioreactor

        asyncioreactor.install(self._loop)
        return sys.modules[_REACTOR]

    def exec_module(self, module: Any) -> None:
        """The reactor is no module of code."""


def on(loop: asyncio.AbstractEventLoop) -> None:
    """Have the reactor that an application may import be on *loop*."""
    sys.meta_path.insert(0, _OnTheLoop(loop))


def get() -> Any:
    """The reactor of this process, made now if nobody has asked for one."""
    return import_module(_REACTOR)


def begin() -> None:
    """Start the reactor, if there is one; the loop runs."""
    reactor: Any = sys.modules.get(_REACTOR)
    if reactor is not None:
        reactor.startRunning(installSignalHandlers=False)


def end() -> None:
    """Have the reactor, if there is one, tell whoever wants to know that it ends."""
    reactor: Any = sys.modules.get(_REACTOR)
    if reactor is not None:
        reactor.fireSystemEvent("shutdown")
