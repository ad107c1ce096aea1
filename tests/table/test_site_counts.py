"""Requests and bytes by site, as workers count them and others add them up."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from edge.errors import SegmentError
from edge.sites import MAX_SITES
from edge.table.counters import INDEX
from edge.table.layout import worker_block_bytes
from edge.table.segment import CounterBlock, Segment
from edge.table.site_counts import SiteAnswers, SiteCounts, total


class SiteCountsTests(SynchronousTestCase):
    """Rows of workers."""

    def segment(self, sites: int, workers: int = 2) -> Segment:
        made = Segment.create(capacity=10, arena_bytes=4096, workers=workers, sites=sites)
        self.addCleanup(made.close)
        return made

    def test_workers_are_added_up(self) -> None:
        made = self.segment(2)
        attached = Segment.attach(os.dup(made.fd), {1: os.dup(made.block(1).fd)}, 2)
        self.addCleanup(attached.close)
        one, other = SiteCounts(made, 0), SiteCounts(attached, 1)
        one.add(0, 200, 10)
        one.add(0, 304, 0)
        other.add(0, 206, 5)
        other.add(1, 101, 0)
        other.add(1, 599, 2**40)
        other.add(None, 421, 7)
        other.add(None, 999, 1)  # whatever an application says
        self.assertEqual(
            total(made),
            [
                SiteAnswers((0, 2, 1, 0, 0), 15),
                SiteAnswers((1, 0, 0, 0, 1), 2**40),
                SiteAnswers((0, 0, 0, 1, 1), 8),
            ],
        )
        self.assertEqual(one.read()[1:], [SiteAnswers(), SiteAnswers()])

    def test_the_last_of_as_many_as_may_be_touches_nothing_else(self) -> None:
        made = self.segment(MAX_SITES)
        counts, counters = SiteCounts(made, 0), CounterBlock(made, 0)
        counters.set(INDEX["requests"], 3)
        for site in (0, MAX_SITES - 1, None):
            counts.add(site, 500, 2**64 - 1)
            counts.add(site, 500, 2)  # it goes round
        rows = counts.read()
        self.assertEqual({rows[at] for at in (0, -2, -1)}, {SiteAnswers((0, 0, 0, 0, 2), 1)})
        self.assertEqual(sum(map(sum, (one.by_class for one in rows))), 6)
        before = made.block(0).memory[: made.block(0).site_rows_offset]
        self.assertEqual(len(before) - before.count(0), 1, "the counter that was set")

    def test_a_node_without_sites_has_no_rows(self) -> None:
        made = self.segment(0)
        self.assertEqual(len(made.block(0).memory), worker_block_bytes(made.slot_count))
        counts = SiteCounts(made, 0)
        counts.add(0, 200, 1)
        counts.add(None, 200, 1)
        self.assertEqual((counts.read(), total(made)), ([], []))

    def test_a_block_of_other_sites_is_none(self) -> None:
        made = self.segment(64)
        fd = made.block(0).fd
        for sites in (0, 63, 200):
            with self.assertRaisesRegex(SegmentError, "the block of a worker has 16384 bytes, not "):
                Segment.attach(os.dup(made.fd), {0: fd}, sites)
