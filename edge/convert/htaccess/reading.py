"""Apache's language read, as far as ``.htaccess`` has it: a directive a line, sections in angle brackets."""

from __future__ import annotations

import re

from edge.convert.files import Files
from edge.convert.statements import Place, Statement, Unreadable

_STATEMENTS, _NESTED = 100_000, 50
_WORD = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|([^\s"\'][^\s]*))')
#: Sections that hold wherever the module is there, which it is here.
_OPEN = frozenset({"ifmodule", "ifversion", "ifdefine"})


def _args(text: str, place: Place) -> tuple[str, ...]:
    found: list[str] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        word = _WORD.match(text, at)
        if word is None:
            raise Unreadable(f"{place}: a quote is never closed; is the file whole?")
        at = word.end()
        quoted = word[1] if word[1] is not None else word[2]
        found.append(word[3] if quoted is None else re.sub(r"\\([\"'])", r"\1", quoted))
    return tuple(found)


def read_htaccess(name: str) -> tuple[Statement, ...]:
    """All directives of the file *name*, as if ``<IfModule>`` were not there; :class:`Unreadable`."""
    #: Of each open section: its name, its arguments, where it begins, and what is in it.
    stack: list[tuple[str, tuple[str, ...], Place, list[Statement]]] = [("", (), Place(name, 0), [])]
    lines = Files().read(name).replace("\\\r\n", "\\\n").split("\n")
    number = 0
    while number < len(lines):
        place, text = Place(name, number + 1), lines[number].strip()
        number += 1
        while text.endswith("\\") and number < len(lines):
            text, number = text[:-1] + " " + lines[number].strip(), number + 1
        if not text or text.startswith("#"):
            continue
        if number > _STATEMENTS or len(stack) > _NESTED:
            raise Unreadable(f"{place}: there is too much of it; convert its parts one by one")
        if text.startswith("</"):
            section, args, begin, inside = stack.pop()
            if not stack or section.lower() != text[2:].rstrip("> ").lower():
                raise Unreadable(f"{place}: {text[:40]} closes nothing that is open; remove it")
            if section.lower() in _OPEN:
                if not (args and args[0].startswith("!")):  # what holds where a module is not there
                    stack[-1][3].extend(inside)
            else:
                stack[-1][3].append(Statement(section, args, begin, tuple(inside)))
        elif text.startswith("<"):
            word, *rest = text[1:].rstrip("> ").split(None, 1) or [""]
            stack.append((word, _args(rest[0] if rest else "", place), place, []))
        else:
            word, *rest = text.split(None, 1)
            stack[-1][3].append(Statement(word, _args(rest[0] if rest else "", place), place))
    if len(stack) > 1:
        raise Unreadable(f"{stack[-1][2]}: <{stack[-1][0]}> is never closed; is the file whole?")
    return tuple(stack[0][3])
