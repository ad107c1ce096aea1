"""Users who choose a node, for tests of how they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from edge.load.document import LoadDocument
from loadgen.models.calendar import TICKS
from loadgen.models.draws import uniform
from loadgen.models.users import BEGIN, Users
from loadgen.run.client.choosing import Choosing
from tests.loadgen.run.samples import URLS, load

MS = 1000


class Case(SynchronousTestCase):
    """One or more users, all at home with node 0 at first."""

    def start(
        self,
        policy: str = "smart",
        count: int = 1,
        document: LoadDocument | None = None,
        seed: int = 1,
        random: Callable[[], float] | None = None,
    ) -> None:
        """All users have read *document*."""
        self.now = BEGIN
        self.users = Users(count, 4)
        self.choosing = Choosing(self.users, policy, URLS, random or uniform(np.random.default_rng(seed)))
        self.document = self.choosing.publish(document or load())
        for user in range(count):
            self.choosing.learn(user, self.document, self.now)

    def pick(self, user: int = 0, tried: int = 0) -> int:
        return self.choosing.pick(user, self.now, tried)

    def answered(self, node: int, ms: float, user: int = 0) -> None:
        self.choosing.answered(user, node, int(ms * MS), self.now)

    def fail(self, node: int, times: int = 1, user: int = 0) -> None:
        for _ in range(times):
            self.choosing.failed(user, node, self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += round(seconds * TICKS)

    def picks(self, count: int = 200) -> set[int]:
        return {self.pick() for _ in range(count)}

    def draws(self, count: int = 4000) -> Counter[int]:
        """Where so many new users go that read the same document."""
        self.start(count=count, document=self.shown)
        return Counter(self.users.node)

    shown: LoadDocument
