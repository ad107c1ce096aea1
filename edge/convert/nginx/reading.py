"""nginx's language read: crossplane parses each file, includes are taken here, where they are bounded."""

from __future__ import annotations

import os
import re
from tempfile import TemporaryDirectory
from typing import Any

import crossplane

from edge.convert.files import Files, check_depth
from edge.convert.statements import Place, Statement, Unreadable

#: Directives in all, and blocks one inside the other.
_STATEMENTS, _NESTED = 100_000, 50
#: A section of a configuration of Apache.
_APACHE = re.compile(
    r"^[ \t]*(<(?:VirtualHost|Directory|IfModule|Location|Files)(?:Match)?)\b[^\n>]*>",
    re.MULTILINE | re.IGNORECASE,
)


class _Reader:
    def __init__(self, base: str) -> None:
        self._files = Files()
        #: Relative names of includes start from the folder of the main file, as nginx has it.
        self._base = base
        self._count = 0

    def read(self, name: str, chain: tuple[str, ...], place: Place | None) -> tuple[Statement, ...]:
        text = self._files.read(name, place)
        return self._statements(_parsed(text, name), name, (*chain, os.path.realpath(name)), 0)

    def _statements(
        self, parsed: list[dict[str, Any]], name: str, chain: tuple[str, ...], depth: int
    ) -> tuple[Statement, ...]:
        found: list[Statement] = []
        for one in parsed:
            place = Place(name, one["line"])
            self._count += 1
            if self._count > _STATEMENTS or depth > _NESTED:
                raise Unreadable(
                    f"{place}: more than {_STATEMENTS} directives, or {_NESTED} blocks one inside the other; "
                    "convert the sites one by one"
                )
            args = tuple(one["args"])
            if one["directive"] == "include" and len(args) == 1 and not args[0].endswith("mime.types"):
                files = self._files.named(args[0], self._base)
                if files and not os.path.lexists(files[0]):  # of sites-available, or conf.d
                    files = self._files.named(args[0], os.path.dirname(self._base))
                if files and not os.path.lexists(files[0]):
                    found.append(Statement("include", args, place))  # what it means says that it is not there
                    continue
                for file in files:
                    check_depth(chain, file, place)
                    found += self.read(file, chain, place)
                continue
            block = one.get("block")
            inner = self._statements(block, name, chain, depth + 1) if block is not None else None
            found.append(Statement(one["directive"], args, place, inner))
        return tuple(found)


def _parsed(text: str, name: str) -> list[dict[str, Any]]:
    """What crossplane makes of *text*; it reads files, so it gets one."""
    if text.count("{") > _STATEMENTS:
        raise Unreadable(f"{name}: there are more than {_STATEMENTS} blocks; convert the sites one by one")
    with TemporaryDirectory(prefix="edge-convert-") as folder:
        path = os.path.join(folder, "configuration")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text if text.endswith("\n") else text + "\n")
        try:
            payload = crossplane.parse(path, single=True, check_ctx=False, check_args=False)
        except (StopIteration, RuntimeError):  # an open quote or directive at the end; or endless nesting
            line = text.count("\n") + 1
            raise Unreadable(f"{name}:{line}: it ends inside of a directive; is the file whole?") from None
    if payload["errors"] and (apache := _APACHE.search(text)) is not None:
        line = text.count("\n", 0, apache.start()) + 1
        raise Unreadable(
            f"{name}:{line}: {apache[1]}> is Apache's language, of which .htaccess is converted: put what "
            "stands in its <Directory> into a file .htaccess, and write webroot, listen, [[site]] and [[app]]"
        )
    for error in payload["errors"]:
        line = error["line"] or 1
        why = str(error["error"]).partition(" in ")[0] or "a directive ends with ; or has a block in { }"
        raise Unreadable(f"{name}:{line}: this is not nginx's language: {why}; nginx -t says the same")
    parsed: list[dict[str, Any]] = payload["config"][0]["parsed"]
    return parsed


def read_nginx(name: str) -> tuple[Statement, ...]:
    """All directives of the configuration in the file *name*; :class:`Unreadable`."""
    return _Reader(os.path.dirname(os.path.abspath(name))).read(name, (), None)
