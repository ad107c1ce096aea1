"""Results as JUnit XML and Markdown: every verdict, and names that servers choose."""

from __future__ import annotations

from xml.etree import ElementTree

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.pipelines import junit, markdown
from loadgen.pipelines.cases import cases
from loadgen.results import Result, Threshold, Verdict
from tests.loadgen.report.samples import sample

HELD = Threshold(text="p99 < 50ms", measured=12.5, held=True)
MISSED = Threshold(text="errors == 0", measured=7, held=False)
SAYS_NOTHING: tuple[Verdict, ...] = ("invalid", "error", "interrupted")


def result(verdict: Verdict, *thresholds: Threshold, reasons: tuple[str, ...] = ()) -> Result:
    """A small one."""
    return msgspec.structs.replace(
        sample(seconds=3),
        verdict=verdict,
        thresholds=list(thresholds),
        reasons=list(reasons),
        errors={"timeout": 7},
    )


class JunitTests(SynchronousTestCase):
    """JUnit XML."""

    def suite(self, one: Result) -> ElementTree.Element:
        suite = ElementTree.fromstring(junit.document(one).encode()).find("testsuite")
        assert suite is not None
        found = suite.findall("testcase")
        self.assertEqual(int(suite.get("tests", "")), len(found))
        self.assertEqual(int(suite.get("failures", "")), len(suite.findall("testcase/failure")))
        self.assertEqual(int(suite.get("errors", "")), len(suite.findall("testcase/error")))
        return suite

    def test_a_good_run_has_neither_failures_nor_errors(self) -> None:
        suite = self.suite(result("ok", HELD))
        self.assertEqual((suite.get("failures"), suite.get("errors"), suite.get("tests")), ("0", "0", "2"))

    def test_a_missed_threshold_is_the_failure_of_its_case(self) -> None:
        suite = self.suite(result("threshold", HELD, MISSED, reasons=("errors == 0: it is 7",)))
        failed = [case.get("name") for case in suite.findall("testcase") if case.find("failure") is not None]
        self.assertEqual(failed, ["errors == 0"])

    def test_what_fails_a_run_without_a_threshold_is_a_failure_too(self) -> None:
        for reasons in (("3 answers that are not what was published",), ()):
            self.assertEqual(self.suite(result("threshold", HELD, reasons=reasons)).get("failures"), "1")

    def test_a_run_that_says_nothing_is_an_error_and_no_pass(self) -> None:
        for verdict in SAYS_NOTHING:
            self.assertEqual(self.suite(result(verdict, HELD, reasons=("late",))).get("errors"), "1")

    @given(st.text(max_size=60))
    @settings(max_examples=60, deadline=None)
    def test_whatever_names_have_in_them_it_is_xml(self, text: str) -> None:
        one = result("error", MISSED, reasons=(text,))
        self.suite(msgspec.structs.replace(one, title=text, cluster=text))


class MarkdownTests(SynchronousTestCase):
    """Markdown."""

    def test_it_says_verdict_reasons_thresholds_and_failures(self) -> None:
        text = markdown.document(result("threshold", HELD, MISSED, reasons=("errors == 0: it is 7",)))
        held = "| p99 &lt; 50ms | 12.5 ms | held |"
        for part in ("threshold missed", held, "**missed**", "| timeout | 7 |"):
            self.assertIn(part, text)

    def test_names_mean_nothing_to_markdown_or_html(self) -> None:
        evil = "<img src=x>|](http://evil) **bold** `code` @team\n# head"
        text = markdown.document(msgspec.structs.replace(result("ok"), title=evil, errors={evil: 1}))
        for part in ("<img", "](http", "\n# head"):
            self.assertNotIn(part, text)
        (row,) = (line for line in text.splitlines() if line.endswith("| 1 |"))
        self.assertEqual(row.replace("\\|", "").count("|"), 3)

    def test_every_verdict_has_a_case_that_says_it(self) -> None:
        for verdict in ("threshold", *SAYS_NOTHING):
            self.assertTrue(any(case.failure for case in cases(result(verdict))))  # type: ignore[arg-type]
        self.assertFalse(any(case.failure for case in cases(result("ok", HELD))))
