"""Random numbers one at a time, drawn in blocks: a tenth of the cost of asking NumPy for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loadgen.models.think import ThinkTimes, sample

_BLOCK = 4096


#: Returns the next number.
Draws = Callable[[], Any]


def drawn(block: Callable[[int], NDArray[Any]]) -> Draws:
    """Numbers of what *block* makes many of at a time."""

    def stream() -> Iterator[Any]:
        while True:
            yield from block(_BLOCK).tolist()

    return stream().__next__


def uniform(random: Generator) -> Draws:
    """0 <= number < 1."""
    return drawn(random.random)


def think_times(random: Generator, think: ThinkTimes) -> Draws:
    """Seconds between page views."""
    return drawn(lambda count: sample(think, random, count))


def left_over(random: Generator, times: Draws) -> Draws:
    """What is left of an interval of *times* that is under way, as somebody who comes by finds it.

    Long intervals are found more often (the waiting-time paradox), each at any point of it.
    """

    def block(count: int) -> NDArray[Any]:
        drawn = np.array([times() for _ in range(count)])
        steps = np.cumsum(drawn)
        found = drawn[np.searchsorted(steps, random.random(count) * steps[-1], side="right")]
        left: NDArray[Any] = found * random.random(count)
        return left

    return drawn(block)


def page_counts(random: Generator, mean: float) -> Draws:
    """Page views of a session: geometric, 1 or more, with that mean; 65,535 at most."""
    return drawn(lambda count: np.minimum(random.geometric(1 / mean, count), 65_535))


def zipf(random: Generator, weights: Sequence[float]) -> Draws:
    """Indexes in proportion to *weights*."""
    steps = np.cumsum(np.asarray(weights, dtype=np.float64))
    return drawn(lambda count: np.searchsorted(steps, random.random(count) * steps[-1], side="right"))


def zipf_weights(count: int, exponent: float) -> list[float]:
    """Of ranks 1 .. *count*: rank ** -exponent."""
    weights: list[float] = (np.arange(1, count + 1, dtype=np.float64) ** -exponent).tolist()
    return weights
