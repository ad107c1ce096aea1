"""kill -9 of the table's writer at random points: afterwards no answer may be wrong."""

from __future__ import annotations

import os
import random
import signal
import sys
import time

from edge.table.reader import Reader
from edge.table.segment import Segment
from edge.table.writer import Writer
from tests.table.samples import resource, version_of

PATHS = [b"/page-%d" % number for number in range(40)]
_VARIANTS = ((0,), (0, 1), (0, 1, 2))


def _write_for_ever(segment: Segment, first: int) -> None:
    """The child: publishes and purges as fast as it can until it is killed."""
    writer = Writer(segment)
    writer.recover()
    random_source = random.Random(first)
    number = first
    while True:
        number += 1
        path = random_source.choice(PATHS)
        if random_source.random() < 0.1:
            writer.remove(path)
        else:
            size = random_source.randrange(2000)
            writer.put(resource(path, number, random_source.choice(_VARIANTS), size), lambda one: None)


def run(kills: int, seed: int = 1) -> int:
    """How many entries were wrong after *kills* kills: torn for a reader, or broken after recovery."""
    random_source = random.Random(seed)
    segment = Segment.create(capacity=128, arena_bytes=1 << 17, workers=2)
    reader = Reader(segment, 0)
    wrong = 0
    for kill in range(kills):
        child = os.fork()
        if not child:
            try:
                _write_for_ever(segment, kill * 1_000_000)
            finally:
                os._exit(1)
        time.sleep(random_source.uniform(0.002, 0.012))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        wrong += _wrong(reader)
        Writer(segment).recover()
        wrong += _wrong(reader)
    segment.close()
    return wrong


def _wrong(reader: Reader) -> int:
    wrong = 0
    for path in PATHS:
        for variant in (0, 1, 2):
            try:
                version_of(reader, path, variant)
            except AssertionError as error:
                print(error, file=sys.stderr)
                wrong += 1
    return wrong
