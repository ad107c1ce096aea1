"""What one connection on the Twisted side may take, in seconds and bytes."""

from __future__ import annotations

from dataclasses import dataclass

#: A body has to bring this many bytes per ``body_seconds``.
BODY_PROGRESS = 1024


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """Bounds of one connection on the Twisted side; the same as the fast path's where it has them."""

    #: From the first byte of a head to its last; further bytes do not extend it.
    head_seconds: float = 10.0
    #: Between two requests.
    idle_seconds: float = 75.0
    #: For each :data:`BODY_PROGRESS` bytes of a body.
    body_seconds: float = 30.0
    #: An answer of which the peer takes nothing.
    write_seconds: float = 30.0
    #: Longest request body; a longer one is refused before it is read.
    body_bytes: int = 1024 * 1024
