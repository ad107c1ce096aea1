"""What a server shows: its folder, which file answers, and with which type and fields."""

from __future__ import annotations

from edge.convert.headers import problem_of
from edge.convert.nginx import maps
from edge.convert.nginx.applications import hide_php
from edge.convert.nginx.places import Location
from edge.convert.nginx.server import Server
from edge.convert.nginx.words import PAGES, VARIABLE, expires
from edge.convert.statements import Statement, directives
from edge.publish.types import UNKNOWN, media_type


def webroot(server: Server, one: Statement, here: Location) -> None:
    """``root`` and ``alias``: the folder of the site, which has one."""
    if len(one.args) != 1 or "$" in one.args[0]:
        server.draft.remark(one, "a site has one folder; name it by webroot")
    elif here.kind == "server" or (here.is_whole and one.name == "root"):
        if not one.args[0].startswith("/"):
            server.draft.remark(one, "nginx looks below its own folder (nginx -V: --prefix); write it out")
        server.site.keys["webroot"] = one.args[0]
    elif server.site.keys.get("webroot") != one.args[0] or one.name == "alias":
        server.draft.remark(one, "a site has one folder; put a link into it, and say follow-symlinks = true")


def index(server: Server, one: Statement, here: Location) -> None:
    """``index``: names of files that stand for their folder."""
    names = [name for name in one.args if not name.endswith(".php")]
    if any("/" in name or "$" in name for name in names):
        server.draft.remark(one, "index names files beside each other; use a [[rewrite]] for other places")
    elif not here.is_whole:
        if names != server.site.keys.get("index", ["index.html"]):
            server.draft.remark(one, "index holds for a whole site")
    elif names and names != ["index.html"]:
        server.site.keys["index"] = names


def try_files(server: Server, one: Statement, here: Location) -> None:
    """``try_files``: clean URLs, the fallback, or what is asked for what is not there."""
    *tried, last = one.args or ("",)
    if ".php" in last:
        hide_php(server, one)
        return
    if here.kind in ("~", "~*", "=") and set(tried) <= {"$uri", "$uri/"} and last in ("=404", "$uri"):
        return  # what is not there is not there
    if here.kind not in ("server", "", "^~") or any(not word.startswith("$uri") for word in tried):
        server.draft.remark(one, "files are found by their names; write a [[rewrite]] for what else is tried")
        return
    if "$uri.html" in tried:
        server.site.keys["clean-urls"] = True
    unknown = [word for word in tried if word not in ("$uri", "$uri/", "$uri.html", "$uri/index.html")]
    if unknown:
        server.draft.remark(one, f"{' '.join(unknown)}: write a [[rewrite]] for it")
    if last in ("=404", "$uri", "$uri/"):
        return
    if last.startswith("@"):
        _backend(server, one, last, here)
    elif last.startswith("="):
        server.draft.remark(one, "what is not there is a 404")
    elif "$" in (path := last.partition("?")[0]):
        server.draft.remark(one, f"{last}: an address is made of captures alone; write a [[rewrite]]")
    elif here.is_whole:
        if path != "/404.html":  # 404.html is what a 404 says
            server.site.keys["fallback"] = path
    else:
        server.add("rewrite", {**here.source(), "to": path}, one, here)


def error_page(server: Server, one: Statement, here: Location) -> None:
    """``error_page``: the fallback, or a page that says what went wrong."""
    *codes, page = one.args or ("",)
    leads_on = codes and codes[-1] in ("=", "=200")
    if codes[:1] == ["404"] and (leads_on or page.startswith("@")) and len(codes) <= 2:
        if page.startswith("@") and codes[-1] != "=200" and here.is_whole:
            _backend(server, one, page, here)
        elif page.endswith(".php") or ".php?" in page:
            hide_php(server, one)
        elif page.startswith("/") and here.is_whole and "$" not in page:
            server.site.keys["fallback"] = page.partition("?")[0]
        else:
            server.draft.remark(one, "404.html, at the root of the site, is shown for what is not there")
    elif not codes or [code for code in codes if code not in PAGES]:
        server.draft.remark(one, "only 404.html, at the root of the site, is shown for what is not there")
    else:
        if "404" in codes and page != "/404.html":
            server.draft.remark(
                one, f"name that file 404.html: it is shown for what is not there (here {page})"
            )
        elif codes != ["404"]:
            server.error_pages.append(one)


def _backend(server: Server, one: Statement, name: str, here: Location) -> None:
    """``@backend``: what is not there is asked of it, or led elsewhere."""
    named = server.named.get(name)
    if named is None:
        server.draft.remark(one, f"there is no location {name}")
        return
    known = len(server.rules)
    server.take(named.block or (), Location("", here.path, named, here))
    for rule in server.rules[known:]:
        if rule.name == "redirect":
            rule.values["force"] = False


def autoindex(server: Server, one: Statement, here: Location) -> None:
    """``autoindex``: folders that are listed."""
    if one.args != ("on",):
        return
    globs = here.globs()
    if globs is None:
        server.draft.remark(one, 'name the folders: listing = ["/pub/**"]')
    else:
        listing = server.site.keys.setdefault("listing", [])
        listing += [glob for glob in globs if glob not in listing]


def types(server: Server, one: Statement, here: Location) -> None:
    """``types``: media types by extension."""
    for each in one.block or ():
        server.site.types.update({f".{extension}": each.name for extension in each.args})


def default_type(server: Server, one: Statement, here: Location) -> None:
    """``default_type``: the media type of what has no other."""
    if one.args and one.args[0] != "application/octet-stream":
        if here.kind == "server" or here.path == "/":
            server.site.types["*"] = one.args[0]
        elif here.kind == "=" and "/" not in here.path[1:]:
            if media_type(here.path[1:]) == UNKNOWN or here.forgets_types():
                server.site.types[here.path[1:]] = one.args[0]
        else:
            server.draft.remark(one, "a type is given by name: [types] has extensions and names of files")


def add_header(server: Server, one: Statement, here: Location) -> None:
    """``add_header``: a field of this place."""
    here.own_fields = True
    if len(one.args) < 2:
        server.draft.remark(one, "a field has a name and a value")
        return
    name, value = one.args[0], one.args[1].strip()
    if VARIABLE.search(value):
        server.draft.remark(one, "a value is the same for all; an [[app]] can compute one")
    elif name.lower() == "strict-transport-security":
        server.draft.keys["hsts"] = directives(value)
        server.has_hsts = True
    elif problem := problem_of("add" if name.lower() == "vary" else "set", name, value or "-"):
        server.draft.remark(one, problem)
    elif value:
        here.fields.append((name, value))


def lifetime(server: Server, one: Statement, here: Location) -> None:
    """``expires``: a lifetime for this place, or by type."""
    value = expires(one.args[-1] if one.args else "")
    found = server.around.maps.get(one.args[0]) if one.args else None
    if found is not None and maps.is_of_types(found) and here.is_whole:
        server.used_maps.add(one.args[0])
        for line, globs, lifetime in maps.lifetimes(found):
            if lifetime is None:
                server.draft.remark(line, 'name its files: [[header]] path = "*.EXTENSION"')
            elif lifetime:
                server.lifetimes += [(glob, lifetime, line.place) for glob in globs]
    elif value is None or len(one.args) != 1:
        server.draft.remark(one, 'write set = { Cache-Control = "max-age=SECONDS" } in a [[header]]')
    else:
        here.expires = value
