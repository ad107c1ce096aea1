"""The page: everything about one run, or several compared, and nothing that text could become."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from loadgen.report.document import document
from loadgen.results import Second
from tests.loadgen.charts.reading import HOSTILE, Elements
from tests.loadgen.report.samples import runs, sample
from tests.loadgen.test_results import result


class Text(HTMLParser):
    """The text of each element of some kinds."""

    def __init__(self, html: str, *kinds: str) -> None:
        super().__init__()
        self._kinds = kinds
        self._open = ""
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin one."""
        if tag in self._kinds:
            self._open = tag
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        if tag == self._open:
            self._open = ""

    def handle_data(self, data: str) -> None:
        """Collect."""
        if self._open:
            self.found[-1] += data


def titles(html: str) -> list[str]:
    """Of charts and panels."""
    return Text(html, "h3").found


class OneRunTests(SynchronousTestCase):
    """A report of one run."""

    def test_every_figure_has_its_chart(self) -> None:
        """Each is well-formed, has a title of its own and draws something."""
        html = document(runs(sample(seconds=60)))
        charts = re.findall(r'<div class="plot">(<svg.*?</svg>)</div>', html, re.DOTALL)
        drawn = [ElementTree.fromstring(chart) for chart in charts]
        self.assertEqual(
            [svg.findtext("title") for svg in drawn],
            [
                "Requests",
                "Latency",
                "Latency by percentile",
                "Users and connections",
                "Share of each node",
                "Copies that were confirmed",
                "Bytes",
                "Errors",
                "Pushes",
                "Delay of pushes",
                "The generator's own lag",
            ],
        )
        for svg in drawn:
            self.assertNotIn("no data", [text.text for text in svg.iter("text")], svg.findtext("title"))

    def test_the_verdict_comes_first_with_every_threshold(self) -> None:
        """What was missed, what was measured, what was run."""
        html = document(runs(sample(seconds=60, verdict="threshold")))
        banner = html[html.index("<main>") :][: html.index("</section>") - html.index("<main>")]
        self.assertIn('class="banner bad"', banner)
        self.assertIn("Failed: 1 of 3 thresholds missed", banner)
        self.assertRegex(banner, r'<li class="bad">.*errors == 0: [0-9]+</li>')
        self.assertRegex(banner, r'<li class="good">.*p99 &lt; 50ms: [0-9.]+ ms</li>')
        self.assertIn("returning-readers on http://localhost:8001, 2025-11-25 02:00:01 UTC, 60 s", banner)
        self.assertEqual(banner.count("errors == 0"), 1)

    def test_each_verdict_has_words_and_reasons(self) -> None:
        """Whatever it is."""
        for verdict, words in (
            ("ok", "Passed"),
            ("invalid", "Invalid: the generator"),
            ("error", "Failed with an error"),
            ("interrupted", "Interrupted"),
        ):
            html = document(runs(result(verdict=verdict, reasons=["because of <this>"])))
            self.assertIn(words, html)
            self.assertIn("because of &lt;this&gt;", html)

    def test_what_happened_is_numbered_in_table_and_charts(self) -> None:
        """The notes of the seconds, in order."""
        html = document(runs(sample(seconds=100)))
        self.assertIn("<td>1</td><td>0:40</td><td>n3 was killed</td>", html)
        self.assertIn("<td>3</td><td>1:10</td><td>the news spreads</td>", html)
        requests = html[html.index("<title>Requests</title>") :]
        self.assertEqual(requests[: requests.index("</svg>")].count('class="mark"'), 3)

    def test_key_figures_are_those_of_the_run(self) -> None:
        """As cards: name, value, note."""
        one = sample(seconds=60)
        found = Text(document(runs(one)), "dt", "b", "small").found
        cards = {found[at]: found[at + 1 : at + 3] for at in range(0, len(found) - 2) if found[at]}
        answered = sum(one.statuses.values())
        self.assertEqual(cards["Errors"][0], str(sum(one.errors.values())))
        self.assertEqual(cards["Confirmed copies"][0], "97.4 %")
        self.assertEqual(cards["Herd index"][0], "1.06")
        self.assertTrue(cards["Requests answered"][0].endswith("k"), answered)
        self.assertIn("from the actual send", cards["Latency p99"][1])

    def test_a_run_that_did_nothing_has_a_page(self) -> None:
        """Interrupted at once: no second, no node, no histogram; a second without anything."""
        for empty in (result(), result(series=[Second(at=0)]), result(seconds=0.0, began=1e18)):
            html = document(runs(empty))
            self.assertIn("no data", html)
            self.assertIn("Requests answered", html)

    def test_a_long_run_has_hours(self) -> None:
        """And few points for each line, so that the page stays small."""
        series = [Second(at=at, planned=at % 100, latency_ms=[1.0] * 5) for at in range(86_400)]
        html = document(runs(result(series=series)))
        self.assertIn(">h</text>", html)
        self.assertLess(len(html), 1_500_000)

    def test_hostile_names_stay_text(self) -> None:
        """Of scenario, cluster, nodes, reasons, statuses, thresholds, counts."""
        one = sample(seconds=20, verdict="threshold")
        one.scenario = one.title = one.cluster = one.policy = HOSTILE
        one.reasons = [HOSTILE]
        one.thresholds[0].text = HOSTILE
        one.nodes[0].id = one.nodes[0].url = HOSTILE
        one.counts[HOSTILE] = one.statuses[HOSTILE] = one.errors[HOSTILE] = 1
        one.series[0].nodes[HOSTILE] = one.series[0].errors[HOSTILE] = one.series[0].statuses[HOSTILE] = 1
        plain = Elements(document(runs(sample(seconds=20, verdict="threshold"))))
        for html in (document(runs(one)), document(runs(one, sample(seconds=20)))):
            elements = Elements(html)
            self.assertNotIn("img", elements.names)
            self.assertEqual([name for name, _ in elements.attributes if name.startswith("on")], [])
            scripts = re.findall(r"<script([^>]*)>", html)
            self.assertEqual(set(scripts), {' type="application/json"', ""})
            self.assertEqual(scripts.count(""), 1)
        self.assertIn("figure", plain.names)


class SeveralRunsTests(SynchronousTestCase):
    """A report of several runs."""

    def test_each_run_has_a_line_in_each_chart(self) -> None:
        """Under its name, in one colour everywhere; a banner and a table of nodes each."""
        html = document(runs(sample(seconds=30), sample(seconds=40, policy="random", verdict="invalid")))
        names = ["returning-readers (smart)", "returning-readers (random)"]
        legends = [
            re.findall(r"</svg>([^<]*)</li>", legend) for legend in re.findall(r"<ul class=.*?</ul>", html)
        ]
        compared = [legend for legend in legends if legend != ["n1", "n2", "n3", "n4"]]
        self.assertTrue(all(legend == names for legend in compared), compared)
        self.assertEqual(len(legends) - len(compared), 2)
        self.assertEqual(html.count('class="banner'), 2)
        for name in names:
            self.assertIn(f"<h2>Nodes: {name}</h2>", html)

    def test_what_is_compared_stands_side_by_side(self) -> None:
        """Charts of single figures, key figures in a table."""
        html = document(runs(sample(seconds=30), sample("other", seconds=30)))
        for title in ("Requests: answered", "Latency: p99", "Latency by percentile, raw", "Bytes: sent"):
            self.assertIn(title, titles(html))
        table = html[html.index("<table>") : html.index("</table>")]
        self.assertIn("<th>returning-readers</th><th>other</th>", table)
        self.assertIn("<td>Verdict</td><td>ok</td><td>ok</td>", table)

    def test_a_run_without_what_others_have_does_not_hide_it(self) -> None:
        """No pushes, no histogram, no seconds in one of them."""
        html = document(runs(result(), sample(seconds=30)))
        self.assertIn("Pushes: received", titles(html))
        self.assertIn("Latency by percentile, corrected", titles(html))


class NamesTests(SynchronousTestCase):
    """Each run has a name of its own."""

    def test_what_differs_makes_the_name(self) -> None:
        """Scenario, policy, users, time, else a number."""
        base = result()

        def named(*changes: dict[str, object]) -> list[str]:
            return [
                run.name for run in runs(*(msgspec.structs.replace(base, **change) for change in changes))
            ]

        self.assertEqual(named({}), ["test"])
        self.assertEqual(named({}, {"scenario": "b"}), ["test", "b"])
        self.assertEqual(named({}, {"policy": "random"}), ["test (smart)", "test (random)"])
        self.assertEqual(named({}, {"users": 1000}), ["test (1 users)", "test (1,000 users)"])
        self.assertEqual(named({}, {"began": 60.0})[1], "test (1970-01-01 00:01:00 UTC)")
        self.assertEqual(named({}, {}, {"scenario": "b"}), ["test #1", "test #2", "b #1"])
        self.assertEqual(named({"scenario": ""}), ["run"])
        self.assertEqual(named({"scenario": "scenarios/news.toml"}, {"scenario": "b.toml"}), ["news", "b"])
