"""Fields that every message between nodes may have, with their range and grammar (msgspec).

A field whose type says what it may hold is checked where it is decoded, and is attacked by
``tests/gossip/hostile.py`` without further words; so no ``int`` and no ``str`` of a message stands without.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

#: A node's name, as ``--node`` takes it: the DNS name of its certificate (RFC 5280), so
#: that nothing in it means anything to a terminal, a log or HTML.
NAME = r"^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?\Z"
Name = Annotated[str, Meta(min_length=1, max_length=63, pattern=NAME)]

#: A count that nobody reaches, and that may be added to without leaving 64 bits.
Number = Annotated[int, Meta(ge=0, lt=1 << 48)]
#: A process' life or a log's: Unix milliseconds at its start, or a little more.  2**53 ms are 285,000 years.
LAST_GENERATION = (1 << 53) - 1
Generation = Annotated[int, Meta(ge=0, le=LAST_GENERATION)]
#: Any 63 bits: a hash, a hybrid logical clock, the number of a probe.
Word = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
#: A share of something; a node in trouble may be far above 1.
Share = Annotated[float, Meta(ge=0.0, le=1e6)]
#: A weight, which clients draw nodes with.
Weight = Annotated[float, Meta(ge=0.0, le=1.0)]
#: Events per second, milliseconds.
Figure = Annotated[float, Meta(ge=0.0, le=1e12)]
