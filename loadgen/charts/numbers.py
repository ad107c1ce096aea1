"""How numbers are written: short on an axis, whole with separators in a table."""

from __future__ import annotations

import math

_PREFIXES = ("", "k", "M", "G", "T", "P")


def short(value: float, digits: int = 3) -> str:
    """*value* with a decimal prefix and at most *digits* significant digits: 0, 0.05, 1.5k, 630k, 10M."""
    if not math.isfinite(value):
        return "-"
    size = abs(value)
    if size != 0 and (size < 1e-4 or size >= 1e18):
        return f"{value:.{digits - 1}e}"
    for power, prefix in enumerate(_PREFIXES):
        text = _significant(value / 1000**power, digits)
        if abs(float(text)) < 1000:
            return text + prefix
    return f"{value:.{digits - 1}e}"


def size(value: float) -> str:
    """Bytes of traffic with a decimal prefix: 128 B, 1.07 kB, 3.2 GB."""
    text = short(value)
    number = text.rstrip("kMGTP")
    return f"{number} {text[len(number) :]}B"


def binary(value: float) -> str:
    """Bytes of memory with a binary prefix: 512 B, 1.5 MiB."""
    power = 0
    while abs(value) >= 1000 and power < 4:
        value /= 1024
        power += 1
    return f"{_significant(value, 3)} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


def duration(seconds: float) -> str:
    """A time since the beginning: 0:07, 12:34, 1:02:03."""
    hours, rest = divmod(round(max(0.0, seconds)), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def milliseconds(value: float) -> str:
    """Milliseconds as people write them, three significant digits: 850 us, 13.8 ms, 1.71 s, 2 min 5 s."""
    if not math.isfinite(value):
        return "-"
    if abs(value) < 0.9995:
        return f"{_significant(value * 1000, 3)} us" if value else "0 ms"
    if abs(value) < 999.5:
        return f"{_significant(value, 3)} ms"
    if abs(value) < 119_950:
        return f"{_significant(value / 1000, 3)} s"
    minutes, seconds = divmod(round(value / 1000), 60)
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def plain(value: object) -> str:
    """A table's cell: integers with separators, other numbers with four significant digits."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if not math.isfinite(value):
        return "-"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return _significant(value, 4)


def _significant(value: float, digits: int) -> str:
    """Rounded to *digits* significant digits, without an exponent and without zeros at the end."""
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{round(value, places):.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
