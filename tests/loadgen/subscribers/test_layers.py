"""The cores of the subscribers take bytes and a time: they import neither sockets nor the clock."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import loadgen.subscribers
from tests.test_layers import FORBIDDEN, imported

CORES = ("handshake", "frames", "feed", "dialling", "pushes")


class LayerTests(SynchronousTestCase):
    """What may import what."""

    def test_cores_import_no_shell(self) -> None:
        """File by file."""
        for core in CORES:
            file = Path(loadgen.subscribers.__file__).with_name(f"{core}.py")
            self.assertEqual(imported(file) & FORBIDDEN, set(), core)
