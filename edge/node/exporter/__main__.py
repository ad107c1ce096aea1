"""The exporter: ``python -m edge.node.exporter``, started by the supervisor and by nobody else.

What it is told, and its descriptors, are in :mod:`.told`.  What it has to say, it writes to standard error,
from where the supervisor takes it.  It ends when its standard input does: the supervisor wants it to, or has
gone.  Then it sends what is there, for :data:`LAST_SECONDS`.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time

import msgspec

from edge.confinement.confine import confine
from edge.errors import EdgeError
from edge.node.exporter.batches import Batches
from edge.node.exporter.collector import EXPORT_SECONDS, OtlpCollector, require_sdk
from edge.node.exporter.told import FIRST_RING_FD, LAST_SECONDS, Told
from edge.node.process.log_memory import LogMemory
from edge.node.process.signals import ignore_signals, let_signals_in
from edge.traces.ring import SpanRing

#: Seconds between two looks at rings that had less than a batch.
LOOK_SECONDS = 1.0


def say(line: str) -> None:
    """Tell the supervisor, if it is there."""
    with contextlib.suppress(OSError):
        os.write(2, (line + "\n").encode("utf-8", "backslashreplace"))


def run(told: Told) -> None:
    """Send until nobody wants it any more."""
    confine(told.confinement)
    require_sdk()
    rings = [SpanRing(LogMemory(FIRST_RING_FD + number).memory) for number in range(told.rings)]
    batches = Batches(rings, OtlpCollector(told.url, told.resource), say)
    while not select.select([0], [], [], 0 if batches.send(EXPORT_SECONDS) else LOOK_SECONDS)[0]:
        continue
    until = time.monotonic() + LAST_SECONDS
    while (left := until - time.monotonic()) > 0 and batches.send(left):
        continue


def main() -> int:
    """The exit code."""
    ignore_signals()  # Ctrl-C reaches the whole group: what is to be done then, the supervisor tells
    let_signals_in()
    try:
        run(msgspec.json.decode(sys.argv[1], type=Told))
    except EdgeError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
