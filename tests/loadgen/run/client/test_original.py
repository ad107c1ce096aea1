"""The smart client's own code (``webroot/edge/worker/nodes.js``) through the same histories, step by step."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from edge.load.document import LoadDocument, node_load
from edge.load.report import unknown
from loadgen.models.users import BEGIN, Users
from loadgen.run.client.choosing import Choosing
from tests.loadgen.run.client.original import run
from tests.loadgen.run.samples import URLS

HISTORIES, STEPS = 150, 120
#: A tick is 100 us.
TICKS_OF_MS = 10
Step = tuple[Any, ...]


def document(random: np.random.Generator) -> LoadDocument:
    """Any that nodes publish: some drain, some fill up, some are suspected, with or without doubt."""
    nodes = []
    for number, url in enumerate(URLS):
        state = str(random.choice(["alive", "alive", "alive", "suspect", "dead"]))
        report = msgspec.structs.replace(
            unknown(f"n{number}"),
            utilization=float(random.uniform(0, 1.2)),
            weight=float(random.choice([0.0, 0.1, 0.5, 0.51, 1.0])),
            draining=bool(random.random() < 0.1),
        )
        nodes.append(node_load(report, url, state, doubtful=bool(random.random() < 0.5)))
    return LoadDocument("edge", 1, 0, tuple(nodes), int(random.choice([1000, 5000])))


def history(seed: int) -> list[Step]:
    """What a client lives through: requests and retries, answers, failures, load documents, hours of rest."""
    random = np.random.default_rng(seed)
    now, steps = 1_000_000, []
    slow = random.uniform(5, 60, 4)
    steps.append((now, float(random.random()), "learn", document(random)))
    for _ in range(STEPS):
        now += int(random.choice([1, 20, 300, 2500, 9000, 70_000], p=[0.3, 0.3, 0.2, 0.1, 0.07, 0.03]))
        number, node = float(random.random()), int(random.integers(4))
        what = random.choice(["learn", "pick", "retry", "answered", "failed"], p=[0.1, 0.35, 0.1, 0.25, 0.2])
        if what == "learn":
            steps.append((now, number, "learn", document(random)))
        elif what in ("pick", "retry"):
            count = 0 if what == "pick" else int(random.integers(1, 4))
            steps.append((now, number, "pick", random.permutation(4)[:count].tolist()))
        elif what == "answered":
            steps.append((now, number, "answered", node, float(slow[node] * random.lognormal(0, 0.7))))
        else:
            steps.append((now, number, "failed", node))
    return steps


def ours(steps: list[Step]) -> list[list[int]]:
    """What a virtual user picks and stays with after each step."""
    number = 0.0
    users = Users(1, 4)
    choosing = Choosing(users, "smart", URLS, lambda: number)
    found = []
    for now_ms, number, what, *more in steps:  # noqa: B007  number is what random() says
        now, picked = BEGIN + now_ms * TICKS_OF_MS, -1
        if what == "learn":
            choosing.learn(0, choosing.publish(more[0]), now)
        elif what == "pick":
            picked = choosing.pick(0, now, sum(1 << node for node in more[0]))
        elif what == "answered":
            choosing.answered(0, more[0], round(more[1] * 1000), now)
        else:
            choosing.failed(0, more[0], now)
        found.append([picked, users.node[0]])
    return found


def the_originals(histories: list[list[Step]]) -> list[list[list[int]]]:
    """The same of the smart client."""
    lines = (msgspec.json.encode({"urls": URLS, "steps": steps}) for steps in histories)
    found: list[list[list[int]]] = run("history.js", lines)
    return found


class HistoryTests(SynchronousTestCase):
    """Random histories, the same ones each time."""

    def test_a_virtual_user_does_what_the_smart_client_does(self) -> None:
        """Picks after whatever happened, and the node that it stays with."""
        histories = [history(seed) for seed in range(HISTORIES)]
        picked = set()
        for seed, (steps, expected) in enumerate(zip(histories, the_originals(histories), strict=True)):
            for step, (mine, theirs) in enumerate(zip(ours(steps), expected, strict=True)):
                self.assertEqual(mine, theirs, f"history {seed}, step {step}: {steps[step]}")
                picked.add(mine[0])
        self.assertEqual(picked, {-1, 0, 1, 2, 3})
