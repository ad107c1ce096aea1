"""From what a node counts to shares of what it has."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.load.meters import Capacity, Meters, Sample, Shares


class MetersTests(SynchronousTestCase):
    """From counters to shares."""

    def test_each_share_is_of_what_the_node_has(self) -> None:
        """Two cores, 1 Gbit/s, 1,000 connections, 50 ms of lag."""

        def sample(at: float) -> Sample:
            return Sample(at, 0.5 * at, int(100 * at), int(at), int(25_000_000 * at), 300, 20.0)

        meters = Meters(Capacity(cores=2, nic_bps=1e9, connections=1000))
        meters.observe(sample(0))
        measured = meters.observe(sample(2))
        self.assertEqual(measured.shares, Shares(cpu=0.25, egress=0.2, connections=0.3, lag=0.4))
        self.assertEqual((measured.rps, measured.eps, measured.egress_bps), (100, 1, 2e8))

    def test_impossible_capacities_do_not_divide_by_zero(self) -> None:
        """A container may report none."""
        meters = Meters(Capacity(cores=0, nic_bps=0, connections=0))
        self.assertEqual(meters.observe(Sample(0, 0, 0, 0, 0, 0, 0)).shares.utilization, 0)

    def test_another_capacity_changes_the_shares_and_not_the_rates(self) -> None:
        """The configuration was read anew: what was counted before still counts."""
        meters = Meters(Capacity(cores=1, nic_bps=1e9, connections=100))
        meters.observe(Sample(0, 0, 0, 0, 0, 50, 0))
        meters.capacity = Capacity(cores=1, nic_bps=1e9, connections=200)
        measured = meters.observe(Sample(1, 0, 30, 0, 0, 50, 0))
        self.assertEqual((measured.shares.connections, measured.rps), (0.25, 30))
