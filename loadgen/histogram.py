"""HDR histograms of latencies, of one fixed form: three significant digits from 1 us to an hour.

The form is Gil Tene's HdrHistogram, whose library does the coding and knows the arithmetic; done here is what
its loops over single counters are too slow for: recording many values at once, percentiles of every second.
Two histograms of this form add up without loss, whichever process or machine they come from.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

#: Microseconds: an hour.
HIGHEST = 3_600_000_000
DIGITS = 3


class Histogram:
    """An HDR histogram of durations; all values come and go in microseconds."""

    def __init__(self) -> None:
        self._hdr: Any = HdrHistogram(1, HIGHEST, DIGITS)
        pointer = ctypes.cast(self._hdr.counts, ctypes.POINTER(ctypes.c_uint64))
        #: A view of the library's own counters.
        self._counts = np.ctypeslib.as_array(pointer, (int(self._hdr.counts_len),))

    @classmethod
    def decode(cls, text: str) -> Histogram:
        """The histogram that :meth:`encode` made *text* of; :exc:`ValueError` if it is none of this form."""
        made = cls()
        try:
            other = HdrHistogram.decode(text)
        except Exception as error:  # the library raises what zlib, base64 and struct raise
            raise ValueError(f"this is no HDR histogram: {error}") from None
        if other.counts_len != made._hdr.counts_len or other.significant_figures != DIGITS:
            raise ValueError("this HDR histogram has another range or precision")
        made._hdr.add(other)
        return made

    def encode(self) -> str:
        """The histogram as text (HdrHistogram's V2 coding, deflated, base64)."""
        text: bytes = self._hdr.encode()
        return text.decode("ascii")

    def record(self, values: NDArray[np.int64]) -> None:
        """Count *values*; what is below or above the range counts as its end."""
        if not len(values):
            return
        values = np.clip(values, 1, HIGHEST)
        self._counts += np.bincount(_index(values, self._hdr), minlength=len(self._counts)).astype(np.uint64)
        hdr = self._hdr
        hdr.total_count += len(values)
        hdr.min_value = min(hdr.min_value, int(values.min()))
        hdr.max_value = max(hdr.max_value, int(values.max()))

    def add_counted(self, data: bytes) -> None:
        """Count what :func:`counted` counted; :exc:`ValueError` if *data* is nothing of it."""
        places, numbers = self.check_counted(data)
        if not len(places):
            return
        self._counts[places] += numbers.astype(np.uint64)
        hdr = self._hdr
        hdr.total_count += int(numbers.sum())
        hdr.min_value = min(hdr.min_value, int(hdr.get_value_from_index(int(places.min()))))
        hdr.max_value = max(hdr.max_value, int(hdr.get_value_from_index(int(places.max()))))

    def check_counted(self, data: bytes) -> NDArray[np.int64]:
        """The places and the counters in *data*; :exc:`ValueError`."""
        if len(data) % 8:
            raise ValueError("this is no list of counters")
        found = np.frombuffer(data, dtype="<u4").reshape(2, -1).astype(np.int64)
        if len(found[0]) and found[0].max() >= len(self._counts):
            raise ValueError("these counters are of a histogram with another range")
        return found

    def add(self, other: Histogram) -> None:
        """Count all that *other* has counted."""
        if other.count:
            self._hdr.add(other._hdr)

    @property
    def count(self) -> int:
        """How many values."""
        return int(self._hdr.total_count)

    @property
    def highest(self) -> int:
        """The greatest of them, within the precision; 0 without any."""
        return int(self._hdr.get_max_value()) if self.count else 0

    @property
    def mean(self) -> float:
        """Their mean; 0 without any."""
        return float(self._hdr.get_mean_value()) if self.count else 0.0

    def percentile(self, percent: float) -> int:
        """The value that *percent* (0..100) of them did not exceed; 0 without any."""
        return self.percentiles((percent,))[0]

    def percentiles(self, percents: Sequence[float]) -> list[int]:
        """The values at several *percents*."""
        if not self.count:
            return [0] * len(percents)
        return self.at_ranks([rank(percent, self.count) for percent in percents])

    def at_ranks(self, ranks: Sequence[int]) -> list[int]:
        """The values at *ranks* in ascending order, 1 .. ``count``: the least, ..., the greatest."""
        hdr = self._hdr
        places = np.searchsorted(np.cumsum(self._counts), np.array(ranks, dtype=np.uint64))
        values = (int(hdr.get_value_from_index(int(place))) for place in places)
        return [int(hdr.get_highest_equivalent_value(value)) for value in values]


def rank(percent: float, count: int) -> int:
    """The rank, from 1, of a percentile (0..100) among *count* values, as HdrHistogram rounds it."""
    return max(1, int(min(percent, 100.0) * count / 100 + 0.5))


_FORM: Any = HdrHistogram(1, HIGHEST, DIGITS)


def counted(values: NDArray[np.int64]) -> bytes:
    """*values* (microseconds) as the places and the counters of those that are not 0.

    A hundredth of the work of a whole histogram, for processes that report each second.
    """
    places, numbers = np.unique(_index(np.clip(values, 1, HIGHEST), _FORM), return_counts=True)
    return np.concatenate((places, numbers)).astype("<u4").tobytes()


def _index(values: NDArray[np.int64], hdr: Any) -> NDArray[np.int64]:
    """The places of *values*: the leading bits choose the bucket, the next ones the counter in it."""
    # frexp's exponent is the number of bits of a value (exact below 2^53).
    bits = np.frexp((values | hdr.sub_bucket_mask).astype(np.float64))[1].astype(np.int64)
    bucket = bits - hdr.unit_magnitude - (hdr.sub_bucket_half_count_magnitude + 1)
    place = values >> (bucket + hdr.unit_magnitude)
    base = (bucket + 1) << hdr.sub_bucket_half_count_magnitude
    result: NDArray[np.int64] = base + place - hdr.sub_bucket_half_count
    return result
