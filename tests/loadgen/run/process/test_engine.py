"""A whole process of a run, its cluster in memory and its clock the test's: nothing is waited for."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.coordinator.merging import ReportMerger
from loadgen.run.messages.job import Job
from loadgen.run.messages.report import Report
from loadgen.run.messages.scenario import Scenario
from loadgen.run.process import assembly
from loadgen.run.process.assembly import assemble
from loadgen.run.process.engine import Engine
from tests.loadgen.run.memory_wire import Sent
from tests.loadgen.run.process.cluster import MS, START, MemoryCluster
from tests.loadgen.run.samples import NODES, Published, load

SECONDS = 8
RATE = 20.0


def chaos(seed: int, cluster: MemoryCluster) -> None:
    """Something happens ten times a second."""
    random = Random(seed)
    for number in range(50):
        node = random.randrange(4)
        happens = random.choice(
            [
                partial(cluster.dead.add, node),
                partial(cluster.silent.add, node),
                cluster.dead.clear,
                cluster.silent.clear,
                partial(cluster.latency.__setitem__, node, random.randrange(1, 400) * MS),
                partial(
                    cluster.publish, random.choice(["/", "/style.css", "/sw.js"]), b"version %d" % number
                ),
            ]
        )
        cluster.at(number / 10, happens)


class EngineTests(SynchronousTestCase):
    """300 users, for eight seconds."""

    def setUp(self) -> None:
        self.addCleanup(gc.unfreeze)
        self.patch(assembly, "raise_descriptor_limit", lambda wanted: None)

    def run_(
        self,
        prepare: Callable[[MemoryCluster], object] = lambda cluster: None,
        seed: int = 1,
        stop_after: int = 0,
        **given: Any,
    ) -> list[Report]:
        """The reports of a process; *prepare* says what happens meanwhile."""
        tables: dict[str, Any] = {
            "v": 1, "title": "x", "users": 300, "duration_s": SECONDS, "timeout_s": 2.0, "stale_ms": 1000,
            "arrivals": {"rate_per_s": RATE, "present": 0.1}, "session": {"think": {"mean_s": 1.0}},
            "cache": {"warm": 0.5, "pages": 2},
        }  # fmt: skip
        scenario = msgspec.convert(tables | given, Scenario)
        job = Job(
            scenario=scenario, site=Published().site(), nodes=NODES, users=scenario.users, seed=seed,
            rate_seconds=[0.0], rates=[scenario.arrivals.rate_per_s],
        )  # fmt: skip
        self.cluster = MemoryCluster()
        prepare(self.cluster)
        self.patch(assembly, "select", lambda *arguments: self.cluster)
        components = assemble(job)
        self.users = components.users
        process = Engine(components, scenario.duration_s, lambda: self.cluster.now)
        reports = []
        for report in process.run(START):
            reports.append(report)
            if len(reports) == stop_after:
                process.stop()
        process.close()
        self.merged = ReportMerger(1, NODES)
        for report in reports:
            self.merged.report(0, report)
        return reports

    def count(self, name: str) -> int:
        return self.merged.counts[name]

    def test_each_second_is_reported_and_the_last_report_marked(self) -> None:
        reports = self.run_()
        self.assertEqual([report.second.at for report in reports], list(range(len(reports))))
        self.assertEqual([report.last for report in reports], [False] * (len(reports) - 1) + [True])
        self.assertIn(len(reports), (SECONDS, SECONDS + 1, SECONDS + 2))

    def test_all_that_was_planned_is_sent_and_answered_and_right(self) -> None:
        reports = self.run_()
        planned = sum(report.second.planned for report in reports)
        self.assertEqual(planned, sum(report.second.answered for report in reports))
        self.assertEqual(planned, self.merged.offered)
        self.assertGreater(planned, SECONDS * RATE * 3)
        for name in ("failed", "wrong_answers", "stale_confirmations", "retries", "turned_away"):
            self.assertEqual(self.count(name), 0, name)
        self.assertEqual(self.merged.histograms["corrected"].count, planned)
        self.assertEqual(self.merged.histograms["lag"].highest, 1)
        self.assertLess(abs(self.merged.measures()["p99"] - 5), 0.1)

    def test_all_nodes_have_their_share(self) -> None:
        self.run_()
        self.assertLess(self.merged.measures()["herd_5s_mean"], 1.3)

    def history(self, seed: int) -> list[Sent]:
        self.run_(seed=seed)
        return self.cluster.asked

    def test_one_seed_one_run(self) -> None:
        """Who asks whom for what, and when."""
        one = self.history(1)
        self.assertEqual(one, self.history(1))
        self.assertNotEqual([asked.due for asked in one], [asked.due for asked in self.history(2)])

    def test_the_plan_of_page_views_does_not_depend_on_the_answers(self) -> None:
        """Slow nodes are not asked less: the load is open."""
        views = []
        for latency in (5, 300):
            self.run_(lambda cluster, latency=latency: setattr(cluster, "latency", [latency * MS] * 4))
            views.append([second.planned for second in self.merged.series][: SECONDS - 1])
            self.assertEqual(self.count("failed"), 0)
            self.page_views = self.count("page_views"), self.count("sessions")
            views[-1] = [*self.page_views]
        self.assertEqual(views[0], views[1])

    def test_first_visits_fetch_everything_and_returning_readers_hardly_anything(self) -> None:
        self.run_(cache={"warm": 0.0})
        cold = self.merged.measures()["share_304"]
        self.run_(cache={"warm": 1.0, "pages": 12})
        self.assertLess(cold, 0.7)
        self.assertGreater(self.merged.measures()["share_304"], 0.95)

    def test_a_node_that_dies_is_not_noticed(self) -> None:
        def die(cluster: MemoryCluster) -> None:
            cluster.say(load(ttl_ms=1000))
            cluster.at(3, lambda: cluster.dead.add(2))
            others = load(ttl_ms=1000, weights=(1, 1, 0, 1))
            cluster.at(4, lambda: cluster.say(others))

        self.run_(die)
        self.assertEqual(self.count("failed"), 0)
        self.assertGreater(self.count("retries"), 0)
        self.assertGreater(self.merged.nodes()[2].errors, 0)
        self.assertLessEqual(self.merged.measures()["retry_share"], 0.2)
        late = [asked for asked in self.cluster.asked if asked.node == 2 and asked.due > START + 6000 * MS]
        early = [asked for asked in self.cluster.asked if asked.node == 2 and asked.due < START + 2000 * MS]
        self.assertLess(len(late), len(early) / 2)

    def test_a_node_that_hangs_is_waited_for_no_longer_than_others_need(self) -> None:
        self.run_(lambda cluster: cluster.at(3, lambda: cluster.silent.add(1)))
        self.assertEqual(self.count("failed"), 0)
        self.assertGreater(self.count("hedges"), 0)
        self.assertLess(self.merged.measures()["p100"], 2000)

    def test_when_all_nodes_die_every_ask_has_a_reason(self) -> None:
        reports = self.run_(lambda cluster: cluster.at(2, lambda: cluster.dead.update(range(4))))
        errors: Counter[str] = Counter()
        for report in reports:
            errors.update(report.second.errors)
        self.assertEqual(sum(errors.values()), self.count("failed"))
        self.assertEqual(set(errors), {"no connection"})
        planned = sum(report.second.planned for report in reports)
        self.assertEqual(self.merged.histograms["corrected"].count + self.count("failed"), planned)

    def test_a_deploy_is_followed_without_a_stale_confirmation(self) -> None:
        self.run_(
            lambda cluster: cluster.at(3, lambda: cluster.publish("/style.css", b"h1 { color: green }"))
        )
        self.assertEqual((self.count("stale_confirmations"), self.count("wrong_answers")), (0, 0))
        fetched = [asked for asked in self.cluster.asked if asked.line.startswith("GET /style.css")]
        self.assertTrue([asked for asked in fetched if asked.due > START + 3000 * MS])

    def test_a_node_that_never_learns_of_it_is_found_out(self) -> None:
        def deploy(cluster: MemoryCluster) -> None:
            cluster.at(2, lambda: cluster.publish("/style.css", b"h1 { color: green }", nodes=(0, 1, 2)))

        self.run_(deploy)
        self.assertGreater(self.count("stale_confirmations"), 0)
        self.assertEqual(self.count("wrong_answers"), 0)

    def test_a_deploy_that_is_taken_back_makes_nobody_stale(self) -> None:
        def deploy(cluster: MemoryCluster) -> None:
            before = cluster.nodes[0].bodies["/style.css"]
            cluster.at(2, lambda: cluster.publish("/style.css", b"h1 { color: green }"))
            cluster.at(5, lambda: cluster.publish("/style.css", before))

        self.run_(deploy)
        self.assertEqual((self.count("stale_confirmations"), self.count("wrong_answers")), (0, 0))

    def test_whoever_has_gone_leaves_no_connection_behind(self) -> None:
        """Its last word to the wire is that it leaves."""
        self.run_(lambda cluster: cluster.at(3, lambda: cluster.dead.add(2)), duration_s=5.0)
        last = {asked.user: number for number, asked in enumerate(self.cluster.asked, 1)}
        gone = [user for user in last if not self.users.active[user]]
        self.assertGreater(len(gone), 50)
        for user in gone:
            self.assertGreaterEqual(self.cluster.left[user], last[user], user)

    def test_whatever_happens_every_ask_is_answered_or_has_failed(self) -> None:
        """Nodes die, hang, return and publish at random; nothing is lost, twice or called wrong."""
        for seed in range(6):
            self.run_(partial(chaos, seed), seed=seed, duration_s=5.0)
            ended = self.merged.histograms["corrected"].count + self.count("failed")
            self.assertEqual(ended, self.count("requests"), seed)
            self.assertEqual((self.count("wrong_answers"), self.count("stale_confirmations")), (0, 0), seed)
            self.assertLessEqual(self.count("hedges"), 300 + 0.05 * self.count("requests"), seed)
            self.assertEqual(sum(self.users.waiting), 0, seed)

    def test_who_waits_when_the_run_ends_has_failed(self) -> None:
        """Also who would still try: an answer after that would be none for a reader."""
        self.run_(lambda cluster: cluster.at(7.5, lambda: cluster.silent.update(range(4))))
        errors: Counter[str] = Counter()
        for second in self.merged.series:
            errors.update(second.errors)
        self.assertEqual(set(errors), {"no answer by the end"})
        self.assertEqual(errors["no answer by the end"], self.count("failed"))

    def test_stopping_reports_what_was_done(self) -> None:
        reports = self.run_(stop_after=3)
        self.assertEqual([report.last for report in reports], [False, False, False, True])
        self.assertGreater(self.merged.histograms["corrected"].count, 0)

    def test_every_policy_runs(self) -> None:
        for policy in ("least-loaded", "two-choices", "random", "one"):
            self.run_(policy=policy, duration_s=2.0)
            self.assertEqual((self.count("failed"), self.count("wrong_answers")), (0, 0), policy)

    def test_users_with_sockets_do_not_poll(self) -> None:
        self.run_(sockets={"share": 1.0})
        self.assertEqual(self.count("load_polls"), 0)
        reads = [asked for asked in self.cluster.asked if asked.line == "GET /.edge/load"]
        self.assertLessEqual(abs(len(reads) - 4 * SECONDS), 2)

    def test_more_sessions_than_users_make_the_run_invalid(self) -> None:
        reports = self.run_(users=20, arrivals={"rate_per_s": 50.0})
        self.assertGreater(self.count("turned_away"), 0)
        planned = sum(report.second.planned for report in reports)
        self.assertLess(self.merged.offered / planned, 0.9)

    def test_without_arrivals_only_those_who_are_there_look(self) -> None:
        self.run_(arrivals={"present": 1.0})
        self.assertEqual(self.count("sessions"), 300)
