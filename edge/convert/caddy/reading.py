"""Caddy's language read: words, blocks in braces, snippets and imports.

A word ends at white space; in double quotes or backticks it may have some; ``#`` at the begin of a word is a
comment to the end of the line.  A ``{`` as the last word of a line opens a block, a ``}`` alone closes it.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from edge.convert.files import Files, check_depth
from edge.convert.statements import Place, Statement, Unreadable

_STATEMENTS, _NESTED = 100_000, 50
#: The begin of a text of several lines: ``<<END``, which goes on to a line that begins with ``END``.
_HERE_DOCUMENT = re.compile(r"<<([A-Za-z0-9_-]+)\r?\n")


class _Word(NamedTuple):
    text: str
    line: int
    is_quoted: bool


def _words(text: str, name: str) -> list[list[_Word]]:
    """The words of each line that has some; a quoted one may go over several."""
    lines: list[list[_Word]] = []
    here: list[_Word] = []
    at, line, end = 0, 1, len(text)
    while at < end:
        character = text[at]
        if character == "\n":
            if here:
                lines.append(here)
                here = []
            line, at = line + 1, at + 1
        elif character.isspace():
            at += 1
        elif character == "\\" and text[at + 1 : at + 2] in ("\n", "\r"):  # goes on in the next line
            at += 2 + (text[at + 1 : at + 3] == "\r\n")
            line += 1
        elif character == "#":
            stop = text.find("\n", at)
            at = end if stop < 0 else stop
        elif character in '"`':
            stop = at + 1
            while stop < end and text[stop] != character:
                stop += 2 if character == '"' and text[stop] == "\\" else 1
            if stop >= end:
                raise Unreadable(f"{name}:{line}: a quote is never closed; is the file whole?")
            word = text[at + 1 : stop]
            here.append(_Word(word.replace('\\"', '"') if character == '"' else word, line, True))
            line += word.count("\n")
            at = stop + 1
        elif here_document := _HERE_DOCUMENT.match(text, at):
            begin, marker = here_document.end(), here_document[1]
            close = re.compile(rf"^[ \t]*{re.escape(marker)}(?!\S)", re.MULTILINE).search(text, begin)
            if close is None:
                raise Unreadable(f"{name}:{line}: <<{marker} is never closed; is the file whole?")
            here.append(_Word(text[begin : close.start()], line, True))
            line += text.count("\n", at, close.end())
            at = close.end()
        else:
            stop = at
            while stop < end and not text[stop].isspace():
                stop += 1
            here.append(_Word(text[at:stop], line, False))
            at = stop
    if here:
        lines.append(here)
    return lines


class _Reader:
    def __init__(self) -> None:
        self._files = Files()
        self._snippets: dict[str, tuple[Statement, ...]] = {}
        self._count = 0

    def read(self, name: str, chain: tuple[str, ...], place: Place | None) -> tuple[Statement, ...]:
        lines = _words(self._files.read(name, place), name)
        chain = (*chain, os.path.realpath(name))
        statements, rest = self._block(lines, 0, name, chain, 0)
        if rest < len(lines):
            raise Unreadable(f"{name}:{lines[rest][0].line}: this }} closes nothing; remove it")
        return statements

    def _block(
        self, lines: list[list[_Word]], at: int, name: str, chain: tuple[str, ...], depth: int
    ) -> tuple[tuple[Statement, ...], int]:
        """The statements from line *at* on to the one that closes the block, and its number."""
        found: list[Statement] = []
        while at < len(lines):
            words = lines[at]
            place = Place(name, words[0].line)
            if words[0].text == "}" and not words[0].is_quoted:
                if len(words) > 1:
                    raise Unreadable(f"{place}: }} stands alone on its line; move what follows it")
                return tuple(found), at
            self._count += 1
            if self._count > _STATEMENTS or depth > _NESTED:
                raise Unreadable(f"{place}: there is too much of it; convert the sites one by one")
            block = None
            at += 1
            if words[-1].text == "{" and not words[-1].is_quoted:
                words = words[:-1]
                block, at = self._block(lines, at, name, chain, depth + 1)
                if at >= len(lines):
                    raise Unreadable(f"{place}: its block is never closed; is the file whole?")
                at += 1
            first, args = (words[0].text, tuple(word.text for word in words[1:])) if words else ("", ())
            if first == "import" and args:
                found += self._import(args[0], args[1:], block, chain, place)
            elif depth == 0 and first.startswith("(") and first.endswith(")") and block is not None:
                self._snippets[first[1:-1]] = block
            else:
                found.append(Statement(first, args, place, block))
        return tuple(found), at

    def _import(
        self,
        what: str,
        args: tuple[str, ...],
        block: tuple[Statement, ...] | None,
        chain: tuple[str, ...],
        place: Place,
    ) -> tuple[Statement, ...]:
        if what in self._snippets:
            snippet = _filled(self._snippets[what], args, block or ())
            self._count += _size(snippet)
            if self._count > _STATEMENTS:
                raise Unreadable(f"{place}: there is too much of it; convert the sites one by one")
            return snippet
        found: list[Statement] = []
        for file in self._files.named(what, os.path.dirname(chain[-1])):
            check_depth(chain, file, place)
            found += self.read(file, chain, place)
        return tuple(found)


def _filled(
    snippet: tuple[Statement, ...], args: tuple[str, ...], block: tuple[Statement, ...]
) -> tuple[Statement, ...]:
    """*snippet* with the arguments of its import, and its block, put in."""

    def put(text: str) -> str:
        for number, arg in enumerate(args):
            text = text.replace(f"{{args[{number}]}}", arg).replace(f"{{args.{number}}}", arg)
        return text

    found: list[Statement] = []
    for one in snippet:
        if one.name == "{block}" and not one.args:
            found += block
            continue
        words = [word for text in one.args for word in (args if text == "{args[:]}" else (put(text),))]
        inside = None if one.block is None else _filled(one.block, args, block)
        found.append(Statement(put(one.name), tuple(words), one.place, inside))
    return tuple(found)


def _size(block: tuple[Statement, ...]) -> int:
    return sum(1 + _size(one.block or ()) for one in block)


def read_caddy(name: str) -> tuple[Statement, ...]:
    """All statements of the Caddyfile *name*, imports put in; :class:`Unreadable`."""
    return _Reader().read(name, (), None)
