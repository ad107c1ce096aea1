"""The client's scripts get smaller when the package is built, and mean the same."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.publish.minifying import minify


class MinifyingTests(SynchronousTestCase):
    """:func:`edge.publish.minifying.minify`."""

    def test_names_and_spaces_go(self) -> None:
        script = "function answer(question) {\n  const known = question + 1;\n  return known;\n}\n"
        self.assertLess(len(minify(script)), len(script) * 0.8)

    def test_what_the_minifier_breaks_is_refused(self) -> None:
        """It makes a function that does nothing of the first one."""
        for broken in ("const f = () => void (a && b());", "x = 1;\n  void g();\n", "return void (yield 1);"):
            error = self.assertRaises(ValueError, minify, broken)
            self.assertIn("void", str(error))
        self.assertEqual(minify("/** @type {() => void} */\nlet a;\n"), "let a")
