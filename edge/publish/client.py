"""The smart client beside any site: ``/sw.js`` and ``/edge/...``, unless the site has files of those names.

So one script tag, ``<script type="module" src="/edge/client.js"></script>``, is all that a site needs.  The
files are those of the demonstration site without their comments and types, which are half of their bytes.

Browsers look for a new worker by comparing ``sw.js``; what it imports they take from their cache, module by
module, and so could mix two versions.  So it imports from a folder named by a digest of all modules: that
name changes with any of them, and what is in it never does.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from edge.publish.catalogue import Catalogue
from edge.publish.rules import IMMUTABLE

#: What belongs to it, in the webroot that comes with this program.
SCRIPT, MODULES, WORKER = "sw.js", "edge", "edge/worker/"
#: For Cache-Control, see :class:`~edge.publish.rules.CacheRules`.
CACHE_RULES = ((f"{WORKER}*/**", IMMUTABLE.decode()),)
#: A comment that begins a line: ours all do, and no string or template of ours has such a line.
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.MULTILINE)
#: A comment at the end of one, after code; no string of ours has such an end.
_REMARK = re.compile(r"""(?<=[;{,]) // [^\n"'`]*$""", re.MULTILINE)
#: Types inside of a line.
_TYPE = re.compile(r"/\*\* @(?:type|param) [^*\n]*\*/ ?")
#: Indentation, and empty lines; no template of ours goes over several lines.
_SPACE = re.compile(r"^[ \t]+|(?<=\n)\n+", re.MULTILINE)


def without_comments(source: str) -> str:
    """A script of the client without comments, types and indentation."""
    return _SPACE.sub("", _TYPE.sub("", _REMARK.sub("", _COMMENT.sub("", source)))).lstrip("\n")


def unpack(webroot: Path, folder: Path) -> int:
    """Write the client of *webroot* into *folder*, where nothing else is; how many files.

    Files that are right already are left alone, so that their times stay.
    """
    wanted = _files(webroot)
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for path in folder.rglob("*.js"):
        if str(path.relative_to(folder)) not in wanted:
            path.unlink()
    return len(wanted)


def _files(webroot: Path) -> dict[str, str]:
    """What is published, by name."""
    files = {
        str(path.relative_to(webroot)): without_comments(path.read_text("utf-8"))
        for path in (webroot / SCRIPT, *sorted((webroot / MODULES).rglob("*.js")))
        if path.is_file()
    }
    modules = {name: text for name, text in files.items() if name.startswith(WORKER)}
    if SCRIPT in files:
        version = hashlib.sha256("\0".join(modules.values()).encode()).hexdigest()[:12]
        files[SCRIPT] = files[SCRIPT].replace(WORKER, f"{WORKER}{version}/")
        for name, text in modules.items():
            files[f"{WORKER}{version}/{name.removeprefix(WORKER)}"] = text
    return files


def beside(client: Catalogue, site: Catalogue, is_source: bool) -> Catalogue:
    """Both in one; what the site has itself counts, unless it is the source of *client* (*is_source*)."""
    both = {**site.files, **client.files} if is_source else {**client.files, **site.files}
    return Catalogue(both, site.rules)
