"""Each promise of the documents names a test, and each named test exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.__main__ import FORMS, GROUPS
from tests.docs.pages import DOCS, ROOT, sources

PROMISES = DOCS / "reference" / "promises.md"
_ROW = re.compile(r"^\| (?!promise |---)(.+?) \| (.+) \|$", re.MULTILINE)
#: The page that a table is of, and the table.
_PART = re.compile(r"^Of (?:\[[^]]+\]\(([^)]+)\)|`README.md`)\.\n((?:(?!^#).*\n)*)", re.MULTILINE)
_BENCH = re.compile(r"\bBENCH=([\w-]+)")
_TITLE = re.compile(r"""\btest\(["`](.+?)["`],""")
_JAVASCRIPT = re.compile(r"^(tests/webroot/[\w./]+\.test\.js): (.+)$")


@cache
def methods(path: Path) -> frozenset[str]:
    """``CLASS.METHOD`` of all classes in a file of tests, and of those that they inherit by name."""
    found: dict[str, set[str]] = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            own = {one.name for one in node.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))}
            bases = (found.get(base.id, set()) for base in node.bases if isinstance(base, ast.Name))
            found[node.name] = own.union(*bases)
    return frozenset(f"{kind}.{name}" for kind, names in found.items() for name in names)


def is_there(test: str) -> bool:
    """Whether *test*, as ``promises.md`` names it, exists."""
    if match := _JAVASCRIPT.match(test):
        path = ROOT / match[1]
        # A title may go on: one test for each of several kinds.
        titles = _TITLE.findall(path.read_text("utf-8")) if path.is_file() else []
        return any(title == match[2] or title.startswith(f"{match[2]}: ${{") for title in titles)
    if test.startswith("make bench BENCH="):
        return test.partition("=")[2] in {*FORMS, *GROUPS}
    if test.startswith("make "):
        return f"\n{test.partition(' ')[2]}:" in (ROOT / "Makefile").read_text("utf-8")
    if test.endswith(".c"):
        return (ROOT / test).is_file()
    *module, kind, method = test.split(".")
    path = ROOT.joinpath(*module).with_suffix(".py")
    return path.is_file() and f"{kind}.{method}" in methods(path)


class PromiseTests(SynchronousTestCase):
    """``docs/reference/promises.md``."""

    def setUp(self) -> None:
        text = PROMISES.read_text("utf-8")
        self.rows = [(promise, re.findall(r"`([^`]+)`", tests)) for promise, tests in _ROW.findall(text)]

    def test_every_promise_names_a_test(self) -> None:
        self.assertGreater(len(self.rows), 80)
        self.assertEqual([promise for promise, tests in self.rows if not tests], [])

    def test_every_named_test_exists(self) -> None:
        missing = [test for _, tests in self.rows for test in tests if not is_there(test)]
        self.assertEqual(missing, [])

    def test_every_page_has_a_table_of_its_own(self) -> None:
        """Each tutorial, how-to guide and explanation; a glossary and lists of pages promise nothing."""
        found = {
            (PROMISES.parent / (target or "../../README.md")).resolve()
            for target, table in _PART.findall(PROMISES.read_text("utf-8"))
            if _ROW.search(table)
        }
        folders = ("tutorial", "howto", "explanation")
        pages = {page for folder in folders for page in (DOCS / folder).glob("*.md")}
        pages -= {page for page in pages if page.name in ("index.md", "glossary.md")}
        self.assertGreater(len(pages), 20)
        self.assertEqual({*pages, ROOT / "README.md", DOCS / "security.md"} - found, set())

    def test_every_benchmark_that_a_page_names_exists(self) -> None:
        named = {(name, page.name) for page in sources() for name in _BENCH.findall(page.read_text("utf-8"))}
        self.assertGreater(len(named), 20)
        self.assertEqual({one for one in named if one[0] not in {*FORMS, *GROUPS}}, set())

    def test_no_promise_stands_there_twice(self) -> None:
        promises = [promise for promise, _ in self.rows]
        self.assertEqual(sorted(promises), sorted(set(promises)))

    def test_what_does_not_exist_is_found_out(self) -> None:
        for test in (
            "tests.docs.test_promises.PromiseTests.test_of_nothing",
            "tests.docs.test_nothing.PromiseTests.test_of_nothing",
            "tests/webroot/feed.test.js: nothing of the kind",
            "make bench BENCH=nothing",
            "make nothing",
            "tests/native/test_nothing.c",
        ):
            self.assertFalse(is_there(test), test)
        self.assertTrue(
            is_there("tests.docs.test_promises.PromiseTests.test_what_does_not_exist_is_found_out")
        )
