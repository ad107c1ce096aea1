"""Questions that nobody asked: whether upstreams do well."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.node.applications.origin import Failure
from edge.node.applications.pool import OriginPool
from edge.node.applications.probing import ANSWER_SECONDS, PROBE_SECONDS, Probing
from tests.node.applications.parts import Asked, Scripted


class ProbingTests(SynchronousTestCase):
    """Two upstreams, of which the first does badly."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.members = [Scripted("one"), Scripted("two")]
        self.pool = OriginPool("app", self.members, self.clock)
        self.addCleanup(self.pool.stop)
        self.probing = Probing(self.pool, b"/health", b"app.example", self.clock)
        self.addCleanup(self.probing.stop)
        self.probing.start()

    def probe(self, member: Scripted) -> Asked:
        """What *member* was asked last."""
        asked = member.asked[-1]
        self.assertEqual((asked.question.target, asked.question.host), (b"/health", b"app.example"))
        return asked

    def test_each_is_asked_again_and_again(self) -> None:
        for count in (1, 2, 3):
            self.assertEqual([len(member.asked) for member in self.members], [count, count])
            for member in self.members:
                self.probe(member).answer(204)
            self.clock.advance(PROBE_SECONDS)
        self.assertEqual([member.health.rate for member in self.pool.dispatch.members], [0.0, 0.0])

    def test_a_bad_status_silence_and_a_failure_take_out_and_an_answer_takes_back(self) -> None:
        first = self.pool.dispatch.members[0]
        self.probe(self.members[0]).answer(500)
        self.clock.advance(PROBE_SECONDS)
        self.probe(self.members[0]).fail(Failure.AWAY)
        self.clock.advance(PROBE_SECONDS)
        self.clock.advance(ANSWER_SECONDS)
        self.assertTrue(self.members[0].asked[-1].cancelled)
        self.assertTrue(first.health.on_trial)
        self.clock.advance(PROBE_SECONDS)
        self.probe(self.members[0]).answer(302)
        self.assertFalse(first.health.on_trial)

    def test_an_endless_answer_is_one_at_its_head(self) -> None:
        asked = self.probe(self.members[0])
        asked.receiver.started(200, [], None)
        self.assertTrue(asked.cancelled)

    def test_stopped_it_leaves_nothing(self) -> None:
        self.probing.stop()
        self.assertEqual([member.asked[0].cancelled for member in self.members], [True, True])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.pool.dispatch.members[0].health.rate, 0.0)
