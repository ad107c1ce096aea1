"""What a site shows: the folders of its file servers, what is hidden of them, and the fields of answers."""

from __future__ import annotations

import re

from edge.addresses.fields import Change
from edge.convert.caddy.addresses import add_address
from edge.convert.caddy.guards import Guard
from edge.convert.caddy.matchers import Matcher
from edge.convert.caddy.site import ONLY_PATHS, Files, Scope, Site, source_of
from edge.convert.headers import problem_of
from edge.convert.statements import Statement, directives


def root(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``root``: the folder of what follows."""
    if len(args) != 1 or "{" in args[0]:
        site.draft.remark(one, "a site has one folder: name it by webroot")
        scope.root[0] = ""
    elif about != scope.about:
        site.hide(one, about, "a site has one folder; put a link into it, and say follow-symlinks = true")
    else:
        scope.root[0] = args[0]


def fs(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``fs``: another file system, whose folders are none here."""
    site.draft.remark(one, "files are those of this machine: name the folder by webroot")
    scope.root[0] = ""


def file_server(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``file_server``: files are shown here."""
    block = one.block or ()
    root = next((each.args[0] for each in block if each.name == "root" and each.args), scope.root[0])
    if about.is_odd:
        site.hide(one, about, ONLY_PATHS)
        return
    for each in block:
        if each.name == "hide":
            for name in each.args:
                _hidden(site, each, name, root)
        elif each.name == "index":
            site.result.keys["index"] = list(each.args)
        elif each.name not in ("browse", "precompressed", "pass_thru", "root", "etag_file_extensions"):
            site.draft.remark(each, "there is nothing here that does this")
    if "browse" in args or any(each.name == "browse" for each in block):
        site.result.keys["listing"] = [*site.result.keys.get("listing", ()), *about.globs]
    if "{" in root:
        site.draft.remark(one, "a site has one folder: name it by webroot")
        root = ""
    if any(each.name == "fs" for each in block):
        root = ""
    site.files.append(Files(one, about, root, scope.taken))
    if about.is_of_paths and not any(each.name == "pass_thru" for each in block):
        site.claimed.append(about)


def _hidden(site: Site, one: Statement, name: str, root: str) -> None:
    """A file that is shown to nobody, wherever it is, or at one place."""
    if "{" in name:
        site.draft.remark(one, f"{name} is not known here: what is hidden is told by [[access]]")
        return
    text = name.split("[")[0] + "*" if "[" in name else name
    if "/" not in name:
        if re.match(r"\.[^*?]", text):
            return  # what begins with a dot is never published
        globs = [text, f"/**/{text}/**"]
    elif name.startswith(root.rstrip("/") + "/") and root:
        inside = text.removeprefix(root.rstrip("/")).rstrip("/")
        globs = [inside, inside + "/**"]
    else:
        site.draft.remark(one, f"{name}: what is hidden is a path of the site here; look whether it is")
        inside = text.lstrip("./").rstrip("/")
        globs = [f"/**/{inside}", f"/**/{inside}/**"] if inside else ["/**"]
    for glob in globs:
        site.guards.append(Guard(glob, [], [], one.place))


def try_files(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``try_files``: clean URLs, and what is shown for what is not there."""
    if not about.is_of_paths or scope.taken:
        site.draft.remark(one, f"{ONLY_PATHS}: write a [[rewrite]] for it")
        return
    for each in one.block or ():
        site.draft.remark(each, "the first that is there counts")
    for word in args:
        if word in ("{path}", "{path}/", "{path}/index.html", "=404", "{file}"):
            continue
        if word == "{path}.html":
            site.result.keys["clean-urls"] = True
        elif word.startswith("/") and "{" not in word and "?" not in word and word == args[-1]:
            _fallback(site, one, word, about)
        else:
            site.draft.remark(one, f"{word}: write a [[rewrite]] for it")


def _fallback(site: Site, one: Statement, word: str, about: Matcher) -> None:
    site.led.append((one, word))
    if about.is_all:
        site.result.keys["fallback"] = word
        return
    for path in about.paths:
        add_address(site, "rewrite", one, {**source_of(path), "to": word})


def header(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``header``: fields of answers."""
    if not about.is_of_paths or about.regexes:
        site.draft.remark(one, "only paths are told apart here, not other things that requests say")
        return
    lines = [args] if args else []
    lines += [(each.name, *each.args) for each in one.block or () if each.name not in ("defer", "match")]
    for each in one.block or ():
        if each.name == "match":
            site.draft.remark(each, "fields go by path alone")
            return
    table: dict[str, dict[str, object]] = {"set": {}, "add": {}}
    removed: list[str] = []
    for name, *values in lines:
        if len(values) > 1 or any("{" in value for value in values):
            site.draft.remark(one, "a value is the same for all; an [[app]] can compute one")
        elif name.startswith("-") and not values:
            if name[1:].lower() == "server":
                continue
            if problem := problem_of("remove", name[1:]) or ("name them one by one" * ("*" in name)):
                site.draft.remark(one, problem)
            else:
                removed.append(name[1:])
        elif name.lower() == "strict-transport-security" and values:
            site.draft.keys["hsts"] = directives(values[0])
            site.hsts = one
        elif values:
            what: Change = "add" if name.startswith("+") else "set"
            if problem := problem_of(what, name.lstrip("+?>"), values[0]):
                site.draft.remark(one, problem)
            else:
                table[what][name.lstrip("+?>")] = values[0]
    values_of = {what: fields for what, fields in table.items() if fields}
    if removed:
        values_of["remove"] = removed  # type: ignore[assignment]
    for glob in about.globs if values_of else ():
        site.result.add("header", {"path": glob, **values_of}, one.place)
