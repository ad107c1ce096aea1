"""Charts: what is drawn is what was given, whatever that is; pages load nothing and let nothing in."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import loadgen.charts
from loadgen.charts import Series, bars, lines, page, table
from loadgen.charts.figure import BOTTOM, COLOURS, LEFT, RIGHT, TOP
from loadgen.charts.numbers import binary, plain, short, size
from loadgen.charts.scale import linear, logarithmic
from loadgen.charts.thinning import MOST, kept

HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u2028"


def drawing(html: str) -> ElementTree.Element:
    """The chart's SVG, which must be well-formed."""
    found = re.search(r'<div class="plot">(<svg.*</svg>)</div>', html, re.DOTALL)
    assert found is not None, html
    return ElementTree.fromstring(found[1])


def data(html: str) -> dict[str, object]:
    """What the tooltips read."""
    found = re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found is not None, html
    read: dict[str, object] = json.loads(found[1])
    return read


def texts(html: str) -> list[str]:
    """All texts of the drawing."""
    return [element.text or "" for element in drawing(html).iter("text")]


def points(html: str, kind: str = "line") -> Iterator[list[tuple[float, float]]]:
    """Of each run of each line."""
    for path in drawing(html).iter("path"):
        if kind in (path.get("class") or "").split():
            for run in path.get("d", "").removesuffix("Z").split("M")[1:]:
                yield [
                    (float(x), float(y))
                    for x, y in (pair.split() for pair in run.removesuffix("Z").split("L"))
                ]


class Elements(HTMLParser):
    """Counts elements and collects attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Of each element."""
        self.names.append(tag)
        self.attributes += attrs


def one_line(y: list[float], **options: bool) -> str:
    """A chart of one series."""
    return lines("T", [Series("a", range(len(y)), y)], x_label="s", y_label="ms", **options)


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

    @settings(max_examples=100, deadline=None)
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


class NumbersTests(SynchronousTestCase):
    """Axes and words."""

    def test_ticks_have_steps_of_one_two_or_five(self) -> None:
        """Exactly, not nearly."""
        self.assertEqual(linear([0, 0.3], 0, 1, zero=True).ticks, (0, 0.1, 0.2, 0.3))
        self.assertEqual(linear([3, 930], 0, 1, zero=True).ticks, (0, 200, 400, 600, 800, 1000))
        self.assertEqual(linear([-3, 4], 0, 1, zero=True).ticks, (-4, -2, 0, 2, 4))
        self.assertEqual(linear([7, 17], 0, 1, zero=False).ticks, (8, 10, 12, 14, 16))

    def test_logarithmic_ticks_are_decades(self) -> None:
        """Few decades have 2 and 5 between them."""
        self.assertEqual(logarithmic([0.5, 90_000], 0, 1).ticks, (0.1, 1, 10, 100, 1000, 10_000, 100_000))
        self.assertEqual(logarithmic([3, 40], 0, 1).ticks, (2, 5, 10, 20, 50))

    def test_numbers_close_together_are_told_apart(self) -> None:
        """No two ticks read the same."""
        html = lines("T", [Series("a", [1e9, 1e9 + 5], [1, 2])], x_label="s", y_label="ms")
        shown = texts(html)[-8:-1]
        self.assertEqual(len(shown), len(set(shown)))

    def test_numbers_are_short(self) -> None:
        """With prefixes; rounding that reaches the next prefix takes it."""
        numbers = (0, 0.05, 1.5, 999.6, 1500, 630_000, 10_000_000, -2500, math.nan, 2e-7)
        words = ["0", "0.05", "1.5", "1k", "1.5k", "630k", "10M", "-2.5k", "-", "2.00e-07"]
        self.assertEqual([short(number) for number in numbers], words)
        self.assertEqual(
            [binary(size) for size in (0, 512, 1536, 1 << 30)], ["0 B", "512 B", "1.5 KiB", "1 GiB"]
        )
        self.assertEqual([size(count) for count in (128, 1070, 3.2e9)], ["128 B", "1.07 kB", "3.2 GB"])
        cells = [plain(cell) for cell in (1234567, 12345.6, 0.123456, 2.0, math.inf, "x", True)]
        self.assertEqual(cells, ["1,234,567", "12,346", "0.1235", "2", "-", "x", "True"])

    def test_thinning_keeps_both_ends_and_few_points_whole(self) -> None:
        """Indices ascend."""
        self.assertEqual(kept([[1.0, 2.0]]), [0, 1])
        self.assertEqual(kept([]), [])
        chosen = kept([[float(at % 7) for at in range(5000)], [0.0] * 5000])
        self.assertEqual((chosen[0], chosen[-1]), (0, 4999))
        self.assertEqual(chosen, sorted(set(chosen)))


class PageTests(SynchronousTestCase):
    """The document."""

    def test_hostile_text_stays_text(self) -> None:
        """Everywhere: no element, no attribute comes of it, and the policy lets one script run: ours."""
        series = [Series(HOSTILE, [0, 1], [1, 2]), Series("b", [0, 1], [1, 2])]
        figure = lines(HOSTILE, series, x_label=HOSTILE, y_label=HOSTILE, note=HOSTILE)
        bar = bars(HOSTILE, [HOSTILE, "b"], {HOSTILE: [1, 2], "b": [1, 2]}, y_label=HOSTILE, note=HOSTILE)
        html = page(HOSTILE, [figure, bar, table([HOSTILE], [[HOSTILE]])], HOSTILE)
        elements = Elements(html)
        self.assertEqual(elements.names.count("script"), 3)
        self.assertNotIn("img", elements.names)
        self.assertEqual([name for name, _ in elements.attributes if name.startswith("on")], [])
        self.assertEqual(data(figure)["x"], HOSTILE)
        self.assertEqual(drawing(figure).findtext("title"), HOSTILE)
        script = html[html.rindex("<script>") + 8 : html.rindex("</script>")]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        self.assertIn(f"script-src 'sha256-{digest}'", html)

    def test_it_loads_nothing(self) -> None:
        """No address, no file."""
        elements = Elements(page("T", [one_line([1.0, 2.0])], "lead"))
        self.assertEqual([name for name, _ in elements.attributes if name in ("src", "href")], [])
        self.assertFalse({"link", "img", "iframe", "base"} & set(elements.names))
        self.assertNotIn("url(", page("T", []))

    def test_numbers_of_a_table_stand_on_the_right(self) -> None:
        """Columns of words do not."""
        html = table(["node", "requests"], [["n1", 12345], ["n2", 2]])
        self.assertIn('<th>node</th><th class="number">requests</th>', html)
        self.assertIn('<td>n1</td><td class="number">12,345</td>', html)
        self.assertIn("<tbody></tbody>", table(["a"], []))

    def test_colours_stand_out_in_both_themes(self) -> None:
        """WCAG 2 asks 3:1 of graphics and 4.5:1 of text, against the card they are on."""
        style = (Path(loadgen.charts.__file__).parent / "page.css").read_text()
        for theme in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
            colours = dict(re.findall(r"--([a-z]+[0-9]?): (#[0-9a-f]{6})", theme))
            for name, colour in colours.items():
                if name in ("ink", "soft", "good", "warn", "bad"):
                    self.assertGreaterEqual(contrast(colour, colours["card"]), 4.5, name)
                    self.assertGreaterEqual(contrast(colour, colours["paper"]), 4.5, name)
                elif re.fullmatch("c[0-9]", name):
                    self.assertGreaterEqual(contrast(colour, colours["card"]), 3, name)
            self.assertEqual(len([name for name in colours if re.fullmatch("c[0-9]", name)]), COLOURS)


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2's relative luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
