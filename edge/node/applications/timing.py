"""What an answer took, for who asks with ``Edge-Timing``: the field Server-Timing (W3C Server Timing)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.node.applications.origin import Question


class Timing:
    """The clock of one request, from its head on."""

    __slots__ = ("_clock", "_since")

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._since = clock.seconds()

    def field(self, question: Question, name: str) -> tuple[bytes, bytes]:
        """Of an answer of application *name* whose head is here now: milliseconds in all, and of what."""
        now = self._clock.seconds()
        parts = [f"total;dur={(now - self._since) * 1000:.1f}"]
        if question.asked_at is not None:
            parts.append(f"queue;dur={(question.asked_at - self._since) * 1000:.1f}")
            parts.append(f'app;dur={(now - question.asked_at) * 1000:.1f};desc="{name}"')
        return b"Server-Timing", ", ".join(parts).encode("ascii")
