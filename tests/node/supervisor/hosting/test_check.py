"""Whether applications can be loaded and reached, tried in processes of their own."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.config import Application
from edge.node.supervisor.hosting import check
from edge.node.supervisor.hosting.check import application_problems


class CheckTests(SynchronousTestCase):
    """:mod:`edge.node.supervisor.hosting.check`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def problems(self, text: str, **more: str) -> list[str]:
        (self.folder / "made_for_a_test.py").write_text(text)
        given = {"run": "made_for_a_test:app", "folder": str(self.folder.absolute()), **more}
        return application_problems([Application(name="shop", at="/", **given)])  # type: ignore[arg-type]

    def test_what_can_be_loaded_has_no_problem_whatever_it_prints(self) -> None:
        good = "print('application-problem')\ndef app(environ, start_response):\n    return []\n"
        self.assertEqual(self.problems(good), [])
        self.assertNotIn("made_for_a_test", sys.modules)

    def test_what_cannot_is_said_in_a_line(self) -> None:
        for text, sentence in (
            ("1 / 0", "made_for_a_test cannot be imported: ZeroDivisionError: division by zero ("),
            ("raise ValueError('a\\nb\\x1b[2J')", "ValueError: a b\\x1b[2J"),
            ("app = 1", "made_for_a_test:app is no application, but of the type int"),
            ("import os; os.write(2, b'oh\\n'); os._exit(3)", "the process that loaded it ended: oh"),
        ):
            (problem,) = self.problems(text)
            self.assertTrue(problem.startswith("app shop: "), problem)
            self.assertIn(sentence, problem)
        (problem,) = self.problems("", python="/no/python")
        self.assertIn("/no/python: there is no such interpreter", problem)

    def test_what_takes_too_long_is_given_up(self) -> None:
        self.patch(check, "PATIENCE", 0.2)
        (problem,) = self.problems("import time; time.sleep(60)")
        self.assertEqual(problem, "app shop: it cannot be loaded within 0.2 s")

    def test_where_nobody_listens(self) -> None:
        (problem,) = application_problems([Application(name="shop", at="/", to=("unix:/no/such/socket",))])
        self.assertIn(
            "app shop: unix:/no/such/socket: No such file or directory; is the application", problem
        )
