"""Small worlds for tests."""

from __future__ import annotations

from functools import cache
from typing import Any

from loadgen import constants
from loadgen.simulate.cohorts import Cohorts, World
from loadgen.simulate.inputs import ClusterInputs, Day, Inputs, Population, check
from loadgen.simulate.loading import with_utilization
from loadgen.simulate.outcome import Outcome


def inputs(**parts: Any) -> Inputs:
    """Users, cluster and day by the names of their fields, and events; if not said, 20 even minutes."""
    given: dict[str, Any] = {
        "hours": 1 / 3, "peak_to_mean": 1.0, "warm_share": 1.0, "kept_pages": 12, "pages": 50, **parts,
    }  # fmt: skip
    structs: dict[str, Any] = {"users": Population, "cluster": ClusterInputs, "day": Day}
    made = {
        name: struct(**{field: given.pop(field) for field in struct.__struct_fields__ if field in given})
        for name, struct in structs.items()
    }
    return check(Inputs(**made, **given))


def world(rho: float | None = None, **parts: Any) -> World:
    """A world; *rho*: with so full nodes."""
    made = World(inputs(**parts), constants.load())
    return made if rho is None else World(with_utilization(made, rho), constants.load())


@cache
def _shared(rho: float | None, parts: tuple[tuple[str, Any], ...]) -> World:
    return world(rho, **dict(parts))


def outcome(policy: str, rho: float | None = None, **parts: Any) -> Outcome:
    """What comes out under *policy*, in a world that is made once for all policies."""
    return Cohorts(_shared(rho, tuple(sorted(parts.items()))), policy).run()
