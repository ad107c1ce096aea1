"""The runs of a report, each with a name of its own."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path, PurePath
from typing import NamedTuple

from loadgen.errors import UsageError
from loadgen.report.distribution import Distribution
from loadgen.results import FILE, Result, load


class Run(NamedTuple):
    """One run."""

    #: What tells it from the others.
    name: str
    result: Result
    #: By name, as in ``Result.histograms``.
    distributions: dict[str, Distribution]

    @classmethod
    def of(cls, name: str, result: Result) -> Run:
        """The run of *result* under *name*; :exc:`ValueError` if one of its histograms is none."""
        decoded = {kind: Distribution.decode(text) for kind, text in result.histograms.items()}
        return cls(name, result, decoded)

    @property
    def answered(self) -> int:
        """Requests that got an answer."""
        return sum(self.result.statuses.values()) or sum(second.answered for second in self.result.series)

    @property
    def failed(self) -> int:
        """Requests that got no answer, or a wrong one."""
        return sum(self.result.errors.values())

    @property
    def confirmed(self) -> float | None:
        """Share of the users' copies that were confirmed, by a 304 or within a batch; None: no figures."""
        if "share_304" in self.result.measures:
            return self.result.measures["share_304"]
        confirmed, bodies = (self.result.counts.get(name, 0) for name in ("not_modified", "bodies"))
        return confirmed / (confirmed + bodies) if confirmed + bodies else None

    def latency_ms(self, percent: float, kind: str = "corrected") -> float:
        """The corrected latency of the whole run at a percentile; NaN without a histogram."""
        distribution = self.distributions.get(kind)
        return distribution.percentile(percent) / 1e3 if distribution else float("nan")


def read(paths: Sequence[Path]) -> list[Run]:
    """The runs in the files or folders *paths*; :exc:`~loadgen.errors.UsageError`."""
    there = [path for path in paths if not path.is_dir() or (path / FILE).exists()]
    for path in paths:
        if path not in there:
            print(f"loadgen report: {path} is left out: there is no {FILE} in it", file=sys.stderr)
    if not there:
        raise UsageError(
            f"{paths[0]}: there is no {FILE} in it; give a folder that loadgen run --out has written"
        )
    paths, results = there, [load(path) for path in there]
    runs = []
    for path, name, result in zip(paths, names(results), results, strict=True):
        try:
            runs.append(Run.of(name, result))
        except ValueError as error:
            raise UsageError(f"{path}: {error}; the file is damaged, or not of this program") from None
    return runs


def names(results: Sequence[Result]) -> list[str]:
    """The names of runs: their scenarios'; where those are equal with what differs, or with numbers."""
    plain = [_scenario(result) for result in results]
    ways: tuple[Callable[[Result], str], ...] = (
        lambda one: "",
        lambda one: f" ({one.policy})",
        lambda one: f" ({one.users:,} users)",
        lambda one: f" ({moment(one.began)})",
    )
    for way in ways:
        made = [name + way(result) for name, result in zip(plain, results, strict=True)]
        if len(set(made)) == len(made):
            return made
    seen: Counter[str] = Counter()
    numbered = []
    for name in plain:
        seen[name] += 1
        numbered.append(f"{name} #{seen[name]}")
    return numbered


def _scenario(result: Result) -> str:
    """The name of a scenario: that of its file, if it is one."""
    name = result.scenario
    return (PurePath(name).stem if name.endswith(".toml") else name) or "run"


def moment(seconds: float) -> str:
    """Unix seconds in words; "" if they are no time."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return ""
