"""The Kubernetes manifest says what ``loadgen`` understands, and its parts refer to each other rightly.

No YAML library belongs to the project; what is looked at here are lines.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import ops
from loadgen.run.coordinator import command
from loadgen.run.process import remote

FILE = Path(ops.__file__).with_name("loadgen-job.yaml")


def documents() -> dict[tuple[str, str], str]:
    """The texts of the manifest's objects, by kind and name."""
    found = {}
    for text in FILE.read_text().split("\n---\n")[1:]:
        kind = re.search(r"(?m)^kind: (\w+)$", text)
        name = re.search(r"(?m)^metadata:\n  name: ([a-z-]+)$", text)
        assert kind and name, text
        found[kind[1], name[1]] = text
    return found


def arguments(text: str) -> list[str]:
    """What the object *text* gives to ``loadgen``."""
    args = re.search(r"command: \[loadgen, \w+\]\n +args:\n((?: +- .*\n)+)", text)
    assert args, text
    return re.findall(r"(?m)^ +- (.*)$", args[1])


class ManifestTests(SynchronousTestCase):
    """The manifest ``ops/loadgen-job.yaml``."""

    def setUp(self) -> None:
        self.documents = documents()
        self.workers = self.documents["Job", "loadgen-workers"]
        self.run_job = self.documents["Job", "loadgen-run"]

    def parsed(self, module: object, text: str) -> argparse.Namespace:
        """The arguments as the subcommand takes them; a wrong one fails the test."""
        parser = argparse.ArgumentParser(exit_on_error=False)
        module.configure(parser)  # type: ignore[attr-defined]
        return parser.parse_args(arguments(text))

    def test_it_has_the_objects_that_a_run_needs(self) -> None:
        """Each once."""
        self.assertEqual(
            sorted(self.documents),
            [
                ("Job", "loadgen-run"),
                ("Job", "loadgen-workers"),
                ("NetworkPolicy", "loadgen-workers"),
                ("PersistentVolumeClaim", "loadgen-results"),
                ("Service", "loadgen-workers"),
            ],
        )

    def test_it_is_indented_as_yaml_is(self) -> None:
        """By twos, without tabs, each object with the version of its kind."""
        for line in FILE.read_text().splitlines():
            self.assertNotIn("\t", line)
            self.assertEqual((len(line) - len(line.lstrip(" "))) % 2, 0, line)
        for text in self.documents.values():
            self.assertEqual(len(re.findall(r"(?m)^apiVersion: \S+$", text)), 1)
            self.assertEqual(text.count("{"), text.count("}"))
            self.assertEqual(text.count("["), text.count("]"))

    def test_workers_listen_where_the_run_looks_for_them(self) -> None:
        """A name for each, the port of the service, one run and no more."""
        worker = self.parsed(remote, self.workers)
        run = self.parsed(command, self.run_job)
        port = worker.listen.rpartition(":")[2]
        count = re.search(r"(?m)^  completions: (\d+)$", self.workers)
        assert count
        names = [f"loadgen-workers-{number}.loadgen-workers:{port}" for number in range(int(count[1]))]
        self.assertEqual(run.workers.split(","), names)
        self.assertIn(f"parallelism: {count[1]}\n", self.workers)
        self.assertIn(f"in range({count[1]}):", self.run_job)
        self.assertIn("subdomain: loadgen-workers\n", self.workers)
        self.assertIn(f"port: {port}}}", self.documents["Service", "loadgen-workers"])
        self.assertEqual(worker.runs, 1)

    def test_both_own_the_same_targets_and_share_the_token(self) -> None:
        """Otherwise workers would refuse what the run wants."""
        worker, run = self.parsed(remote, self.workers), self.parsed(command, self.run_job)
        self.assertEqual(worker.i_own_this_target, run.i_own_this_target)
        self.assertEqual(worker.token_file, run.token_file)

    def test_nothing_runs_on_for_ever_or_as_root(self) -> None:
        """Deadlines, no second try, no privileges."""
        for text in (self.workers, self.run_job):
            containers = len(re.findall(r"(?m)^ +image: ", text))
            self.assertRegex(text, r"(?m)^  activeDeadlineSeconds: \d+$")
            self.assertIn("  backoffLimit: 0\n", text)
            self.assertIn("restartPolicy: Never\n", text)
            self.assertIn("runAsNonRoot: true\n", text)
            self.assertEqual(text.count("readOnlyRootFilesystem: true\n"), containers)
            self.assertEqual(text.count("capabilities: {drop: [ALL]}\n"), containers)
