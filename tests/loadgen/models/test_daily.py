"""The daily curve."""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models import daily


class ADay(SynchronousTestCase):
    """The daily curve."""

    def test_its_mean_is_one_and_its_peak_what_was_asked_for(self) -> None:
        for peak in (1.0, 1.5, 4.4, 24.0):
            rates = daily.curve(np.arange(0, daily.DAY_S, 10), peak, 72_000.0)
            np.testing.assert_allclose(rates.mean(), 1.0, rtol=1e-6)
            np.testing.assert_allclose(rates.max(), peak, rtol=1e-6)
            if peak > 1:
                self.assertEqual(int(rates.argmax()), 7200)

    def test_nights_are_not_empty(self) -> None:
        """Who comes at any hour alike is not undercut; mean and peak stay what they are."""
        for trough in (0.05, 0.2, 0.9, 1.0):
            rates = daily.curve(np.arange(0, daily.DAY_S, 10), 4.4, 72_000.0, trough)
            np.testing.assert_allclose(rates.mean(), 1.0, rtol=1e-6)
            self.assertGreaterEqual(float(rates.min()), trough - 1e-9)
            if trough < 1:
                np.testing.assert_allclose(rates.max(), 4.4, rtol=1e-6)
                self.assertLess(float(rates.min()), trough + 0.05)
