"""ES modules as text that an engine without a loader can evaluate.

A module becomes a function that returns its exports; ``import`` and ``export`` become statements that take
from, and give to, an object of all modules.  Lines stay where they are, so that errors can name them.  What
components need is understood, the rest is refused with a sentence::

    import { a, b as c } from "./other.js";      import * as all from "/edge/page/html.js";
    export const a = 1;                          export function b() {}      export { c, d as e };
    export default ...;

Where a statement begins is found out by a scan over strings, templates, comments and regular expressions.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.app.rendering.errors import ModuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STRING = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
_TOKEN = re.compile(
    rf"(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<string>{_STRING})|(?P<word>[\w$#]+)|(?P<sign>.)", re.DOTALL
)
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(`|\$\{)", re.DOTALL)
_REGEX = re.compile(r"/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/\w*")
#: Behind these a slash begins a regular expression.
_OPERATORS = frozenset(
    ["return", "typeof", "case", "in", "of", "do", "else", "void", "delete", "new", "throw", "yield", "await"]
)
_IMPORT = re.compile(
    rf"import\s*(?:\*\s*as\s+(?P<all>[\w$]+)|\{{(?P<names>[^}}]*)\}}|(?P<default>[\w$]+))\s*from\s*(?P<from>{_STRING})\s*;?"
)
_EXPORT_DEFAULT = re.compile(r"export\s+default\b")
_EXPORT_NAMES = re.compile(r"export\s*\{([^}]*)\}(?!\s*from)\s*;?")
_EXPORT = re.compile(r"export\s+(?=(?:async\s+)?(?:function\s*\*?|class|const|let|var)\s+([\w$]+))")
_NAME = re.compile(r"([\w$]+)(?:\s+as\s+([\w$]+))?")


@dataclass(frozen=True, slots=True)
class Module:
    """One module, ready to be evaluated behind those that it imports."""

    #: Path of its URL.
    path: str
    #: An expression: a function of the object of all modules that returns the exports.
    text: str
    exports: frozenset[str]
    #: What it takes from which: path -> names.
    imports: dict[str, tuple[str, ...]]


def module(path: str, source: str) -> Module:
    """The module at *path*, which is *source*; :class:`ModuleError` if that is nothing that we understand."""
    exports: dict[str, str] = {}
    imports: dict[str, tuple[str, ...]] = {}
    pieces: list[str] = []
    done = 0
    for at in _statements(path, source):
        taken = (
            _imported(path, source, at) if source.startswith("import", at) else _exported(path, source, at)
        )
        text, stop, names, given = taken
        # As many lines as before.
        pieces += (source[done:at], text, "\n" * source.count("\n", at, stop))
        done = stop
        imports |= {target: (*imports.get(target, ()), *some) for target, some in names.items()}
        exports |= given
    pieces.append(source[done:])
    getters = ",".join(f"get {name}(){{return {local}}}" for name, local in exports.items())
    body = "".join(pieces)
    text = (
        f'(function ($modules, $default) {{"use strict"; {body}\n'
        f"return Object.freeze({{__proto__:null,{getters}}});}})"
    )
    return Module(path, text, frozenset(exports), imports)


def in_order(path: str, read: Callable[[str], str]) -> list[Module]:
    """The module at *path* and all that it imports, each once, behind those that it imports itself."""
    found: dict[str, Module] = {}
    waiting: list[str] = []

    def add(wanted: str) -> None:
        if wanted in waiting:
            raise ModuleError(f"{' imports '.join((*waiting[waiting.index(wanted) :], wanted))}: a circle")
        if wanted in found:
            return
        waiting.append(wanted)
        one = module(wanted, read(wanted))
        for target, names in one.imports.items():
            add(target)
            for name in names:
                if name not in found[target].exports:
                    raise ModuleError(f"{wanted} imports {name} from {target}, which does not export it")
        waiting.pop()
        found[wanted] = one

    add(path)
    return list(found.values())


def _statements(path: str, source: str) -> Iterator[int]:
    """Where the words ``import`` and ``export`` begin statements of the module itself."""
    depth: list[str] = []
    before = ""
    at = 0
    while at < len(source):
        if depth and depth[-1] == "`":
            found = _TEMPLATE.match(source, at)
            if found is None:
                raise ModuleError(f"{path}, line {_line(source, at)}: a template without an end")
            at = found.end()
            before = found[1]
            if before == "`":
                depth.pop()
            else:
                depth.append("{")
            continue
        regex = _REGEX.match(source, at) if _begins_a_value(before) else None
        token = regex or _TOKEN.match(source, at)
        assert token is not None
        text = token[0]
        if token.lastgroup == "space":
            at = token.end()
            continue
        if text in ("import", "export") and before != ".":
            if text == "import" and source[token.end() :].lstrip()[:1] in ("(", "."):
                where = f"{path}, line {_line(source, at)}"
                raise ModuleError(f"{where}: components import nothing while they run")
            if not depth:
                yield at
        if text in "({[`":
            depth.append(text)
        elif text in ")}]" and depth:
            depth.pop()
        before = "/x" if regex else text
        at = token.end()


def _begins_a_value(before: str) -> bool:
    """Whether a slash behind the token *before* begins a regular expression, and is no division."""
    return before in _OPERATORS or not (
        before and (before[-1] in ")]}\"'`$" or before[-1].isalnum() or before[-1] == "_")
    )


def _imported(path: str, source: str, at: int) -> tuple[str, int, dict[str, tuple[str, ...]], dict[str, str]]:
    found = _IMPORT.match(source, at)
    if found is None:
        raise ModuleError(
            f"{path}, line {_line(source, at)}: an import that is not understood; "
            'write import { name } from "./file.js";'
        )
    specifier = found["from"][1:-1]
    if not specifier.startswith(("/", "./", "../")):
        raise ModuleError(
            f"{path}, line {_line(source, at)}: {specifier!r} is no path; components import files of the site"
        )
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), specifier))
    taken = f"$modules[{json.dumps(target)}]"
    if found["all"]:
        return f"const {found['all']} = {taken};", found.end(), {target: ()}, {}
    if found["default"]:
        return f"const {found['default']} = {taken}.default;", found.end(), {target: ("default",)}, {}
    names = _names(path, source, at, found["names"])
    text = ", ".join(f"{theirs}: {ours}" for theirs, ours in names)
    return f"const {{ {text} }} = {taken};", found.end(), {target: tuple(theirs for theirs, _ in names)}, {}


def _exported(path: str, source: str, at: int) -> tuple[str, int, dict[str, tuple[str, ...]], dict[str, str]]:
    if found := _EXPORT.match(source, at):
        return "", found.end(), {}, {found[1]: found[1]}
    if found := _EXPORT_DEFAULT.match(source, at):
        return "$default =", found.end(), {}, {"default": "$default"}
    if found := _EXPORT_NAMES.match(source, at):
        return "", found.end(), {}, {theirs: ours for ours, theirs in _names(path, source, at, found[1])}
    raise ModuleError(
        f"{path}, line {_line(source, at)}: an export that is not understood; "
        "write export const name = ..., or export { name };"
    )


def _names(path: str, source: str, at: int, text: str) -> list[tuple[str, str]]:
    """``a, b as c`` -> [("a", "a"), ("b", "c")]."""
    names = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        found = _NAME.fullmatch(one)
        if found is None:
            raise ModuleError(f"{path}, line {_line(source, at)}: {one!r} is no name")
        names.append((found[1], found[2] or found[1]))
    return names


def _line(source: str, at: int) -> int:
    return source.count("\n", 0, at) + 1
