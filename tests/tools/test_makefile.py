"""What the Makefile says of a program that is not there."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests import processes
from tests.docs.pages import ROOT


class PythonTests(SynchronousTestCase):
    """``make venv PYTHON=...``."""

    def test_a_python_that_is_not_there_is_named_with_the_way_out(self) -> None:
        folder = self.mktemp()
        for target in ("venv", "test-venv", "docs-venv"):
            command = ["make", "-C", str(ROOT), target, "PYTHON=python3.nosuch", f"VENV={folder}"]
            made = processes.run(command, capture_output=True, text=True)
            self.assertEqual(made.returncode, 2)
            self.assertIn("PYTHON=python3.nosuch: there is no such program; name a Python, 3.10", made.stderr)
