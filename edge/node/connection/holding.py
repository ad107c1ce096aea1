"""What one connection holds of the pools of its process, in the name of its address: :mod:`edge.shares`."""

from __future__ import annotations

import io
import os
import tempfile
from typing import TYPE_CHECKING

from edge.http.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.node.connection.context import ConnectionContext


class HeldFile(io.FileIO):
    """An open file that is in the pools, with the bytes written to it, until somebody closes it."""

    def __init__(self, file: str | int, mode: str, context: ConnectionContext, network: bytes) -> None:
        super().__init__(file, mode)
        self._context: ConnectionContext | None = context
        self._network = network
        self._written = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write as :class:`io.FileIO` does; :exc:`ServiceUnavailable` if that is more than the share."""
        context = self._context
        if context is not None and not context.pools.spooled.take(self._network, len(data)):
            context.count("refused_share")
            raise ServiceUnavailable("Too much of long bodies of this client is on its way.")
        self._written += len(data)
        return super().write(data)

    def close(self) -> None:
        """Close the file, and give back what it held, once."""
        context, self._context = getattr(self, "_context", None), None
        super().close()
        if context is not None:
            context.pools.spooled.give(self._network, self._written)
            context.pools.files.give(self._network)


class Holding:
    """Bytes of buffers, files and the handshake of one connection whose address is *network*."""

    __slots__ = ("_apart", "_buffered", "_context", "_handshake", "network")

    def __init__(self, context: ConnectionContext, network: bytes) -> None:
        self._context = context
        self.network = network
        self._apart = self._buffered = 0
        self._handshake = False

    def keep(self, count: int) -> bool:
        """From now on it has *count* bytes in buffers; false: over the share, and nothing changes."""
        if not self._may_have(count - self._buffered):
            return False
        self._buffered = count
        return True

    def keep_apart(self, count: int) -> bool:
        """The same of what somebody else keeps of what its client has said."""
        if not self._may_have(count - self._apart):
            return False
        self._apart = count
        return True

    def _may_have(self, more: int) -> bool:
        buffers = self._context.pools.buffers
        if more > 0 and not buffers.take(self.network, more):
            self._context.count("refused_share")
            return False
        if more < 0:
            buffers.give(self.network, -more)
        return True

    def open(self, path: str) -> HeldFile:
        """The file of *path*, to be read.

        :raises ServiceUnavailable: that is a file more than the share.
        :raises OSError: it cannot be opened.
        """
        return self._held(lambda: path, "rb")

    def temporary(self) -> HeldFile:
        """A file without a name, to be written and read; raises as :meth:`open`."""
        return self._held(_nameless, "r+b")

    def _held(self, made: Callable[[], str | int], mode: str) -> HeldFile:
        context, network = self._context, self.network
        if not context.pools.files.take(network):
            context.count("refused_share")
            raise ServiceUnavailable("Too many long bodies of this client are on their way.")
        try:
            return HeldFile(made(), mode, context, network)
        except OSError:
            context.pools.files.give(network)
            raise

    def begin_handshake(self) -> bool:
        """Its TLS handshake begins; false: that is one more than the share."""
        self._handshake = self._context.pools.handshakes.take(self.network)
        if not self._handshake:
            self._context.count("refused_share")
        return self._handshake

    def end_handshake(self) -> None:
        """Its TLS handshake is over, one way or the other."""
        if self._handshake:
            self._handshake = False
            self._context.pools.handshakes.give(self.network)

    def release(self) -> None:
        """It holds nothing any more, but files until they are closed."""
        self.end_handshake()
        self.keep(0)
        self.keep_apart(0)


def _nameless() -> int:
    descriptor, name = tempfile.mkstemp(prefix="edge-body-")
    os.unlink(name)
    return descriptor
