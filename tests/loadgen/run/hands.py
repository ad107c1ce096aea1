"""Processes of a run that do as a test says, and who looks on."""

from __future__ import annotations

from typing import Any

import msgspec

from loadgen.live import Totals
from loadgen.models.arrivals import Rate
from loadgen.results import Result, Second
from loadgen.run.frames import Frame
from loadgen.run.hands import Hand
from loadgen.run.job import Job
from loadgen.run.running import deal
from loadgen.run.scenario import Scenario
from tests.loadgen.run.samples import NODES, Published
from tests.loadgen.run.test_scenario import LEAST

SITE = Published().site()


def scenario(**given: Any) -> Scenario:
    """The least one, but for what is given."""
    return msgspec.structs.replace(msgspec.convert(LEAST, Scenario), **given)


def dealt(of: Scenario, hands: int, rate: Rate) -> list[Job]:
    """The jobs of so many processes."""
    return deal(of, hands, rate, SITE, NODES, "auto")


class ScriptedHand(Hand):
    """A process that does as a test says."""

    def __init__(self, name: str, words: str = "") -> None:
        super().__init__(name)
        self.told: list[Frame] = []
        self.words = words
        self.dismissed = 0

    def tell(self, frame: Frame) -> None:
        self.told.append(frame)

    def last_words(self) -> str:
        return self.words

    def dismiss(self) -> None:
        self.dismissed += 1

    def close(self) -> None:
        """Nothing is there to be closed."""


class ScriptedHands:
    """What they say, in order; then all of them end."""

    def __init__(
        self, *said: tuple[int, Frame | type[BaseException] | None], count: int = 2, words: str = ""
    ) -> None:
        self.all = [ScriptedHand(f"process {number}", words) for number in range(count)]
        self._said = iter(said)

    def __len__(self) -> int:
        return len(self.all)

    def receive(self, seconds: float) -> list[tuple[Hand, Frame | None]]:
        number, frame = next(self._said, (-1, None))
        if isinstance(frame, type):
            raise frame
        hands = self.all if number < 0 else [self.all[number]]
        found: list[tuple[Hand, Frame | None]] = [(hand, frame) for hand in hands if not hand.ended]
        if frame is None:
            for hand in hands:
                hand.ended = True
        return found

    def dismiss(self) -> None:
        for hand in self.all:
            hand.dismiss()


class Watching:
    """A view that remembers."""

    def __init__(self) -> None:
        self.seconds: list[Second] = []

    def update(self, second: Second, totals: Totals) -> None:
        self.seconds.append(second)

    def close(self, result: Result | None) -> None:
        """Nothing is shown."""
