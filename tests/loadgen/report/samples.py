"""A result as a run writes it: a day's curve in some minutes, a spike, a node that fails and comes back."""

from __future__ import annotations

import math

import numpy as np

from loadgen.histogram import Histogram
from loadgen.report.runs import Run, names
from loadgen.results import Generator, NodeResult, Result, Second, Threshold, Verdict

NODES = ("n1", "n2", "n3", "n4")
#: By percent of the run.
_NOTES = {40: ["n3 was killed"], 55: ["n3 is back"], 70: ["the news spreads"]}


def runs(*results: Result) -> list[Run]:
    """As the command reads them."""
    return [Run.of(name, result) for name, result in zip(names(results), results, strict=True)]


def sample(
    scenario: str = "returning-readers",
    seconds: int = 300,
    seed: int = 1,
    verdict: Verdict = "ok",
    slow: float = 1.0,
    policy: str = "smart",
) -> Result:
    """The same for the same arguments; *slow*: latencies times this."""
    random = np.random.default_rng(seed)
    corrected, raw, lag, push = Histogram(), Histogram(), Histogram(), Histogram()
    series = []
    for at in range(seconds):
        through = at / seconds
        rate = 9_000 - 6_000 * math.cos(2 * math.pi * through)
        if 0.7 < through < 0.75:
            rate *= 2.2
        failing = 0.4 < through < 0.55
        planned = int(random.poisson(rate))
        service = random.lognormal(math.log(310 * slow * (1 + rate / 40_000)), 0.55, 400)
        service[:4] *= random.lognormal(2.5, 0.8, 4)
        waiting = service + (random.random(400) < 0.02) * (30_000 if failing else 400)
        for histogram, values in (
            (corrected, waiting),
            (raw, service),
            (lag, random.lognormal(3.3, 0.5, 400)),
        ):
            histogram.record(values.astype(np.int64))
        failed = 5 + int(random.poisson(12)) if 0.4 <= through < 0.41 else 0
        answered = planned - failed
        shares = random.dirichlet([900 if node != "n3" or not failing else 0.1 for node in NODES])
        pushes = 500 if at % 30 == 7 else 0
        if pushes:
            push.record(random.lognormal(math.log(30_000), 0.5, pushes).astype(np.int64))
        series.append(
            Second(
                at=at,
                planned=planned,
                sent=planned,
                answered=answered,
                statuses={"200": answered - int(answered * 0.87), "304": int(answered * 0.87)},
                confirmed=int(answered * 0.87),
                bodies=answered - int(answered * 0.87),
                errors={"timeout": failed // 3, "closed early": failed - failed // 3} if failed else {},
                bytes_in=answered * 230 + int(answered * 0.06) * 14_000,
                bytes_out=planned * 470,
                nodes={node: int(answered * share) for node, share in zip(NODES, shares, strict=True)},
                latency_ms=[float(value) / 1e3 for value in np.percentile(waiting, (50, 90, 99, 99.9, 100))],
                pushes=pushes,
                push_ms=80.5 if pushes else 0.0,
                active=int(rate * 8),
                connections=int(rate * 5),
                notes=_NOTES.get(at * 100 // seconds if at * 100 % seconds < 100 else -1, []),
            )
        )
    answered = sum(second.answered for second in series)
    errors = {
        name: sum(second.errors.get(name, 0) for second in series) for name in ("timeout", "closed early")
    }
    p50, p90, p99, p999 = (value / 1e3 for value in corrected.percentiles((50, 90, 99, 99.9)))
    thresholds = [
        Threshold(text="p99 < 50ms", measured=p99, held=p99 < 50),
        Threshold(text="errors == 0", measured=sum(errors.values()), held=not any(errors.values())),
        Threshold(text="herd < 1.15", measured=1.062, held=True),
    ]
    missed = [f"{one.text}: it is {one.measured:.6g}" for one in thresholds if not one.held]
    return Result(
        scenario=scenario,
        title="Readers who come back",
        cluster="http://localhost:8001",
        began=1_764_036_000.0 + seed,
        seconds=float(seconds),
        users=100_000,
        seed=seed,
        processes=2,
        policy=policy,
        verdict=verdict,
        reasons=[] if verdict == "ok" else missed,
        thresholds=thresholds,
        generator=Generator(
            offered=0.99994,
            lag_p99_ms=lag.percentile(99) / 1e3,
            lag_max_ms=lag.highest / 1e3,
            cpu_seconds=seconds * 0.61,
            per_core=answered / (seconds * 0.61),
            memory_bytes=143 << 20,
            bytes_per_user=118.0,
        ),
        counts={
            "sessions": answered // 31,
            "page_views": answered // 4,
            "requests": answered,
            "fresh_hits": answered * 3,
            "batches": answered // 5,
            "validators": answered * 4,
            "not_modified": int(answered * 4.4),
            "bodies": int(answered * 0.12),
            "retries": 17,
            "failed": sum(errors.values()),
            "pushes": push.count,
        },
        statuses={
            status: sum(second.statuses[status] for second in series) for status in ("200", "304")
        } if series else {},
        errors=errors,
        measures={"p50": p50, "p90": p90, "p99": p99, "p99.9": p999, "herd": 1.062, "share_304": 0.9735},
        nodes=[
            NodeResult(
                id=node,
                url=f"http://localhost:{8001 + index}",
                requests=sum(second.nodes[node] for second in series),
                errors=sum(errors.values()) if node == "n3" else 0,
                bytes_in=answered * 230 // 4,
                bytes_out=answered * 470 // 4,
                p50_ms=p50,
                p99_ms=p99,
            )
            for index, node in enumerate(NODES)
        ],
        histograms={
            "corrected": corrected.encode(), "raw": raw.encode(), "lag": lag.encode(), "push": push.encode(),
        },
        series=series,
    )  # fmt: skip
