"""A scenario's TOML, and its list of pages, of what was recorded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from loadgen.models.think import Think
from loadgen.record.pages import Listed

#: What a scenario takes.
MOST_SECONDS = 86_400.0
#: Steps of the rate: ten minutes of a day each.
STEPS = 144


class Recorded(NamedTuple):
    """What was fitted."""

    #: Of the log, printable.
    name: str
    users: int
    duration_s: float
    #: Second, and sessions per second from then on.
    steps: list[tuple[float, float]]
    pages_mean: float
    #: None: too few to tell.
    think: Think | None
    zipf: float
    #: Share of the users who had been here before.
    warm: float
    pages: list[Listed]


def scenario(recorded: Recorded, pages_file: str) -> str:
    """The TOML; *pages_file*: the list's name, beside it; "": there is none, the site is crawled."""
    lines = [
        "# Made by loadgen record.  Rates are for as many users as are named here; --users scales them.",
        "v = 1",
        f"title = {_text(f'The users of {recorded.name}')}",
        f"users = {min(max(1, recorded.users), 100_000_000)}",
        f"duration_s = {recorded.duration_s:.6g}",
        '# What has to hold: thresholds = ["p99 < 200ms", "error_share < 0.1 %"]',
        "",
        "[arrivals]",
        'kind = "steps"',
        "steps = [",
        *(f"    [{second:.6g}, {rate:.6g}]," for second, rate in _ascending(recorded.steps)),
        "]",
        "",
        "[session]",
        f"pages_mean = {min(max(1.0, recorded.pages_mean), 65_535.0):.6g}",
    ]
    if recorded.think is not None:
        lines += ["", "[session.think]", *_think(recorded.think)]
    lines += ["", "[site]"]
    if pages_file:
        lines += [f"list = {_text(pages_file)}", f"zipf = {recorded.zipf:.4g}"]
    else:
        lines.append("# The log names no page that may be kept: the site is crawled from its start.")
    if recorded.warm:
        lines += ["", "[cache]", f"warm = {recorded.warm:.4g}"]
    return "\n".join(lines) + "\n"


def page_list(pages: Sequence[Listed]) -> str:
    """The list: a line ``PATH PART PART...`` for each page, most viewed first."""
    return "".join(
        b" ".join([page.path, *(part for part in page.parts if part != page.path)]).decode("ascii") + "\n"
        for page in pages
    )


def _think(think: Think) -> list[str]:
    own = {"weibull": f"shape = {think.shape:.4g}", "lognormal": f"sigma = {think.sigma:.4g}"}
    lines = [f'kind = "{think.kind}"', f"mean_s = {think.mean_s:.6g}"]
    return [*lines, own[think.kind]] if think.kind in own else lines


def _ascending(steps: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those whose seconds are another one than before, also as they are written; equal rates are one step."""
    found: list[tuple[float, float]] = []
    for second, rate in steps:
        if not found or (f"{second:.6g}" != f"{found[-1][0]:.6g}" and f"{rate:.6g}" != f"{found[-1][1]:.6g}"):
            found.append((second, rate))
    return found


def _text(text: str) -> str:
    """A basic string of TOML; JSON's escapes are among its own."""
    return json.dumps("".join(one if one.isprintable() else "?" for one in text))
