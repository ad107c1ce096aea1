"""Pages load nothing and let nothing in, and can be read in both themes."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import loadgen.charts
from loadgen.charts import Series, bars, lines, page, table
from loadgen.charts.figure import COLOURS
from tests.loadgen.charts.reading import HOSTILE, Elements, data, drawing, one_line


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
