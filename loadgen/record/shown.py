"""The fits beside the data they were made from, for people: quantiles of both, and Kolmogorov distances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from loadgen.record.fits import ThinkFit, page_count_distance, quantile, zipf_shares
from loadgen.record.pages import Listed
from loadgen.record.traffic import Traffic

_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


def fits(traffic: Traffic, thinks: list[ThinkFit], pages: list[Listed], zipf: float) -> Iterator[str]:
    """The lines."""
    yield from _thinks(traffic, thinks)
    yield from _page_counts(traffic)
    yield from _popularity(pages, zipf)


def _thinks(traffic: Traffic, fits: list[ThinkFit]) -> Iterator[str]:
    data = traffic.sessions.thinks
    yield f"think times, seconds ({data.count:,})"
    yield _row("", *(f"p{share * 100:g}" for share in _SHARES), "distance")
    if data.count:
        yield _row("data", *(f"{data.quantile(share):.3g}" for share in _SHARES), "")
    for place, (think, distance) in enumerate(fits):
        values = [f"{quantile(think, share):.3g}" for share in _SHARES]
        yield _row(think.kind + (" *" if not place else ""), *values, f"{distance:.3f}")
    yield (
        "  * is what the scenario takes" if fits else "  too few for a fit: the scenario takes the default"
    )


def _page_counts(traffic: Traffic) -> Iterator[str]:
    sessions = traffic.sessions
    yield f"page views of a session ({sessions.count:,} sessions)"
    yield _row("", *(f"p{share * 100:g}" for share in _SHARES), "distance")
    counts, mean = sessions.views, sessions.pages_mean
    numbers = sorted(counts)
    so_far = np.cumsum([counts[number] for number in numbers])
    data = [numbers[int(np.searchsorted(so_far, share * so_far[-1]))] for share in _SHARES]
    yield _row("data", *(f"{one}" for one in data), "")
    model = [_geometric(mean, share) for share in _SHARES]
    yield _row("geometric *", *(f"{one}" for one in model), f"{page_count_distance(counts, mean):.3f}")


def _geometric(mean: float, share: float) -> int:
    if mean <= 1:
        return 1
    return max(1, int(np.ceil(np.log(1 - share) / np.log(1 - 1 / mean) - 1e-9)))


def _popularity(pages: list[Listed], zipf: float) -> Iterator[str]:
    if not pages:
        yield "popularity: the log names no page that may be kept"
        return
    views = np.cumsum([page.views for page in pages])
    model, data = zipf_shares(len(pages), zipf), views / views[-1]
    ranks = [rank for rank in (1, 3, 10, 30, 100, 1000) if rank < len(pages)] or [1]
    yield f"popularity: share of the views that the first pages have ({len(pages):,} pages)"
    yield _row("", *(f"{rank}" for rank in ranks), "distance")
    yield _row("data", *(f"{data[rank - 1]:.1%}" for rank in ranks), "")
    name = f"Zipf {zipf:.2f} *"
    yield _row(name, *(f"{model[rank - 1]:.1%}" for rank in ranks), f"{np.abs(model - data).max():.3f}")


def _row(name: str, *values: str) -> str:
    return f"  {name:<14}" + "".join(f"{value:>9}" for value in values)
