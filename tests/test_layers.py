"""What may import what: ``lint-imports`` holds the contracts in ``pyproject.toml`` against the code."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import edge
from tests import processes

PACKAGE = Path(edge.__file__).parent
ROOT = PACKAGE.parent
ROOTS = ("edge", "demonstration", "loadgen", "simulation", "ops", "tools", "benchmarks")


class ContractTests(SynchronousTestCase):
    """A contract that cannot be broken is none: each is broken on purpose, in a copy of the tree."""

    def setUp(self) -> None:
        self.copy = Path(self.mktemp())
        for package in ROOTS:
            for file in (ROOT / package).glob("**/*.py"):
                target = self.copy / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
        shutil.copy(ROOT / "pyproject.toml", self.copy)

    def lint(self) -> tuple[int, str]:
        """(exit code, output) of the linter on the copy."""
        program = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
        environment = {**os.environ, "PYTHONPATH": str(self.copy.absolute())}
        done = processes.run(
            program, cwd=self.copy, env=environment, check=False, capture_output=True, text=True
        )
        return done.returncode, done.stdout

    def break_with(self, file: str, line: str) -> str:
        """What the linter says once *line* stands at the end of *file*; it must fail."""
        path = self.copy / file
        path.write_text(path.read_text() + f"\n{line}\n")
        code, said = self.lint()
        self.assertEqual(code, 1, said)
        return said

    def test_the_tree_as_it_is_keeps_all_contracts(self) -> None:
        """Else a broken copy would prove nothing."""
        code, said = self.lint()
        self.assertEqual(code, 0, said)

    def test_a_core_that_imports_the_clock_is_refused(self) -> None:
        """Also when it does so within a function."""
        said = self.break_with("edge/http/dates.py", "def now():\n    import time\n    return time.time()")
        self.assertIn("edge.http.dates -> time", said)

    def test_a_core_that_imports_twisted_through_something_else_is_refused(self) -> None:
        """The whole way counts."""
        said = self.break_with("edge/errors.py", "import twisted")
        self.assertIn("edge.errors -> twisted", said)

    def test_a_room_that_imports_a_room_above_it_is_refused(self) -> None:
        """Also for types alone."""
        line = "if TYPE_CHECKING:\n    from edge.node.worker.serving import Serving"
        said = self.break_with("edge/node/process/lag.py", line)
        self.assertIn("edge.node.process.lag -> edge.node.worker.serving", said)

    def test_a_coordinator_that_imports_a_process_is_refused(self) -> None:
        """What both need stands in the messages between them."""
        line = "def assembled():\n    from loadgen.run.process.assembly import assemble\n    return assemble"
        said = self.break_with("loadgen/run/coordinator/dealing.py", line)
        self.assertIn("loadgen.run.coordinator.dealing -> loadgen.run.process.assembly", said)

    def test_a_demonstration_that_imports_the_node_is_refused(self) -> None:
        """It is an application as any other one; and services know no HTTP."""
        said = self.break_with("demonstration/pages.py", "from edge.http.dates import parse_date")
        self.assertIn("demonstration.pages -> edge.http.dates", said)
        said = self.break_with("demonstration/services/votes.py", "from demonstration import forms")
        self.assertIn("demonstration.services.votes -> demonstration.forms", said)

    def test_a_subcommand_that_imports_another_one_is_refused(self) -> None:
        said = self.break_with("loadgen/simulate/inputs.py", "from loadgen.run.messages.job import Job")
        self.assertIn("loadgen.simulate.inputs -> loadgen.run.messages.job", said)

    def test_a_room_that_imports_the_room_beside_it_is_refused(self) -> None:
        """What both need stands in a room below."""
        line = "def status():\n    from edge.node.cluster.clusterview import ClusterView"
        said = self.break_with("edge/node/telemetry/metrics.py", line)
        self.assertIn("edge.node.telemetry.metrics -> edge.node.cluster.clusterview", said)

    def test_a_layer_that_imports_one_above_it_is_refused(self) -> None:
        """The cores know neither what is published nor who serves it."""
        said = self.break_with("edge/load/weight.py", "from edge.publish import coding")
        self.assertIn("edge.load.weight -> edge.publish.coding", said)

    def test_the_node_and_the_load_generator_do_not_need_each_other(self) -> None:
        """They share cores, not shells."""
        said = self.break_with("edge/endpoint.py", "from loadgen import targets")
        self.assertIn("edge.endpoint -> loadgen.targets", said)
        said = self.break_with("loadgen/targets.py", "from edge.node.process import lag")
        self.assertIn("loadgen.targets -> edge.node.process.lag", said)

    def test_what_is_installed_needs_nothing_that_stays_in_the_checkout(self) -> None:
        """Nor do the programs there need each other."""
        said = self.break_with("loadgen/targets.py", "from tools import system")
        self.assertIn("loadgen.targets -> tools.system", said)
        said = self.break_with("ops/ports.py", "from benchmarks import servers")
        self.assertIn("ops.ports -> benchmarks.servers", said)

    def test_a_file_without_a_layer_is_refused(self) -> None:
        """In each package whose layers are listed."""
        for folder in ("edge", "edge/node", "loadgen", "loadgen/run"):
            stranger = self.copy / folder / "stranger.py"
            stranger.write_text('"""A file that nobody has placed."""\n')
            code, said = self.lint()
            self.assertEqual(code, 1, said)
            self.assertIn("stranger", said, folder)
            stranger.unlink()

    def test_two_files_that_import_each_other_are_refused(self) -> None:
        """Whichever was first."""
        said = self.break_with("edge/http/grammar.py", "from edge.http import parser")
        self.assertIn("No cycles are allowed in edge.http", said)


#: Who reads the machine's clock in ``edge/node``.  Leases are times of CLOCK_MONOTONIC in shared memory,
#: which the fast path of every worker compares with the same clock; membership needs one that does not jump.
#: ``clocks.py`` gives both clocks to the reactors of a node's processes; the exporter has no reactor.
MONOTONIC = {
    "cluster/assembly.py",
    "cluster/leases.py",
    "exporter/__main__.py",
    "process/clocks.py",
    "supervisor/assembly.py",
    "worker/serving.py",
}


class ReactorTests(SynchronousTestCase):
    """The reactor and the clock are parameters."""

    def test_in_a_node_only_membership_and_leases_read_the_clock(self) -> None:
        """Everybody else gets the reactor, or its time, as a parameter."""
        reading = re.compile(r"\btime\.(time|monotonic|perf_counter)|\bfrom time import|\bmonotonic_ms\b")
        node = PACKAGE / "node"
        found = {str(f.relative_to(node)) for f in node.glob("**/*.py") if reading.search(f.read_text())}
        self.assertEqual(found, MONOTONIC)

    def test_only_tap_and_executables_pick_the_real_reactor(self) -> None:
        """Everything else gets it as a parameter."""
        allowed = {PACKAGE / "tap.py", PACKAGE / "node" / "worker" / "__main__.py"}
        for file in PACKAGE.glob("**/*.py"):
            if file not in allowed:
                self.assertNotIn("from twisted.internet import reactor", file.read_text(), str(file))
