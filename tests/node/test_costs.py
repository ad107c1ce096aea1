"""What requests that were made to be costly cost, counted in calls of functions: the same on every machine.

``make bench BENCH=costs`` searches longer, by CPU time, which also sees what one call does with many bytes.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import costly

#: Calls that a request of 64 KiB may cause.  The costliest known: 33,000 for chunks of a byte, and 25,000
#: for a list of entity-tags, each in 4 ms.
MOST_CALLS = 40_000


class CostTests(SynchronousTestCase):
    """Requests of at most 64 KiB against the whole stack of a worker."""

    def setUp(self) -> None:
        self.victim = costly.Victim(costly.calls)
        self.addCleanup(self.victim.close)

    def test_a_short_search_for_the_costliest_request_finds_none_that_is_too_costly(self) -> None:
        found = costly.search(self.victim, Random(1), steps=6, repeats=1)
        self.assertEqual({one.kind for one in found}, set(costly.KINDS))
        too_costly = [one for one in found if one.cost > MOST_CALLS]
        self.assertEqual(too_costly, [])

    def test_the_measure_sees_work_that_grows_with_what_is_sent(self) -> None:
        few, many = (
            self.victim.cost(b"GET /asks/?" + b"a=%41&" * n + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            for n in (9, 900)
        )
        self.assertGreater(many, 10 * few)

    def test_recipes_are_requests_of_their_kind(self) -> None:
        for kind, recipe in costly.KINDS.items():
            request = recipe.bytes()
            self.assertLessEqual(len(request), costly.REQUEST_BYTES, kind)
            self.assertTrue(request.startswith(recipe.method), kind)
