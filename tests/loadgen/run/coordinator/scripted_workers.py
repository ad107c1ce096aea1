"""Processes of a run that do as a test says, and who looks on."""

from __future__ import annotations

from typing import Any

import msgspec

from loadgen.live import Totals
from loadgen.models.arrivals import Rate
from loadgen.results import Result, Second
from loadgen.run.coordinator.dealing import deal
from loadgen.run.coordinator.worker_pool import WorkerProcess
from loadgen.run.messages.job import Job
from loadgen.run.messages.protocol import Message
from loadgen.run.messages.scenario import Scenario
from tests.loadgen.run.coordinator.test_scenario_file import LEAST
from tests.loadgen.run.samples import NODES, Published

SITE = Published().site()


def scenario(**given: Any) -> Scenario:
    """The least one, but for what is given."""
    return msgspec.structs.replace(msgspec.convert(LEAST, Scenario), **given)


def dealt(of: Scenario, workers: int, rate: Rate) -> list[Job]:
    """The jobs of so many processes."""
    return deal(Job(scenario=of, site=SITE, nodes=list(NODES), seed=of.seed), workers, rate)


class ScriptedWorker(WorkerProcess):
    """A process that does as a test says."""

    def __init__(self, name: str, words: str = "") -> None:
        super().__init__(name)
        self.told: list[Message] = []
        self.words = words
        self.dismissed = 0

    def tell(self, message: Message) -> None:
        self.told.append(message)

    def last_words(self) -> str:
        return self.words

    def dismiss(self) -> None:
        self.dismissed += 1

    def close(self) -> None:
        """Nothing is there to be closed."""


class ScriptedPool:
    """What they say, in order; then all of them end.  Its clock goes on while it is waited for them."""

    def __init__(
        self, *said: tuple[int, Message | type[BaseException] | None], count: int = 2, words: str = ""
    ) -> None:
        self.all = [ScriptedWorker(f"process {number}", words) for number in range(count)]
        self._said = iter(said)
        self.now = 0.0

    def __len__(self) -> int:
        return len(self.all)

    def receive(self, seconds: float) -> list[tuple[WorkerProcess, Message | None]]:
        self.now += seconds
        number, message = next(self._said, (-1, None))
        if isinstance(message, type):
            raise message
        workers = self.all if number < 0 else [self.all[number]]
        found: list[tuple[WorkerProcess, Message | None]] = [
            (worker, message) for worker in workers if not worker.ended
        ]
        if message is None:
            for worker in workers:
                worker.ended = True
        return found

    def dismiss(self) -> None:
        for worker in self.all:
            worker.dismiss()


class Watching:
    """A view that remembers."""

    def __init__(self) -> None:
        self.seconds: list[Second] = []

    def update(self, second: Second, totals: Totals) -> None:
        self.seconds.append(second)

    def close(self, result: Result | None) -> None:
        """Nothing is shown."""
