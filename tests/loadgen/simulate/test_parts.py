"""The parts of a simulation: the wave of a day, ages in caches, costs, nodes."""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen import constants
from loadgen.capacity.exchanges import STALE_BYTES, Exchanges
from loadgen.capacity.wire import Wire
from loadgen.models import choice, daily
from loadgen.simulate.cache_age_model import CacheAgeModel, Popularity, Shelves
from loadgen.simulate.costs import CPU, KIND, KINDS, LINK_IN, LINK_OUT, PAYLOAD_IN, PAYLOAD_OUT, matrix
from loadgen.simulate.inputs import Cluster, Failure, Spike, Users
from loadgen.simulate.nodes import Nodes
from loadgen.simulate.wave import Wave
from tests.loadgen.simulate.worlds import inputs


class ADay(SynchronousTestCase):
    """The daily curve."""

    def test_its_mean_is_one_and_its_peak_what_was_asked_for(self) -> None:
        for peak in (1.0, 1.5, 4.4, 24.0):
            rates = daily.curve(np.arange(0, daily.DAY_S, 10), peak, 72_000.0)
            np.testing.assert_allclose(rates.mean(), 1.0, rtol=1e-6)
            np.testing.assert_allclose(rates.max(), peak, rtol=1e-6)
            if peak > 1:
                self.assertEqual(int(rates.argmax()), 7200)


class TheWave(SynchronousTestCase):
    """Rates of sessions, and time stretched by them."""

    def test_operational_time_and_back(self) -> None:
        wave = Wave(inputs(hours=24.0, peak_to_mean=4.4, spikes=(Spike(50_000.0, 600.0, 5.0),)))
        times = np.array([-200_000.0, -1.0, 0.0, 1234.5, 50_100.0, 86_000.0])
        np.testing.assert_allclose(wave.second(wave.operational(times)), times, atol=1e-3)

    def test_a_day_has_as_many_sessions_as_fit_into_it(self) -> None:
        wave = Wave(inputs(hours=24.0, peak_to_mean=4.4, return_interval_s=7200.0))
        self.assertLess(abs(float(wave.operational(86_400.0)) - 12), 0.01)

    def test_a_spike_multiplies_at_once_and_fades(self) -> None:
        plain, news = Wave(inputs()), Wave(inputs(spikes=(Spike(600.0, 60.0, 5.0),)))
        ratio = news.rates(np.array([599.0, 600.0, 660.0, 1199.0])) / plain.rates(0.0)
        np.testing.assert_allclose(ratio, [1, 5, 1 + 4 / np.e, 1], atol=0.01)

    def test_after_the_end_there_is_nothing(self) -> None:
        wave = Wave(inputs(hours=24.0))
        self.assertEqual(float(wave.second(1e9)), np.inf)


class WhatIsKept(SynchronousTestCase):
    """Caches and the ages of what is in them."""

    def test_a_shelf_drops_what_came_first_whatever_was_confirmed_since(self) -> None:
        shelves = Shelves(Users(pages=10, kept_pages=2), 1)
        found = []
        for number, page in enumerate([1, 2, 1, 3, 1, 2]):
            pages, clocks = np.array([page]), np.full((3, 1), float(number))
            kept, place = shelves.find(pages)
            found.append(float(shelves.age(place, clocks)[0, 0]) if kept[0] else None)
            shelves.put(pages, kept, place, clocks, np.array([True]))
        # 1 is confirmed after 2 views, but 3 takes its place, then 1 that of 2, then 2 that of 3.
        self.assertEqual(found, [None, None, 2.0, None, None, None])

    def test_first_views_hit_as_often_as_probability_says(self) -> None:
        users = Users(pages=20, kept_pages=50)
        cache_ages = CacheAgeModel(users, np.random.default_rng(1))
        weights = 1 / np.arange(1, 21)
        weights /= weights.sum()
        for views in (0, 1, 2, 5, 9):
            expected = float((weights * (1 - (1 - weights) ** views)).sum())
            self.assertLess(abs(float(cache_ages.kept[views]) - expected), 0.02)

    def test_copies_get_older_and_none_is_older_than_for_ever(self) -> None:
        cache_ages = CacheAgeModel(Users(kept_pages=12), np.random.default_rng(1))
        before = cache_ages.kept
        np.testing.assert_allclose(cache_ages.older(0.0, 0.0), cache_ages.kept)
        for age in (1.0, 20.0, 100.0, 1e9):
            now = cache_ages.older(age, age / 14_400)
            self.assertTrue((now <= before + 1e-12).all())
            before = now
        self.assertEqual(float(before.sum()), 0.0)

    def test_popular_pages_are_looked_at_in_proportion(self) -> None:
        pages = Popularity(Users(pages=3, zipf=1.0)).draw(np.random.default_rng(2), 60_000)
        np.testing.assert_allclose(np.bincount(pages) / 60_000, np.array([6, 3, 2]) / 11, atol=0.01)


class Costs(SynchronousTestCase):
    """The matrix of costs."""

    def test_a_batch_of_thirteen_costs_what_was_measured(self) -> None:
        measured = constants.load()
        counts = np.zeros(len(KINDS))
        counts[KIND["batch"]], counts[KIND["validator"]] = 1, 13
        found = counts @ matrix(measured, Users(path_bytes=30), Cluster())
        self.assertAlmostEqual(found[CPU], measured.batch_s + 13 * measured.validator_s)
        asked = measured.batch_request_bytes + 13 * (measured.validator_bytes + 30)
        self.assertAlmostEqual(found[PAYLOAD_IN], asked)
        self.assertAlmostEqual(found[PAYLOAD_OUT], measured.batch_answer_bytes)
        inbound, outbound = Wire().exchange(asked, measured.batch_answer_bytes)
        self.assertAlmostEqual(found[LINK_IN], inbound.bytes)
        self.assertAlmostEqual(found[LINK_OUT], outbound.bytes)

    def test_a_line_through_two_sizes_is_right_for_both(self) -> None:
        measured, users = constants.load(), Users(page_bytes=30_000.0, asset_bytes=400.0)
        costs = matrix(measured, users, Cluster())
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
        encrypted = Cluster(tls=True, tls_resumed_share=0.25)
        more = matrix(measured, Users(), encrypted) - matrix(measured, Users(), Cluster())
        self.assertAlmostEqual(float(more[KIND["batch"], 0]), measured.tls_request_s)
        handshakes = 0.75 * measured.handshake_s + 0.25 * measured.resumed_s
        self.assertAlmostEqual(float(more[KIND["connect"], CPU]), handshakes)
        self.assertAlmostEqual(float(more[KIND["validator"], CPU]), 0.0)
        self.assertGreater(float(more[KIND["lone"], LINK_OUT]), 20)


class TheNodes(SynchronousTestCase):
    """Loads and what is published of them."""

    def nodes(self, *failures: Failure) -> Nodes:
        costs = np.zeros((len(KINDS), 5))
        costs[KIND["page"], 0] = 0.001
        return Nodes(Cluster(nodes=2, cores=1.0, age_s=5.0), costs, failures, 1.0)

    def load(self, *requests: float) -> np.ndarray:
        counts = np.zeros((2, len(KINDS)))
        counts[:, KIND["page"]] = requests
        return counts

    def test_clients_know_of_a_load_five_seconds_later(self) -> None:
        nodes = self.nodes()
        for second in range(1, 20):
            nodes.step(float(second), self.load(800, 100), np.zeros(2))
            if second < 5:
                self.assertEqual(nodes.figures.utilizations.tolist(), [0.0, 0.0])
        np.testing.assert_allclose(nodes.figures.utilizations, [0.8, 0.1])
        self.assertLess(nodes.figures.weights[0], nodes.figures.weights[1])

    def test_what_is_more_than_a_node_can_do_waits(self) -> None:
        nodes = self.nodes()
        for second in range(1, 4):
            found = nodes.step(float(second), self.load(1500, 500), np.zeros(2))
        np.testing.assert_allclose(found.backlog, [1.5, 0.0])
        self.assertGreater(found.p99_s[0], 1.5)
        np.testing.assert_allclose(found.p99_s[1], np.log(100) * 0.001 / 0.5, rtol=1e-6)

    def test_a_dead_node_has_no_weight_once_that_is_known_and_all_of_it_when_it_is_back(self) -> None:
        nodes = self.nodes(Failure(10.0, 20.0, 1))
        weights = {}
        for second in range(1, 40):
            up = nodes.up(float(second - 1))
            nodes.step(float(second), self.load(500, 500) * up[:, np.newaxis], np.zeros(2))
            weights[second] = nodes.figures.weights.copy()
        self.assertGreater(weights[15][1], 0)
        self.assertEqual(weights[18][1], 0.0)
        self.assertGreater(weights[36][1], weights[9][1])
        self.assertEqual(choice.redraw_share([0.5, 0.0], weights[18]), 0.25)
