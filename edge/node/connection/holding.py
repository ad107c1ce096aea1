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
    """An open file that is in a pool until it is closed, whoever closes it."""

    def __init__(self, file: str | int, mode: str, give_back: Callable[[], None]) -> None:
        super().__init__(file, mode)
        self._give_back: Callable[[], None] | None = give_back

    def close(self) -> None:
        """Close the file, and give its place back, once."""
        give_back, self._give_back = getattr(self, "_give_back", None), None
        super().close()
        if give_back is not None:
            give_back()


class Holding:
    """Bytes of buffers, files and the handshake of one connection whose address is *network*."""

    __slots__ = ("_buffered", "_context", "_handshake", "_network")

    def __init__(self, context: ConnectionContext, network: bytes) -> None:
        self._context = context
        self._network = network
        self._buffered = 0
        self._handshake = False

    def keep(self, count: int) -> bool:
        """From now on it has *count* bytes in buffers; false: over the share, and nothing changes."""
        more = count - self._buffered
        buffers = self._context.pools.buffers
        if more > 0 and not buffers.take(self._network, more):
            self._context.count("refused_share")
            return False
        if more < 0:
            buffers.give(self._network, -more)
        self._buffered = count
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
        files, network = self._context.pools.files, self._network
        if not files.take(network):
            self._context.count("refused_share")
            raise ServiceUnavailable("Too many long bodies of this client are on their way.")
        try:
            return HeldFile(made(), mode, lambda: files.give(network))
        except OSError:
            files.give(network)
            raise

    def begin_handshake(self) -> bool:
        """Its TLS handshake begins; false: that is one more than the share."""
        self._handshake = self._context.pools.handshakes.take(self._network)
        if not self._handshake:
            self._context.count("refused_share")
        return self._handshake

    def end_handshake(self) -> None:
        """Its TLS handshake is over, one way or the other."""
        if self._handshake:
            self._handshake = False
            self._context.pools.handshakes.give(self._network)

    def release(self) -> None:
        """It holds nothing any more, but files until they are closed."""
        self.end_handshake()
        self.keep(0)


def _nameless() -> int:
    descriptor, name = tempfile.mkstemp(prefix="edge-body-")
    os.unlink(name)
    return descriptor
