"""The order in which a file reaches the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge import durable
from edge.node.cluster.known_peers import KnownPeers
from edge.trust import authority


class DurableTests(SynchronousTestCase):
    """:mod:`edge.durable`, with the calls of the system written down."""

    def setUp(self) -> None:
        self.calls: list[str] = []
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        fsync, replace = os.fsync, os.replace

        def synchronize(fd: int) -> None:
            self.calls.append("synchronize " + os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
            fsync(fd)

        def rename(old: Any, new: Any) -> None:
            self.calls.append("rename to " + os.path.basename(new))
            replace(old, new)

        self.patch(os, "fsync", synchronize)
        self.patch(os, "replace", rename)

    def test_bytes_then_name_then_directory(self) -> None:
        with (self.folder / "new").open("wb") as file:
            file.write(b"x" * 10)
            file.flush()
            durable.replace(file.fileno(), self.folder / "new", self.folder / "name")
        self.assertEqual(self.calls, ["synchronize new", "rename to name", f"synchronize {self.folder.name}"])
        self.assertEqual((self.folder / "name").read_bytes(), b"x" * 10)

    def test_a_directory_that_cannot_be_synchronized_is_done_without(self) -> None:
        with (self.folder / "new").open("wb") as file:
            fd = file.fileno()

            def synchronize(which: int) -> None:
                if which != fd:
                    raise OSError(22, "Invalid argument")

            self.patch(os, "fsync", synchronize)
            durable.replace(fd, self.folder / "new", self.folder / "name")
        self.assertTrue((self.folder / "name").exists())

    def test_generation_and_certificates_are_written_so(self) -> None:
        KnownPeers(self.folder / "peers.json").save(7)
        authority._write(self.folder / "ca.pem", b"pem", 0o644)
        renames = [at for at, call in enumerate(self.calls) if call.startswith("rename")]
        self.assertEqual(len(renames), 2)
        for at in renames:
            self.assertTrue(self.calls[at - 1].startswith("synchronize ") and "new" in self.calls[at - 1])
            self.assertEqual(self.calls[at + 1], f"synchronize {self.folder.name}")
