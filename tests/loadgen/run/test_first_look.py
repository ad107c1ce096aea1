"""``loadgen run`` without a scenario: a first look, whose scenario comes with the package."""

from __future__ import annotations

import argparse
import configparser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.coordinator.command import FIRST_LOOK, configure
from loadgen.run.coordinator.scenario_file import read

ROOT = Path(__file__).parents[3]


class FirstLook(SynchronousTestCase):
    """The scenario of who has none yet."""

    def test_no_scenario_is_the_first_look(self) -> None:
        parser = argparse.ArgumentParser()
        configure(parser)
        options = parser.parse_args(["--cluster", "http://localhost:8001"])
        self.assertEqual(options.scenario, FIRST_LOOK)

    def test_it_asks_for_little_and_leaves_most_of_a_minute_to_everything_else(self) -> None:
        scenario = read(FIRST_LOOK)
        self.assertLessEqual(scenario.duration_s, 20)
        self.assertLessEqual(scenario.users, 1000)
        self.assertLessEqual(scenario.site.pages, 50)
        self.assertTrue(scenario.thresholds)

    def test_it_is_installed_with_the_package(self) -> None:
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        package = ".".join(FIRST_LOOK.parent.relative_to(ROOT).parts)
        self.assertIn("*.toml", setup["options.package_data"][package])
