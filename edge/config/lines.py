"""Where in the configuration file something stands, that a problem is about.

TOML's reader gives values without their places.  So the text is looked through for headers of tables and for
keys, line by line, and a problem is found by how it begins, ``[[header]] number 2: path = 3: ...``, or, where
several settings do not go together, by what it names (:meth:`Lines.near`).  Nothing is decided by it: where
it finds no line, the problem is told without one.
"""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([\w-]+|\"[^\"]*\"|'[^']*')\s*(?:\.[^=]*)?=")
_TABLE = re.compile(r"\[\[([\w-]+)\]\] number (\d+)(?: \(.*?\))?: ")
_PLAIN_TABLE = re.compile(r"\[([\w-]+)\] ")
_SUBJECT = re.compile(r"(?:unknown key )?(['\"]?)([\w.*-]+)\1(?: (?:=|is|are|and)|;|:|$)")
_OPTION = re.compile(r"--(?:no-)?([a-z0-9-]+)(?=[ :]|\Z)")
_NUMBERED = re.compile(r"\[\[([\w-]+)\]\] number (\d+)")
_OF_SITE = re.compile(r"(?:\[\[site\]\]|site) ([^\s:]+):? ")
_QUOTES = re.compile(r"\"\"\"|'''")


class Lines:
    """The lines of one TOML text, numbered from 1."""

    def __init__(self, text: str) -> None:
        #: (name of the innermost table with its number, of those around it) -> line of its header.
        self._tables: dict[tuple[tuple[str, int], ...], int] = {(): 0}
        self._keys: dict[tuple[tuple[tuple[str, int], ...], str], int] = {}
        self._read(text)

    def _read(self, text: str) -> None:
        self._text = text.splitlines()
        counts: dict[tuple[str, ...], int] = {}
        here: tuple[tuple[str, int], ...] = ()
        inside = ""
        for number, line in enumerate(self._text, 1):
            begun_inside = inside
            for quotes in _QUOTES.findall(line):
                inside = "" if inside == quotes else inside or quotes
            if begun_inside:
                continue
            if header := _HEADER.match(line):
                names = tuple(_plain(name) for name in header[1].split("."))
                if line.lstrip().startswith("[["):
                    counts[names] = counts.get(names, 0) + 1
                    for other in [one for one in counts if one[: len(names)] == names and one != names]:
                        del counts[other]  # tables within the new one are numbered anew
                here = tuple((name, counts.get(names[: at + 1], 1)) for at, name in enumerate(names))
                self._tables.setdefault(here, number)
                self._keys.setdefault((here[:-1], names[-1]), number)
            elif key := _KEY.match(line):
                self._keys.setdefault((here, _plain(key[1])), number)

    def of(self, problem: str) -> int | None:
        """The line that *problem* is about, or that of the table in which something is missing."""
        tables: tuple[tuple[str, int], ...] = ()
        while table := _TABLE.match(problem):
            tables = (*tables, (table[1], int(table[2])))
            problem = problem[table.end() :]
        if table := _PLAIN_TABLE.match(problem):
            tables = (*tables, (table[1], 1))
            problem = problem[table.end() :]
        subject = _SUBJECT.match(problem)
        return (
            (subject and self._keys.get((tables, subject[2])))
            or self._tables.get(tables)
            or (self._keys.get((tables[:-1], tables[-1][0])) if tables else None)
        ) or None

    def near(self, problem: str) -> int | None:
        """A line that *problem* names, which is about several settings, or about this machine."""
        if option := _OPTION.match(problem):
            return next((self._keys[key] for key in (((), option[1]), ((), option[1].replace("-", "_")))
                         if key in self._keys), None)  # fmt: skip
        site, table = _OF_SITE.match(problem), _NUMBERED.search(problem)
        line = self._naming(site[1]) if site is not None else None
        if table is None:
            words = re.findall(r"[^\s:;,'\"()]+", problem.partition(";")[0])
            return line or self._naming(*words) or self._keys.get(((), words[0] if words else ""))
        above = [("site", number) for number in range(1, len(self._tables))
                 if line is not None and 0 < self._tables.get((("site", number),), 0) <= line]  # fmt: skip
        return self._tables.get((*above[-1:], (table[1], int(table[2])))) or line

    def _naming(self, *words: str) -> int | None:
        """The last line that has one of *words* as a text: of two that are the same that one is too many."""
        for word in words:
            quoted = re.compile(rf"""(["']){re.escape(word)}\.?\1""", re.IGNORECASE)
            if found := [number for number, line in enumerate(self._text, 1) if quoted.search(line)]:
                return found[-1]
        return None


def _plain(key: str) -> str:
    return key.strip().strip("\"'")
