"""Stores against a model: any order of writes and reads of two processes, deaths between write and word."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from demonstration.data.opening import open_store
from demonstration.data.second_level import SecondLevel, connect
from demonstration.data.sql import CLAIM_SECONDS
from demonstration.data.store import Change, Store
from tests.demonstration.servers import redis_server

_CODES = some.sampled_from([0x41, 0x42, 0x3B1])
_VISITORS = some.sampled_from(["v", "w", "x"])
_WHICH = some.integers(0, 1)


class StoreMachine(RuleBasedStateMachine):
    """Two processes with one SQLite file; in a derived class with Redis before it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="edge-model-"))
        self.now = 1000.0
        self.votes: set[tuple[str, int]] = set()
        self.comments: dict[tuple[str, str], tuple[int, str]] = {}
        #: What nodes have to be told and have not been: (kind, code).
        self.untold: set[tuple[str, int]] = set()

    @initialize()
    def begin(self) -> None:
        self.stores = [self.open(), self.open()]

    def open(self) -> Store:
        store = open_store(str(self.folder / "d.sqlite"))
        store._clock = lambda: self.now  # type: ignore[attr-defined]
        return store

    def wrote(self, which: int, changes: list[Change], tells: bool) -> None:
        self.untold |= {(change.kind, change.code) for change in changes}
        if tells:
            self.tell(which, changes)

    def tell(self, which: int, changes: list[Change]) -> None:
        self.untold -= {(change.kind, change.code) for change in changes}
        self.stores[which].told(changes)

    @rule(which=_WHICH, visitor=_VISITORS, code=_CODES, wanted=some.booleans(), tells=some.booleans())
    def vote(self, which: int, visitor: str, code: int, wanted: bool, tells: bool) -> None:
        votes, changes = self.stores[which].vote(visitor, code, wanted)
        had = (visitor, code) in self.votes
        (self.votes.add if wanted else self.votes.discard)((visitor, code))
        assert votes == sum(one[1] == code for one in self.votes)
        assert (had != wanted) <= (("vote", code) in {(one.kind, one.code) for one in changes})
        self.wrote(which, changes, tells)

    @rule(which=_WHICH, visitor=_VISITORS, code=_CODES, key=some.sampled_from("abc"), tells=some.booleans())
    def comment(self, which: int, visitor: str, code: int, key: str, tells: bool) -> None:
        said, changes = self.stores[which].comment(visitor, code, f"{visitor} {key}", key, self.now)
        self.comments.setdefault((visitor, key), (code, said.text))
        assert (said.code, said.text) == self.comments[visitor, key]
        self.wrote(which, changes, tells)

    @rule(which=_WHICH, first=some.integers(0, 4))
    def read(self, which: int, first: int) -> None:
        store = self.stores[which]
        counted = {code: sum(one[1] == code for one in self.votes) for _, code in self.votes}
        ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        assert [tuple(score) for score in store.top(first)] == ranked[:first]
        assert store.scores([0x41, 0x42, 0x3B1]) == counted
        for code in (0x41, None):
            said = [one.text for one in store.comments(code, 20)]
            held = [text for at, text in self.comments.values() if code in (None, at)]
            assert said == held[::-1]

    @rule(which=_WHICH, seconds=some.sampled_from([0.5, CLAIM_SECONDS + 0.1]))
    def look(self, which: int, seconds: float) -> None:
        """What somebody has not told, another one does, once its time is over."""
        self.now += seconds
        self.tell(which, self.stores[which].claim())
        if seconds > CLAIM_SECONDS:
            assert not self.untold

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """Whoever dies now: what is untold stands in the database."""
        if self.untold:
            database = self.stores[0]
            rows = getattr(database, "_store", database)._database
            with rows.reading() as reading:
                assert self.untold <= set(reading.fetch("SELECT kind, code FROM changes"))

    def teardown(self) -> None:
        for store in getattr(self, "stores", ()):
            store.close()
        shutil.rmtree(self.folder)


class BehindRedisMachine(StoreMachine):
    """What one has read is never older than what the other one wrote."""

    @initialize()
    def begin(self) -> None:
        self.url = redis_server().new_database()
        super().begin()

    def open(self) -> Store:
        inner: Any = super().open()
        return SecondLevel(inner, connect(self.url, 60), "redis")


_SETTINGS = settings(max_examples=15, stateful_step_count=25)


class ModelTests(SynchronousTestCase):
    """All rules in any order."""

    def test_sqlite(self) -> None:
        run_state_machine_as_test(StoreMachine, settings=_SETTINGS)

    def test_behind_redis(self) -> None:
        run_state_machine_as_test(BehindRedisMachine, settings=_SETTINGS)
