"""The session rate of a day, and time stretched by them."""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.simulate.inputs import Spike
from loadgen.simulate.session_rate import SessionRate
from tests.loadgen.simulate.worlds import inputs


class SessionRateTests(SynchronousTestCase):
    """Rates of sessions, and time stretched by them."""

    def test_operational_time_and_back(self) -> None:
        rate = SessionRate(inputs(hours=24.0, peak_to_mean=4.4, spikes=(Spike(50_000.0, 600.0, 5.0),)))
        times = np.array([-200_000.0, -1.0, 0.0, 1234.5, 50_100.0, 86_000.0])
        np.testing.assert_allclose(rate.second(rate.operational(times)), times, atol=1e-3)

    def test_a_day_has_as_many_sessions_as_fit_into_it(self) -> None:
        rate = SessionRate(inputs(hours=24.0, peak_to_mean=4.4, return_interval_s=7200.0))
        self.assertLess(abs(float(rate.operational(86_400.0)) - 12), 0.01)

    def test_a_spike_multiplies_at_once_and_fades(self) -> None:
        plain, news = SessionRate(inputs()), SessionRate(inputs(spikes=(Spike(600.0, 60.0, 5.0),)))
        ratio = news.rates(np.array([599.0, 600.0, 660.0, 1199.0])) / plain.rates(0.0)
        np.testing.assert_allclose(ratio, [1, 5, 1 + 4 / np.e, 1], atol=0.01)

    def test_after_the_end_there_is_nothing(self) -> None:
        rate = SessionRate(inputs(hours=24.0))
        self.assertEqual(float(rate.second(1e9)), np.inf)
