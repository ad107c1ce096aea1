"""State machines whose transitions are a table: written once, looked up, and printed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)


class ImpossibleEvent(ValueError):
    """An event that the present state does not know: a mistake of the caller."""


class StateMachine(Generic[S, E]):
    """A state that events change as *transitions* say; it begins with *state*."""

    def __init__(self, transitions: Mapping[tuple[S, E], S], state: S) -> None:
        self.state = state
        self._transitions = transitions

    def knows(self, event: E) -> bool:
        """Whether *event* can happen in the present state."""
        return (self.state, event) in self._transitions

    def happens(self, event: E) -> None:
        """Go on to the next state; :exc:`ImpossibleEvent` if there is none."""
        after = self._transitions.get((self.state, event))
        if after is None:
            raise ImpossibleEvent(f"{event.value!r} cannot happen when {self.state.value}")
        self.state = after


def describe(transitions: Mapping[tuple[S, E], S]) -> str:
    """*transitions*, a line each: ``state --event--> state``."""
    return "\n".join(
        f"{before.value} --{event.value}--> {after.value}" for (before, event), after in transitions.items()
    )
