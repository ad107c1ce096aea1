"""The last line of ``make test`` counts right."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tools.run_tests import OVER_HTTPS, ROOT, TIMED_FILE, count_native, count_node, count_trial


class CountTests(SynchronousTestCase):
    """The counts (passed, failed) in the printed output."""

    def test_trial_that_passed(self) -> None:
        self.assertEqual(count_trial("Ran 3 tests in 0.1s\n\nPASSED (successes=3)\n", 0), (3, 0))

    def test_errors_count_as_failures(self) -> None:
        output = "FAILED (failures=1, errors=2, unexpectedSuccesses=1, successes=5)\n"
        self.assertEqual(count_trial(output, 1), (5, 4))

    def test_only_the_last_summary_counts(self) -> None:
        self.assertEqual(
            count_trial("PASSED (successes=9)\nPASSED (expectedFailures=1, successes=1)\n", 0), (2, 0)
        )

    def test_a_share_of_which_all_is_skipped_has_not_failed(self) -> None:
        self.assertEqual(count_trial("PASSED (skips=2)\n", 0), (0, 0))
        self.assertEqual(count_trial("Ran 0 tests in 0.000s\n\nPASSED\n", 0), (0, 1))

    def test_trial_that_broke_off_has_failed(self) -> None:
        self.assertEqual(count_trial("Segmentation fault\n", -11), (0, 1))
        self.assertEqual(count_trial("", 0), (0, 1))

    def test_a_summary_does_not_hide_an_exit_code(self) -> None:
        self.assertEqual(count_trial("PASSED (successes=3)\n", 1), (3, 1))

    def test_native_tests_are_counted_by_their_lines(self) -> None:
        self.assertEqual(count_native("ok - a\nnot ok - b\nok - c\n  ok - no\n", 2), (2, 1))

    def test_the_tests_of_the_client_are_counted_by_their_summary(self) -> None:
        self.assertEqual(count_node("# pass 3\n# fail 0\n# cancelled 0\n", 0), (3, 0))
        self.assertEqual(count_node("# pass 3\n# fail 1\n# cancelled 1\n", 1), (3, 2))
        self.assertEqual(count_node("SyntaxError\n", 1), (0, 1))
        self.assertEqual(count_node("# pass 0\n# fail 0\n", 0), (0, 1))

    def test_what_is_to_be_tried_over_https_exists(self) -> None:
        titles = (ROOT / TIMED_FILE).read_text()
        self.assertEqual([title for title in OVER_HTTPS if f'test("{title}"' not in titles], [])

    def test_native_tests_that_did_not_build_have_failed(self) -> None:
        self.assertEqual(count_native("cc: error\n", 2), (0, 1))
        self.assertEqual(count_native("ok - a\nASan: heap-buffer-overflow\n", 1), (1, 1))
