"""Docstrings say what a thing is: what ruff's rules cannot see of that."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]
PACKAGES = ("benchmarks", "demonstration", "edge", "loadgen", "ops", "simulation", "tools")
#: First lines that send the reader elsewhere, or say nothing.
EMPTY = re.compile(r"(See (the|:)|Of (one|all)|All of them|Yes\b|It is)")
#: Overrides of Twisted and of the standard library that are not in camel case.
OVERRIDES = {"fileno", "handle_starttag", "log", "process", "render"}

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def definitions(
    tree: ast.AST, outer: ast.ClassDef | None = None
) -> Iterator[tuple[Definition, ast.ClassDef | None]]:
    """All classes and functions of a module and of its classes, each with the class around it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield node, outer
            yield from definitions(node, node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, outer
        else:
            yield from definitions(node, outer)


def needs_docstring(node: Definition, outer: ast.ClassDef | None) -> bool:
    """Whether nobody else tells what *node* is.

    Twisted tells of its overrides (camelCase), an interface of the methods of a class that says in its own
    docstring which one it implements, a base class of the methods of those derived from it, and a property of
    its setter.
    """
    if node.name in OVERRIDES or any(isinstance(each, ast.Attribute) for each in node.decorator_list):
        return False
    if node.name.startswith("_") or (outer is not None and outer.name.startswith("_")):
        return False
    if isinstance(node, ast.ClassDef) or outer is None:
        return True
    implements = "mplements :class:" in (ast.get_docstring(outer) or "")
    return not implements and node.name.islower()


class DocstringTests(SynchronousTestCase):
    """First lines, file by file."""

    def test_every_public_thing_says_what_it_is(self) -> None:
        """In its own first line, which does not send the reader elsewhere."""
        wrong, seen = [], 0
        for package in PACKAGES:
            for file in sorted((ROOT / package).glob("**/*.py")):
                tree = ast.parse(file.read_text())
                where = file.relative_to(ROOT)
                texts = [("module", ast.get_docstring(tree), True)]
                texts += [
                    (
                        f"{node.name}, line {node.lineno}",
                        ast.get_docstring(node),
                        needs_docstring(node, outer),
                    )
                    for node, outer in definitions(tree)
                ]
                for name, text, needed in texts:
                    seen += 1
                    if (needed and not text) or (text and EMPTY.match(text)):
                        wrong.append(f"{where}: {name}: {(text or 'no docstring').partition(chr(10))[0]}")
        self.assertGreater(seen, 2000)
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))
