"""Deploys made while the publisher was down, with old dates; and old state restored, with old files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import PATIENCE


class DeployTests(SynchronousTestCase):
    """n1 publishes; each story goes on with the nodes of the one before, which take long to start."""

    def setUp(self) -> None:
        self.cluster = RunningCluster(2)
        self.addCleanup(self.cluster.clean_up)
        self.n1 = self.cluster.nodes[0]
        #: What all files are dated, as reproducible builds do.
        self.modified = time.time() - 86_400
        self.deploy({"index.html": b"<p>v1", "same.txt": b"same", "gone.html": b"<p>gone"})
        self.cluster.start()

    def deploy(self, files: Mapping[str, bytes]) -> None:
        """The site is *files*, and nothing else."""
        for old in self.n1.site.iterdir():
            if old.name not in files:
                old.unlink()
        for name, body in files.items():
            self.n1.write(name, body, self.modified)

    def kill(self) -> None:
        assert self.n1.process is not None
        self.n1.process.kill()
        self.n1.process.wait(PATIENCE)

    def wait_for(self, path: str, body: bytes | None) -> None:
        """Both nodes serve *body*; None: nothing."""
        for node in self.cluster.nodes:
            node.wait_for(
                lambda node=node: node.ask(path)[0] == 404 if body is None else node.ask(path)[2] == body,
                f"it serves {body!r}",
            )

    def test_what_differs_from_what_was_published_last_is_new_whatever_its_date(self) -> None:
        self.wait_for("/", b"<p>v1")
        self.wait_for("/gone.html", b"<p>gone")
        self.kill()
        self.deploy({"index.html": b"<p>v2", "same.txt": b"same"})
        self.n1.start()
        self.wait_for("/", b"<p>v2")
        self.wait_for("/gone.html", None)
        self.assertNotIn("not new to this node", self.n1.log.read_text())

        # state and site as they were, restored after the next deploy: the cluster's version stays
        self.kill()
        copies = self.n1.directory / "state-copy", self.n1.directory / "site-copy"
        shutil.copytree(self.n1.state, copies[0], ignore=shutil.ignore_patterns("*.sock"))
        shutil.copytree(self.n1.site, copies[1])
        self.deploy({"index.html": b"<p>v3", "same.txt": b"same"})
        self.n1.start()
        self.wait_for("/", b"<p>v3")
        self.kill()
        for copy, place in zip(copies, (self.n1.state, self.n1.site), strict=True):
            shutil.rmtree(place)
            shutil.copytree(copy, place)
        self.n1.start()
        self.wait_for("/", b"<p>v3")
        self.assertIn("2 files are not new to this node", self.n1.log.read_text())

        # the state lost, as in a container without a volume, and a deploy at the same time
        self.kill()
        for one in self.n1.state.iterdir():
            if one.name != "cluster":
                shutil.rmtree(one) if one.is_dir() else one.unlink()
        self.deploy({"index.html": b"<p>v4"})
        self.n1.start()
        self.wait_for("/", b"<p>v4")
        self.wait_for("/same.txt", None)

        # a rule of the node that has no files, taken out of its configuration while it was down
        n2, file = self.cluster.nodes[1], self.n1.directory / "n2.toml"
        file.write_text('[[redirect]]\nfrom = "/old"\nto = "/"\n')
        n2.options += ["--config", str(file)]
        for text, status in ((file.read_text(), 308), ("", 404)):
            n2.stop()
            file.write_text(text)
            n2.start()
            for node in self.cluster.nodes:
                node.wait_for(
                    lambda node=node, status=status: node.ask("/old")[0] == status, f"/old is {status}"
                )
