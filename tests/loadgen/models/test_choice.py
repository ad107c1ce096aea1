"""The choice of a node, for one client and for many at once: the smart client's own code beside it."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models import choice, choice_arrays
from tests import processes

ORACLE = Path(__file__).with_name("oracle.js")
CASES = 300
DRAWS = 4_000


def a_case(random: Generator) -> dict[str, Any]:
    """A load document, what a client knows of its nodes, and random numbers for it."""
    count = int(random.integers(1, 7))
    weights = random.choice([0.0, 0.01, 0.2, 0.21, 0.5, 0.82, 1.0], count)
    latency = random.choice([3.0, 12.0, 13.0, 40.0, 200.0], count) * random.uniform(0.9, 1.1, count)
    now = 1_000_000.0
    until = np.where(random.random(count) < 0.3, now + random.uniform(-20_000, 5_000, count), 0.0)
    nodes = [
        {"id": f"n{n}", "url": f"http://n{n}", "state": "alive", "weight": float(weights[n]),
         "utilization": float(random.uniform(0, 1.2))}
        for n in range(count)
    ]  # fmt: skip
    known = [
        {"latency": float(latency[n]), "at": now - float(random.uniform(0, 90_000)),
         "until": float(until[n]), "inFlight": int(random.integers(0, 7))}
        for n in range(count)
    ]  # fmt: skip
    return {
        "load": {"v": 1, "seq": 1, "ttl_ms": 5000, "nodes": nodes}, "now": now, "nodes": known,
        "numbers": [float(number) for number in random.random(4)], "draws": DRAWS,
        "seed": int(random.integers(1, 2**31)),
    }  # fmt: skip


def ask_the_original(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What webroot/edge/worker/nodes.js says to each."""
    node = shutil.which("node")
    if node is None:
        raise AssertionError("the smart client runs in node, which is not installed (apt-get install nodejs)")
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = processes.run(
        [node, str(ORACLE)], input=lines, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


@functools.cache
def random_cases() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Cases with the original's answers, all from one process."""
    random = np.random.default_rng(20251)
    cases = [a_case(random) for _ in range(CASES)]
    return list(zip(cases, ask_the_original(cases), strict=True))


class TheOriginalBesideIt(SynchronousTestCase):
    """Random cases through both."""

    def test_scores_redraw_share_and_trust_are_the_same_numbers(self) -> None:
        for case, answer in random_cases():
            nodes, known, now = case["load"]["nodes"], case["nodes"], case["now"]
            weights = [node["weight"] for node in nodes]
            redraw = choice.redraw_share([node["utilization"] for node in nodes], weights)
            np.testing.assert_allclose(redraw, answer["redraw"], rtol=1e-12)
            expected = [
                choice.expected(one["latency"], answer["best"], (now - one["at"]) / 1000) for one in known
            ]
            np.testing.assert_allclose(expected, answer["expected"], rtol=1e-12)
            trusts = [choice.trust(one["until"] / 1000, now / 1000) for one in known]
            np.testing.assert_allclose(trusts, answer["trusts"], rtol=1e-9, atol=1e-12)
            for module in (choice, choice_arrays):
                scores = module.scores(weights, answer["expected"], answer["best"], answer["trusts"])
                np.testing.assert_allclose(scores, answer["scores"], rtol=1e-12)

    def test_the_same_random_numbers_draw_the_same_nodes(self) -> None:
        for case, answer in random_cases():
            scores, (one_at, other_at, *_) = answer["scores"], case["numbers"]
            costs = _costs(case, answer)
            self.assertEqual(choice.draw(scores, one_at), answer["one"])
            self.assertEqual(int(choice_arrays.draw(scores, one_at)), answer["one"])
            self.assertEqual(choice.better_of_two(scores, costs, one_at, other_at), answer["drawn"])
            if answer["drawn"] >= 0:
                drawn = choice_arrays.better_of_two(scores, costs, one_at, other_at)
                self.assertEqual(int(drawn[0]), answer["drawn"])

    def test_draws_are_distributed_as_the_shares_say(self) -> None:
        """Chi-square over all cases together: 99.9 of 100 such tests would find less."""
        found, freedom = 0.0, 0
        for case, answer in random_cases():
            shares = choice_arrays.shares(answer["scores"], _costs(case, answer))
            counts = np.array(answer["counts"])
            self.assertEqual(int(counts[shares < 1e-12].sum()), 0)
            likely = shares * DRAWS >= 5
            if likely.sum() < 2:
                continue
            expected = shares[likely] * counts[likely].sum() / shares[likely].sum()
            found += float(((counts[likely] - expected) ** 2 / expected).sum())
            freedom += int(likely.sum()) - 1
        self.assertGreater(freedom, 300)
        self.assertLess(found, freedom + 3.1 * (2 * freedom) ** 0.5)


def _costs(case: dict[str, Any], answer: dict[str, Any]) -> list[float]:
    return [
        (known["inFlight"] + 1) * expected
        for known, expected in zip(case["nodes"], answer["expected"], strict=True)
    ]
