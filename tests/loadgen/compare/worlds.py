"""Runs of simulated servers: seconds that depend on each other, a plan that both follow, a given slowness."""

from __future__ import annotations

import numpy as np

from loadgen.results import Generator, Result, Second


def run(
    seed: int,
    slow: float = 1.0,
    seconds: int = 120,
    depends: float = 0.5,
    failing: float = 0.0,
    plan: int = 1,
) -> Result:
    """One run.

    *depends*: correlation of neighbouring seconds; *plan*: its seed: the curve of its load; *slow*: factor of
    all latencies; *failing*: share of its requests.
    """
    noise, load = np.random.default_rng(seed), np.random.default_rng(plan)
    curve = 0.3 * np.sin(np.arange(seconds) / 17) + 0.2 * load.normal(size=seconds)
    state, states = noise.normal(), []
    for _ in range(seconds):
        states.append(state)
        state = depends * state + np.sqrt(1 - depends**2) * noise.normal()
    series = []
    for at in range(seconds):
        middle = slow * 5 * np.exp(0.15 * states[at] + curve[at])
        # Of 300 answers, lognormal; now and then a stall of the whole second.
        values = np.sort(middle * noise.lognormal(0, 0.6, 300)) * (4 if noise.random() < 0.02 else 1)
        percentiles = [float(values[int(share * 299)]) for share in (0.5, 0.9, 0.99, 0.999, 1.0)]
        failed = int(noise.binomial(300, failing))
        series.append(Second(
            at=at, planned=300, sent=300, answered=300 - failed, latency_ms=percentiles,
            errors={"timeout": failed} if failed else {},
        ))  # fmt: skip
    generator = Generator(offered=1, lag_p99_ms=0, lag_max_ms=0, cpu_seconds=1, per_core=1, memory_bytes=1)
    return Result(
        scenario="s.toml", title="t", cluster="http://h", began=0, seconds=seconds, users=10, seed=plan,
        processes=1, verdict="ok", generator=generator, series=series,
    )  # fmt: skip
