"""The smart client's own sender (``webroot/edge/worker/sender.js``) in the same worlds, ask by ask."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from edge.load.document import LoadDocument
from loadgen.run.client.sender import MS
from loadgen.wire.interface import CLOSED, OK
from tests.loadgen.run.client.original import run
from tests.loadgen.run.client.stage import START, Stage
from tests.loadgen.run.memory_wire import Sent
from tests.loadgen.run.samples import URLS, load

WORLDS, REQUESTS = 50, 6
#: Of each node, ms, as in rounds.js.
P95 = 400
World = dict[str, Any]


def world(seed: int) -> World:
    """Nodes that answer, fail, say when to come again, or take their time; few or many retries are left."""
    random = np.random.default_rng(seed)
    nodes = 1 + seed % 4
    health = random.choice([0.1, 0.5, 0.9])

    def said() -> World:
        ms = int(random.choice([3, 17, 91, 611, 5003])) + int(random.integers(7)) * 2
        if random.random() < health:
            return {"ms": ms, "status": 200, "later": False}
        status = int(random.choice([0, 500, 501, 502, 503]))
        return {"ms": ms, "status": status, "later": bool(status and random.random() < 0.3)}

    return {
        "urls": URLS[:nodes], "tokens": int(random.choice([0, 2, 32])), "requests": REQUESTS,
        "script": [[said() for _ in range(7)] for _ in range(nodes)],
    }  # fmt: skip


def known(nodes: int) -> LoadDocument:
    """So many equal ones."""
    return msgspec.structs.replace(load(), nodes=load().nodes[:nodes])


class Play:
    """A world, as a virtual user lives through it."""

    def __init__(self, given: World) -> None:
        self._script = given["script"]
        nodes = len(self._script)
        self._stage = Stage(nodes)
        self._asked = [0] * nodes
        self._stage.sender.hedge_after([P95 * MS] * nodes)
        self._stage.learn()
        # A user who has spent all but so many of the 32.
        for _ in range(32 - given["tokens"]):
            self._stage.sender._retries.spend(0, 0)
        self._coming: list[tuple[int, Sent, World]] = []

    def _ms(self) -> int:
        return (self._stage.clock.now - START) // MS

    def request(self) -> list[Any]:
        """One, up to its end: as in rounds.js."""
        stage, begin = self._stage, len(self._stage.wire.sent)
        before = len(stage.ended)
        self._coming.clear()
        seen = begin
        stage.ask()
        while True:
            for sent in stage.wire.sent[seen:]:
                said = self._script[sent.node][self._asked[sent.node] % len(self._script[sent.node])]
                self._asked[sent.node] += 1
                self._coming.append((self._ms() + said["ms"], sent, said))
            seen = len(stage.wire.sent)
            if len(stage.ended) > before:
                break
            due = [one for one in self._coming if one[0] <= self._ms()]
            if due:
                self._coming.remove(due[0])
                _, sent, said = due[0]
                if sent.token in stage.wire.open:
                    self._answer(sent, said)
                continue
            stage.pass_time(1)
        asks = [[(sent.due - START) // MS, sent.node] for sent in stage.wire.sent[begin:]]
        answer = stage.ended[-1][1]
        assert answer is not None
        return [asks, answer.status, (answer.done - START) // MS]

    def _answer(self, sent: Sent, said: World) -> None:
        answer = self._stage.wire.answer(sent, said["status"], error=OK if said["status"] else CLOSED)
        self._stage.sender.answered(answer._replace(later=int(said["later"])))


class RoundTests(SynchronousTestCase):
    """Random worlds, the same ones each time."""

    def test_a_virtual_user_asks_whom_the_smart_client_asks_and_when(self) -> None:
        """Failover, rounds, hedges, patience; what home alone says, and nodes that say when to come again."""
        worlds = [world(seed) for seed in range(WORLDS)]
        lines = [msgspec.json.encode(one | {"load": known(len(one["urls"]))}) for one in worlds]
        ends = set()
        for seed, (given, theirs) in enumerate(zip(worlds, run("rounds.js", lines), strict=True)):
            play = Play(given)
            for number, expected in enumerate(theirs):
                found = play.request()
                self.assertEqual(found, expected, f"world {seed}, request {number}: {given}")
                ends.add(found[1])
        self.assertEqual(ends, {0, 200, 500, 501, 502, 503})

    def test_whoever_says_when_to_come_again_is_not_asked_again_in_a_second(self) -> None:
        """Each node once, and no more rounds."""
        said = {"ms": 3, "status": 503, "later": True}
        play = Play({"tokens": 32, "script": [[said]] * 4})
        asks, status, ended = play.request()
        self.assertEqual((sorted(node for _, node in asks), status, ended), ([0, 1, 2, 3], 503, 12))
