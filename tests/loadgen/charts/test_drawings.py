"""Lines, areas and bars stand where their numbers are; no number makes them fail."""

from __future__ import annotations

import math
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.charts import Series, bars, lines
from loadgen.charts.figure import BOTTOM, COLOURS, LEFT, RIGHT, TOP
from loadgen.charts.thinning import MOST
from tests.loadgen.charts.reading import data, drawing, one_line, points, texts


class LinesTests(SynchronousTestCase):
    """Lines and areas."""

    def test_a_line_stands_where_its_numbers_are(self) -> None:
        """Both ends of both axes."""
        self.assertEqual(list(points(one_line([0.0, 50.0, 100.0]))), [[(52, 258), (340, 144), (628, 30)]])

    def test_it_can_be_read_without_seeing_it(self) -> None:
        """Role, title and a description with the numbers."""
        svg = drawing(one_line([1.0, 3.0, 2.0]))
        self.assertEqual((svg.get("role"), svg.findtext("title")), ("img", "T"))
        self.assertEqual(svg.findtext("desc"), "ms over s. a: lowest 1, highest 3, last 2")

    def test_several_series_have_a_legend_and_one_has_none(self) -> None:
        """In the order in which they were given."""
        series = [Series(name, [0, 1], [1, 2]) for name in ("a", "b & c")]
        html = lines("T", series, x_label="s", y_label="ms")
        self.assertEqual(re.findall(r"</svg>([^<]*)</li>", html), ["a", "b &amp; c"])
        self.assertNotIn("<li>", one_line([1.0]))

    def test_more_series_than_colours_are_dashed(self) -> None:
        """No two look the same."""
        series = [Series(str(index), [0, 1], [1, 2]) for index in range(COLOURS + 1)]
        looks = re.findall(r'class="(line [^"]*)" d="M52', lines("T", series, x_label="s", y_label="ms"))
        self.assertEqual(len(set(looks)), COLOURS + 1)

    def test_what_is_no_number_is_a_gap(self) -> None:
        """NaN and infinity; a point alone between gaps is a dot."""
        html = one_line([1.0, 1.0, math.nan, 2.0, math.inf, 1.0, 1.0])
        self.assertEqual([len(run) for run in points(html)], [2, 2])
        self.assertEqual(len(list(drawing(html).iter("circle"))), 1)

    def test_without_a_number_it_says_so(self) -> None:
        """No series, an empty one, one of NaN; logarithmic, one of zeros."""
        for html in (
            lines("T", [], x_label="s", y_label="ms"),
            one_line([]),
            one_line([math.nan]),
            one_line([0.0, 0.0], y_log=True),
            one_line([], stacked=True),
        ):
            self.assertIn("no data", texts(html))

    def test_areas_stand_on_each_other(self) -> None:
        """The top of the last is the sum."""
        series = [Series("a", [0, 1], [25, 75]), Series("b", [0, 1], [75, math.nan])]
        html = lines("T", series, x_label="s", y_label="%", stacked=True)
        first, second = points(html, "area")
        self.assertEqual(first, [(52, 201), (628, 87), (628, 258), (52, 258)])
        self.assertEqual(second[:2], [(52, 30), (628, 87)])

    def test_a_hundred_thousand_points_keep_their_spike(self) -> None:
        """Few points are drawn, the highest is one of them, the gap still is one."""
        y = [1.0] * 100_000
        y[77_777] = 50.0
        y[30_000] = math.nan
        html = one_line(y)
        runs = list(points(html))
        self.assertEqual(len(runs), 2)
        self.assertLessEqual(sum(map(len, runs)), MOST + 3)
        self.assertEqual(min(y for run in runs for _, y in run), TOP)

    def test_values_of_x_can_have_words(self) -> None:
        """On the axis and in tooltips: the percentiles of an HDR plot."""
        html = lines("T", [Series("a", [1, 10, 100], [1, 2, 3])], x_label="", y_label="ms", x_log=True,
                     x_text=lambda x: f"{100 - 100 / x:g} %")  # fmt: skip
        for word in ("0 %", "90 %", "99 %"):
            self.assertIn(word, texts(html))
        self.assertEqual(data(html)["series"][0]["x"], ["0 %", "90 %", "99 %"])  # type: ignore[index]

    def test_moments_are_marked_where_they_are(self) -> None:
        """With their names; outside of the axis, or without data, there are none."""
        moments = [(0.0, "1"), (1.0, "2"), (9.0, "3")]
        html = lines("T", [Series("a", [0, 2], [1, 2])], x_label="s", y_label="ms", marks=moments)
        marks = [path.get("d") for path in drawing(html).iter("path") if path.get("class") == "mark"]
        self.assertEqual(marks, ["M52 30V258", "M340 30V258"])
        self.assertNotIn("mark", lines("T", [], x_label="s", y_label="ms", marks=moments))

    @settings(max_examples=100)
    @given(st.lists(st.floats(), max_size=8), st.lists(st.floats(), max_size=8), st.booleans(), st.booleans())
    def test_no_number_makes_it_fail_or_leaves_the_plot(
        self, x: list[float], y: list[float], log: bool, stacked: bool
    ) -> None:
        """Whatever a double can hold."""
        x = sorted(value for value in x if not math.isnan(value))[: len(y)]
        series = [Series("a", x, y[: len(x)]), Series("b", x, y[: len(x)])]
        html = lines(
            "T", series, x_label="s", y_label="ms", x_log=log, y_log=log, stacked=stacked and not log
        )
        for run in [*points(html), *points(html, "area")]:
            for across, up in run:
                self.assertTrue(LEFT - 1 <= across <= RIGHT + 1 and TOP <= up <= BOTTOM, (across, up))


class BarsTests(SynchronousTestCase):
    """Bars."""

    def test_a_bar_is_as_high_as_its_number(self) -> None:
        """From 0, also downwards; what is no number has none."""
        html = bars("T", ["a", "b", "c"], {"s": [100, math.nan, -100]}, y_label="n")
        rects = list(drawing(html).iter("rect"))
        self.assertEqual(
            [(rect.get("y"), rect.get("height")) for rect in rects], [("30", "114"), ("144", "114")]
        )
        self.assertIn("100", texts(html))

    def test_very_many_bars_become_few_with_their_highest(self) -> None:
        """And the note says so."""
        values = [1.0] * 100_000
        values[55_555] = 9.0
        html = bars("T", [str(at) for at in range(100_000)], {"s": values}, y_label="n")
        self.assertIn("Each bar is the highest of 695.", html)
        self.assertIn("9", data(html)["series"][0]["y"])  # type: ignore[index]

    def test_long_labels_are_cut_and_crowded_ones_left_out(self) -> None:
        """None covers another."""
        html = bars("T", ["x" * 200, "y"], {"s": [1, 2]}, y_label="n")
        self.assertTrue(all(len(text) < 50 for text in texts(html)))
        hours = [f"{hour:02}:00" for hour in range(96)]
        shown = [text for text in texts(bars("T", hours, {"s": [1.0] * 96}, y_label="n")) if ":" in text]
        self.assertLess(len(shown), 20)

    def test_nothing_is_said_to_be_nothing(self) -> None:
        """No labels, no series."""
        for html in (bars("T", [], {}, y_label="n"), bars("T", ["a"], {"s": []}, y_label="n")):
            self.assertIn("no data", texts(html))
