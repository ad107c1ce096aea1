"""What the generators of the reference make of single things."""

from __future__ import annotations

import argparse
import copy
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from docs._ext import commands, edge_json, generated, markdown, messages, options, references, structs
from edge.config import SETTINGS


class OptionTests(SynchronousTestCase):
    """Settings."""

    def test_units_follow_from_names(self) -> None:
        for name, expected in (("idle-seconds", "seconds"), ("arena-mib", "MiB"), ("node", "")):
            self.assertEqual(options.unit(SETTINGS[name]), expected)

    def test_a_default_is_said_in_words_where_it_is_derived(self) -> None:
        self.assertEqual(options.default(SETTINGS["webroot"]), "the demonstration site")
        self.assertEqual(options.default(SETTINGS["watch"]), "on")
        self.assertEqual(options.default(SETTINGS["listen"]), "`tcp:8080`")

    def test_ranges_and_the_time_of_effect_are_told(self) -> None:
        text = options.markdown()
        part = text[text.index("### lease-seconds") :].split("###")[1]
        self.assertIn("- Range: 1 to 3600\n", part)
        self.assertIn("- Takes effect: at the next start\n", part)
        part = text[text.index("### idle-seconds") :].split("###")[1]
        self.assertIn("- Takes effect: at SIGHUP, or at the next start\n", part)


class CommandTests(SynchronousTestCase):
    """Parsers."""

    def test_arguments_are_shown_as_one_writes_them(self) -> None:
        parser = argparse.ArgumentParser(prog="p")
        parser.add_argument("-o", "--output", metavar="FILE", help="where to [%(default)s]", default="x")
        parser.add_argument("--way", choices=("a", "b"))
        parser.add_argument("--both", nargs=2, metavar="K")
        parser.add_argument("--flag", action="store_true")
        parser.add_argument("--hidden", help=argparse.SUPPRESS)
        parser.add_argument("place")
        text = commands.arguments(parser)
        for row in (
            "| `-o, --output FILE` | where to [x] |",
            "| `--way a\\|b` |  |",
            "| `--both K K` |  |",
            "| `--flag` |  |",
            "| `place` |  |",
        ):
            self.assertIn(row, text)
        self.assertNotIn("hidden", text)
        self.assertNotIn("--help", text)


class EdgeJsonTests(SynchronousTestCase):
    """The schema of /edge.json."""

    SCHEMA: ClassVar[dict[str, Any]] = {
        "required": ["v"],
        "properties": {
            "v": {"description": "version", "const": 1, "examples": [1]},
            "off": {"description": "`true` removes it", "default": False, "examples": [True]},
            "home": {"description": "asked of its own node", "default": [], "examples": [["/a"]]},
            "days": {"description": "so many", "examples": [6]},
        },
    }

    def test_keys_have_example_default_and_meaning(self) -> None:
        self.assertEqual(
            edge_json.keys(self.SCHEMA),
            [
                ("v", "1", "required", "version"),
                ("off", "true", "false", "`true` removes it"),
                ("home", '["/a"]', "[]", "asked of its own node"),
                ("days", "6", "", "so many"),
            ],
        )

    def test_a_key_that_is_not_described_is_an_error(self) -> None:
        for missing in ("description", "examples"):
            schema = copy.deepcopy(self.SCHEMA)
            del schema["properties"]["off"][missing]
            self.assertRaises(ValueError, edge_json.keys, schema)


class StructTests(SynchronousTestCase):
    """Keys of files and documents."""

    def test_types_have_ranges_and_units(self) -> None:
        text = structs.markdown("loadgen.run.messages.scenario:Scenario")
        self.assertIn("| number above 0 to 86,400, seconds | required |", text)
        self.assertIn("### `[session.think]`", text)
        self.assertIn("### `[[events]]`", text)
        self.assertIn("| `weibull` or `lognormal` or", text)


class MarkdownTests(SynchronousTestCase):
    """What Markdown would take for its own."""

    def test_cells_and_prose_stay_what_they_are(self) -> None:
        self.assertEqual(markdown.cell("a|b\nc"), "a\\|b c")
        self.assertEqual(markdown.prose("[[cache]] *.js <x>"), "[[cache]] \\*.js \\<x>")


class FillTests(SynchronousTestCase):
    """Markers in pages."""

    def test_a_marker_is_replaced_and_the_rest_stays(self) -> None:
        filled = generated.fill("before\n\n<!-- generated: edge-json -->\n\nafter\n")
        self.assertTrue(filled.startswith("before\n\n| key |"))
        self.assertTrue(filled.endswith("\n\nafter\n"))

    def test_an_unknown_marker_is_an_error(self) -> None:
        self.assertRaises(KeyError, generated.fill, "<!-- generated: nothing -->")


class ReferenceTests(SynchronousTestCase):
    """Names in docstrings."""

    def test_modules_attributes_and_fields_exist(self) -> None:
        for name in (
            "edge.errors",
            "edge.config.Config.listen",
            "edge.http.events.RequestHead.tag",
            "edge.table.writer.Writer.statistics",
        ):
            self.assertTrue(references.exists(name), name)

    def test_what_is_not_there_does_not(self) -> None:
        for name in ("edge.nothing", "edge.errors.NoError", "edge.config.Config.nothing", "nowhere"):
            self.assertFalse(references.exists(name), name)


class MessageTests(SynchronousTestCase):
    """What nodes send each other."""

    def test_each_field_says_what_it_may_hold(self) -> None:
        text = messages.markdown("edge.gossip.changes:Message")
        for part in (
            '### Changes, `"changes"`', "| 1 | `origin` | text, at most 63 characters |",
            "| 2 | `generation` | 0 to 2^53 - 1 |", "bytes, 0 to 4096: header lines", "### Batch",
            "a canonical path of the site",
        ):  # fmt: skip
            self.assertIn(part, text)
