"""The reference is complete: whatever the code has stands in the built pages."""

from __future__ import annotations

import inspect
import json
import re

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from docs._ext import commands, edge_json, metrics, structs
from edge.config import SETTINGS
from edge.edgectl.main import make_parser
from edge.node.resources import edge_resources
from edge.node.resources.pushing import TOPICS
from edge.node.supervisor import admin_api
from edge.node.supervisor.signals import SIGNALS
from loadgen.cli import COMMANDS
from loadgen.plan.inputs import Plan, keys
from loadgen.run.messages.scenario import Scenario
from loadgen.verdict.thresholds import MEASURES
from tests.docs.pages import article, site, sources


class ReferenceTests(SynchronousTestCase):
    """Each thing by its name."""

    def missing(self, page: str, names: list[str]) -> list[str]:
        """Those of *names* that *page* does not have as whole words."""
        text = article(page)
        self.assertGreater(len(names), 0)
        return [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]

    def test_every_option_is_there(self) -> None:
        self.assertEqual(self.missing("reference/options", [f"--{name}" for name in SETTINGS]), [])

    def test_every_option_has_an_anchor_of_its_name(self) -> None:
        page = (site() / "reference" / "options.html").read_text()
        self.assertEqual([name for name in SETTINGS if f'id="{name}"' not in page], [])

    def test_every_metric_is_there(self) -> None:
        names = [family.name for family in metrics.families()]
        self.assertIn("edge_requests_total", names)
        self.assertEqual(self.missing("reference/metrics", names), [])

    def test_how_to_pages_name_metrics_that_there_are(self) -> None:
        """As they are exported: with the ``_total`` of counters."""
        known = {family.name for family in metrics.families()}
        pages = [
            path
            for path in sources()
            if path.parent.name in ("howto", "tutorial") or path.name == "README.md"
        ]
        named = {(path.name, name) for path in pages
                 for name in re.findall(r"(?<!table inet )\bedge_[a-z_]+\b", path.read_text())}  # fmt: skip
        self.assertGreater(len(named), 10)
        self.assertEqual([one for one in sorted(named) if one[1] not in known], [])

    def test_every_subcommand_and_argument_of_edgectl_is_there(self) -> None:
        found = [parser for parser, _ in commands.leaves(make_parser())]
        self.assertEqual(self.missing("reference/edgectl", [parser.prog for parser in found]), [])
        options = [
            name
            for parser in found
            for action in parser._actions
            for name in action.option_strings
            if name not in ("-h", "--help")
        ]
        self.assertEqual(self.missing("reference/edgectl", options), [])

    def test_every_subcommand_of_loadgen_is_there(self) -> None:
        self.assertEqual(self.missing("reference/loadgen", [f"loadgen {name}" for name in COMMANDS]), [])

    def test_every_key_of_scenarios_and_plans_is_there(self) -> None:
        plan = [key.rpartition(".")[2] for key in keys(Plan)]
        self.assertEqual(self.missing("reference/plans", plan), [])
        scenario = [field.name for field in msgspec.structs.fields(Scenario)]
        self.assertEqual(self.missing("reference/scenarios", [*scenario, *MEASURES]), [])

    def test_every_key_of_edge_json_is_there(self) -> None:
        schema = json.loads(edge_json.SOURCE.read_text())
        parts = (schema, schema["$defs"]["rule"])
        names = [key.name for part in parts for key in edge_json.keys(part)]
        self.assertIn("limit_mib", names)
        self.assertEqual(self.missing("reference/edge-json", names), [])

    def test_every_resource_of_the_node_is_there(self) -> None:
        names = re.findall(r'putChild\(b"(\w+)"', inspect.getsource(edge_resources))
        self.assertIn("revalidate", names)
        self.assertEqual(self.missing("reference/http", [f"/.edge/{name}" for name in names]), [])

    def test_every_topic_of_the_socket_is_there(self) -> None:
        self.assertEqual(self.missing("reference/socket", list(TOPICS)), [])

    def test_every_resource_of_the_admin_api_is_there(self) -> None:
        names = re.findall(r'self\.putChild\(b"(\w+)"', inspect.getsource(admin_api))
        self.assertIn("drain", names)
        self.assertEqual(self.missing("reference/admin", [f"/{name}" for name in names]), [])

    def test_every_key_of_a_file_has_a_meaning(self) -> None:
        """That is the comment above its field."""
        for where in ("loadgen.run.messages.scenario:Scenario", "loadgen.plan.inputs:Plan"):
            rows = [
                line.split(" | ") for line in structs.markdown(where).splitlines() if line.startswith("| `")
            ]
            self.assertGreater(len(rows), 20)
            self.assertEqual([row[0] for row in rows if not row[1].strip()], [])

    def test_every_signal_that_does_something_is_there(self) -> None:
        self.assertEqual(self.missing("reference/signals", [number.name for number in SIGNALS]), [])
