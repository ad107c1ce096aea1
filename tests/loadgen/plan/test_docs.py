"""``docs/explanation/capacity.md`` says what the commands in it print."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.capacity_page import PAGE, renewed


class CapacityTests(SynchronousTestCase):
    """The tables and verdicts in the text."""

    def test_everything_shown_is_what_its_command_prints(self) -> None:
        """``python -m benchmarks.capacity_page`` would change nothing."""
        text = PAGE.read_text()
        self.assertGreater(len(re.findall(r"<!-- (verdict|workloads|resources|map) -->", text)), 8)
        self.assertEqual(renewed(text).splitlines(), text.splitlines())

    def test_figures_in_sentences_stand_in_a_table_of_the_page(self) -> None:
        """Percentages and factors of the result; what is assumed or explained elsewhere is not one."""
        shown = "".join(re.findall(r"<!-- \w+ -->\n.*?<!-- end -->", PAGE.read_text(), re.DOTALL))
        told = re.sub(r"<!-- \w+ -->\n.*?<!-- end -->|```.*?```", "", PAGE.read_text(), flags=re.DOTALL)
        for figure in re.findall(r"\b\d+(?:\.\d+)?%", told):
            self.assertIn(figure, shown)
