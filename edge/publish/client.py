"""The smart client beside any site: ``/sw.js`` and ``/edge/...``, unless the site has files of those names.

So one script tag, ``<script type="module" src="/edge/client.js"></script>``, is all that a site needs.  The
files are those of the demonstration site without their comments and types, which are half of their bytes.
"""

from __future__ import annotations

import re
from pathlib import Path

from edge.publish.catalogue import Catalogue

#: What belongs to it, in the webroot that comes with this program.
SCRIPT, MODULES = "sw.js", "edge"
#: A comment that begins a line: ours all do, and no string or template of ours has such a line.
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.MULTILINE)
#: Types inside of a line.
_TYPE = re.compile(r"/\*\* @(?:type|param) [^*\n]*\*/ ?")
#: Indentation, and empty lines; no template of ours goes over several lines.
_SPACE = re.compile(r"^[ \t]+|(?<=\n)\n+", re.MULTILINE)


def without_comments(source: str) -> str:
    """A script of the client without comments on lines of their own, types and indentation."""
    return _SPACE.sub("", _TYPE.sub("", _COMMENT.sub("", source))).lstrip("\n")


def unpack(webroot: Path, folder: Path) -> int:
    """Write the client of *webroot* into *folder*, where nothing else is; how many files.

    Files that are right already are left alone, so that their times stay.
    """
    wanted = {}
    for path in [webroot / SCRIPT, *sorted((webroot / MODULES).rglob("*.js"))]:
        if path.is_file():
            wanted[path.relative_to(webroot)] = without_comments(path.read_text("utf-8"))
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for path in folder.rglob("*.js"):
        if path.relative_to(folder) not in wanted:
            path.unlink()
    return len(wanted)


def beside(client: Catalogue, site: Catalogue) -> Catalogue:
    """Both in one; what the site has itself counts."""
    return Catalogue({**client.files, **site.files}, site.rules)
