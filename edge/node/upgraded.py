"""What a connection becomes after 101 Switching Protocols (RFC 9110 section 7.8)."""

from __future__ import annotations

from typing import Any, Protocol


class Upgraded(Protocol):
    """Who takes a connection over."""

    def connected(self, transport: Any) -> None:
        """The connection is yours."""

    def received(self, data: bytes) -> None:
        """The peer sent *data*."""

    def drain(self) -> None:
        """The server is about to stop."""

    def lost(self) -> None:
        """The connection is gone."""
