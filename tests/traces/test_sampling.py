"""Which traces are recorded."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from twisted.trial.unittest import SynchronousTestCase

from edge.traces.context import Context
from edge.traces.sampling import Sampler, below


def sampler(ratio: float, seed: int = 1) -> Sampler:
    return Sampler(ratio, random.Random(seed).randbytes)


class SamplerTests(SynchronousTestCase):
    """:class:`edge.traces.sampling.Sampler`."""

    def test_all_none_and_a_share(self) -> None:
        for ratio, least, most in ((0.0, 0, 0), (1.0, 4000, 4000), (0.25, 900, 1100)):
            one = sampler(ratio)
            taken = sum(one.begin(None).is_sampled for _ in range(4000))
            self.assertTrue(least <= taken <= most, (ratio, taken))

    def test_each_request_is_a_trace_of_its_own(self) -> None:
        one = sampler(1)
        contexts = [one.begin(None) for _ in range(1000)]
        self.assertEqual(len({context.trace_id for context in contexts}), 1000)
        self.assertEqual(len({context.span_id for context in contexts}), 1000)

    @given(st.floats(0, 1), st.integers(0, 1 << 32))
    def test_it_decides_as_opentelemetry_does(self, ratio: float, seed: int) -> None:
        context = sampler(ratio, seed).begin(None)
        theirs = TraceIdRatioBased(ratio).should_sample(None, int.from_bytes(context.trace_id, "big"), "")
        self.assertEqual(context.is_sampled, theirs.decision is Decision.RECORD_AND_SAMPLE)

    def test_who_is_believed_decides_whatever_the_share_is(self) -> None:
        for ratio in (0.0, 1.0):
            for flags in (0, 1, 3):
                parent = Context(b"t" * 16, b"s" * 8, flags, b"a=b")
                context = sampler(ratio).begin(parent)
                self.assertEqual(context[:1] + context[2:], parent[:1] + parent[2:])
                self.assertNotEqual(context.span_id, parent.span_id)

    def test_no_number_is_zero(self) -> None:
        drawn = iter([bytes(16), b"1" * 16, bytes(8), b"2" * 8, bytes(8), b"3" * 8])
        context = Sampler(1, lambda size: next(drawn)).begin(None)
        self.assertEqual((context.trace_id, context.span_id), (b"1" * 16, b"2" * 8))
        self.assertEqual(below(context, lambda size: next(drawn)).span_id, b"3" * 8)
