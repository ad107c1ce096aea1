"""The smart client beside any site: ``/sw.js``, ``/edge/...`` and ``/edge.json``, unless the site has them.

So one script tag, ``<script type="module" src="/edge/client.js"></script>``, is all that a site needs.  The
files are those of the demonstration site without their comments and types, which are half of their bytes,
and minified where this package was built with a minifier (:mod:`edge.publish.minifying`).

Browsers look for a new worker by comparing ``sw.js``; what it imports they take from their cache, and so
could mix two versions.  So it imports from a folder named by a digest of what is in it, which therefore never
changes: one script, all of the worker's modules bundled, so that an installation is one request, and a
division into files costs no bytes.  Both are classic scripts: browsers look for a module worker without
credentials, and Chromium then opens a connection for that alone at each page view that finds none.  Pages
import from ``edge/worker/`` itself what they share with the worker.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.publish.minifying import minified
from edge.publish.rules import IMMUTABLE

#: What belongs to it, in the webroot that comes with this program.
SCRIPT, MODULES, WORKER, ENTRY = "sw.js", "edge", "edge/worker/", "worker.js"
#: The site's rules for it, and what stands there where a site has none: asking for it is no error.
RULES, NO_RULES = "edge.json", '{"v": 1}\n'
#: Browsers look for another script at each navigation, which would cost more than all that the worker asks:
#: for so long they look into their cache.  The worker hears of a new one before, with what else has changed.
LOOK_SECONDS = 300
#: For Cache-Control, see :class:`~edge.publish.rules.CacheRules`.
CACHE_RULES = ((f"{WORKER}*/**", IMMUTABLE.decode()), (f"/{SCRIPT}", f"max-age={LOOK_SECONDS}"))
#: A comment that begins a line: ours all do, and no string or template of ours has such a line.
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.MULTILINE)
#: A comment at the end of one, after code; no string of ours has such an end.
_REMARK = re.compile(r"""(?<=[;{,]) // [^\n"'`]*$""", re.MULTILINE)
#: Types inside of a line.
_TYPE = re.compile(r"/\*\* @(?:type|param) [^*\n]*\*/ ?")
#: Indentation, and empty lines; no template of ours goes over several lines.
_SPACE = re.compile(r"^[ \t]+|(?<=\n)\n+", re.MULTILINE)
#: How modules of the worker import from each other, and what they export.
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
#: How the worker's listeners import it.
_IMPORTED = re.compile(r'^import \{ Worker \} from ("[^"]+");', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:\{\};\n)?", re.MULTILINE)
_EXPORTED = re.compile(r"^export (?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
#: A constant of a module that is a number, a product of some, or a string.
_CONSTANT = re.compile(r"^const ([A-Z][A-Z0-9_]*) = ([\d_.* ]+|\"[^\"]*\");\n", re.MULTILINE)
_DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)


def without_comments(source: str) -> str:
    """A script of the client without comments, types and indentation."""
    return _SPACE.sub("", _TYPE.sub("", _REMARK.sub("", _COMMENT.sub("", source)))).lstrip("\n")


def with_constants(source: str) -> str:
    """A script with numbers and strings in the place of constants that it has for them.

    Minifiers of one pass leave that undone; it is 0.4 of 25 kB as brotli.  What is exported stays as it is.
    :exc:`ValueError` if the name of one is a word of a string.
    """
    values = dict(_CONSTANT.findall(source))
    if not values:
        return source
    name = rf"(?<![\w.])(?:{'|'.join(values)})\b"
    if found := re.search(rf"[\"'`][\w ./:-]*{name}[\w ./:-]*[\"'`]", source):
        raise ValueError(f"{found[0]} has the name of a constant in it: call that otherwise")

    def literal(use: re.Match[str]) -> str:
        value = values[use[0]]
        return f"({value})" if "*" in value else value

    return re.sub(name, literal, _CONSTANT.sub("", source))


def bundled(modules: Mapping[str, str], entry: str) -> str:
    """The module *entry* of *modules* and all that it imports as one classic script with its exports.

    Each stands once, behind those that it imports.  They share one scope then, a function's, so that a
    minifier may rename what is in it: :exc:`ValueError` if two declare the same name, or import in a way
    that is not ours.
    """
    parts: dict[str, str] = {}
    waiting: set[str] = set()

    def add(name: str) -> None:
        if name in parts or name in waiting:
            return
        waiting.add(name)
        for imported in _IMPORT.findall(modules[name]):
            add(imported)
        parts[name] = _EXPORT.sub("", _IMPORT.sub("", modules[name]))

    add(entry)
    text = "".join(parts.values())
    twice = [name for name, count in Counter(_DECLARED.findall(text)).items() if count > 1]
    if twice or re.search(r"^import ", text, re.MULTILINE):
        raise ValueError(f"{', '.join(parts)}: declared twice: {', '.join(twice) or 'nothing'}, or an import")
    exports = f"{{ {', '.join(_EXPORTED.findall(modules[entry]))} }}"
    return f"const {exports} = (() => {{\n{text}return {exports};\n}})();\n"


def unpack(webroot: Path, folder: Path) -> int:
    """Write the client of *webroot* into *folder*, where nothing else is; how many files.

    Files that are right already are left alone, so that their times stay.
    """
    wanted = files_of(webroot)
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for path in (path for path in folder.rglob("*") if path.is_file()):
        if str(path.relative_to(folder)) not in wanted:
            path.unlink()
    return len(wanted)


def files_of(webroot: Path, small: Callable[[str], str] = minified) -> dict[str, str]:
    """What is published, by name; *small* makes scripts without comments smaller."""
    sources = {
        str(path.relative_to(webroot)): path.read_text("utf-8")
        for path in (webroot / SCRIPT, *sorted((webroot / MODULES).rglob("*.js")))
        if path.is_file()
    }
    files = {RULES: NO_RULES}
    files |= {
        name: small(with_constants(without_comments(text)))
        for name, text in sources.items()
        if name != SCRIPT
    }
    modules = {name.removeprefix(WORKER): text for name, text in sources.items() if name.startswith(WORKER)}
    for path in (webroot / MODULES).glob("*.json"):
        files[str(path.relative_to(webroot))] = path.read_text("utf-8")
    if SCRIPT in sources:
        worker = small(with_constants(without_comments(bundled(modules, ENTRY))))
        version = hashlib.sha256(worker.encode()).hexdigest()[:12]
        script, imports = _IMPORTED.subn(r"importScripts(\1);", without_comments(sources[SCRIPT]))
        if imports != 1:
            raise ValueError(f"{SCRIPT} has to import Worker in one line of its own")
        files[SCRIPT] = small(script.replace(WORKER, f"{WORKER}{version}/"))
        files[f"{WORKER}{version}/{ENTRY}"] = worker
    return files
