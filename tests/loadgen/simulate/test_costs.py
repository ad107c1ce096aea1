"""The matrix of costs."""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen import constants
from loadgen.demand.exchanges import STALE_BYTES, Exchanges
from loadgen.demand.wire import Wire
from loadgen.simulate.costs import CPU, KIND, KINDS, LINK_IN, LINK_OUT, PAYLOAD_IN, PAYLOAD_OUT, matrix
from loadgen.simulate.inputs import ClusterInputs, Population


class Costs(SynchronousTestCase):
    """The matrix of costs."""

    def test_a_batch_of_thirteen_costs_what_was_measured(self) -> None:
        measured = constants.load()
        counts = np.zeros(len(KINDS))
        counts[KIND["batch"]], counts[KIND["validator"]] = 1, 13
        found = counts @ matrix(measured, Population(path_bytes=30), ClusterInputs())
        self.assertAlmostEqual(found[CPU], measured.batch_s + 13 * measured.validator_s)
        asked = measured.batch_request_bytes + 13 * (measured.validator_bytes + 30)
        self.assertAlmostEqual(found[PAYLOAD_IN], asked)
        self.assertAlmostEqual(found[PAYLOAD_OUT], measured.batch_answer_bytes)
        inbound, outbound = Wire().exchange(asked, measured.batch_answer_bytes)
        self.assertAlmostEqual(found[LINK_IN], inbound.bytes)
        self.assertAlmostEqual(found[LINK_OUT], outbound.bytes)

    def test_a_line_through_two_sizes_is_right_for_both(self) -> None:
        measured, users = constants.load(), Population(page_bytes=30_000.0, asset_bytes=400.0)
        costs = matrix(measured, users, ClusterInputs())
        each = Exchanges(measured, Wire(), 4, path_bytes=users.path_bytes)
        for lines in (13, 8):
            row = costs[KIND["batch"]] + lines * costs[KIND["validator"]]
            self.assertAlmostEqual(row[LINK_IN], each.batch(lines).inbound.bytes)
        for size in (30_000, 400):
            row = costs[KIND["newer"]] + size * costs[KIND["page_byte"]]
            self.assertAlmostEqual(row[LINK_IN], each.new_version(size).inbound.bytes)
            self.assertAlmostEqual(row[LINK_OUT], each.new_version(size).outbound.bytes + STALE_BYTES)

    def test_tls_adds_to_requests_and_connections(self) -> None:
        measured = constants.load()
        encrypted = ClusterInputs(tls=True, tls_resumed_share=0.25)
        more = matrix(measured, Population(), encrypted) - matrix(measured, Population(), ClusterInputs())
        self.assertAlmostEqual(float(more[KIND["batch"], 0]), measured.tls_request_s)
        handshakes = 0.75 * measured.handshake_s + 0.25 * measured.resumed_s
        self.assertAlmostEqual(float(more[KIND["connect"], CPU]), handshakes)
        self.assertAlmostEqual(float(more[KIND["validator"], CPU]), 0.0)
        self.assertGreater(float(more[KIND["lone"], LINK_OUT]), 20)
