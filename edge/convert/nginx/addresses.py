"""Addresses that lead elsewhere, or to nothing: redirects, rewrites, and the usual conditions of both."""

from __future__ import annotations

import re

from edge.convert.networks import EVERYBODY
from edge.convert.nginx import maps
from edge.convert.nginx.applications import WHOLE_PATH, hide_php
from edge.convert.nginx.guards import close, guard
from edge.convert.nginx.places import Location
from edge.convert.nginx.server import Server
from edge.convert.nginx.words import ALL_PATHS, VARIABLE
from edge.convert.patterns import not_re2
from edge.convert.statements import Statement, number

_SELF = re.compile(r"\$(?:request_uri|uri(?:\$is_args\$args)?)\Z")
_OWN_HOST = re.compile(r"(https?)://\$(?:\{)?(?:host|http_host|server_name)\}?(?=/|\$|\Z)")
_STATUS_OF_FLAG = {"permanent": 301, "redirect": 302}
_LEADING, _GONE = (301, 302, 303, 307, 308), (403, 404, 410, 444)
_CONDITION = "nothing depends on conditions here; rules go by path, sites by host"


def returns(server: Server, one: Statement, here: Location) -> None:
    """``return``: a redirect, or nothing to be found."""
    code, text = (one.args[0], one.args[1] if len(one.args) > 1 else "") if one.args else ("", "")
    if number(code) is None:
        code, text = "302", code
    status = number(code) or 0
    if status == 403 and not text and here.globs() is not None and here.kind != "server":
        guard(server, "access", one, here, deny=list(EVERYBODY))
    elif status in _GONE and not text:
        _gone(server, one, here, 410 if status == 410 else 404)
    elif status in _LEADING:
        _lead(server, one, here, status, text)
    else:
        server.draft.remark(
            one,
            "an answer of its own: write it as a file, or let an [[app]] give it"
            if status == 200
            else f"a {status} is not given by a rule; an [[app]] can give it",
        )


def _lead(server: Server, one: Statement, here: Location, status: int, text: str) -> None:
    rest = _OWN_HOST.sub("", text) if text.startswith("https:") and here.is_whole else ""
    if rest != text and _SELF.fullmatch(rest) and not server.is_secure:
        server.leads_to_https = True
        return
    text = _own(server, text)
    whole = _SELF.sub("", text)
    if not whole:
        server.draft.remark(one, "it leads to the address that was asked for, round and round")
        return
    if whole != text and not VARIABLE.search(whole):
        if here.source() == {"from": "/*"}:
            server.add("redirect", {"from": "/*", "to": whole + "/:splat", "status": status}, one, here)
            return
        if here.is_prefix:
            source = {"from-regex": f"^/({re.escape(here.path[1:])}.*)$"}
            server.add("redirect", {**source, "to": whole + "/:1", "status": status}, one, here)
            return
        if here.kind == "=":
            text = whole + here.path
    text = re.sub(r"\$is_args\$args\Z|\?\$(?:args|query_string)\Z", "", text)
    _redirect(server, one, here.source(), text, status, here)


def _own(server: Server, text: str) -> str:
    """The address *text* without variables that say the scheme and the host of this server."""
    scheme = "https" if server.is_secure else "http"
    text = text.replace("$scheme://", f"{scheme}://")
    own = _OWN_HOST.match(text)
    if own is None:
        return text
    rest = text[own.end() :]
    if own[1] == scheme:
        return rest or "/"
    is_one = len(server.site.hosts) == 1 and "*" not in server.site.hosts[0]
    return f"{own[1]}://{server.site.hosts[0]}{rest}" if is_one else text


def _redirect(
    server: Server, one: Statement, source: dict[str, str], to: str, status: int, here: Location
) -> None:
    to = _captures(to)
    if VARIABLE.search(to):
        server.draft.remark(one, "an address is made of captures alone; write a [[redirect]] for each case")
    elif not re.match(r"/|https?://", to):
        server.draft.remark(one, "a redirect leads to a path or a URL")
    elif reason := not_re2(source.get("from-regex", "")):
        server.draft.remark(one, reason)
    else:
        server.add("redirect", {**source, "to": to, "status": status}, one, here)


def rewrite(server: Server, one: Statement, here: Location) -> None:
    """``rewrite``: a redirect, or a file at another address."""
    if len(one.args) not in (2, 3):
        server.draft.remark(one, "a rewrite has a pattern and an address")
        return
    pattern, to = one.args[:2]
    flag = one.args[2] if len(one.args) == 3 else "last"
    status = _STATUS_OF_FLAG.get(flag, 302 if re.match(r"https?://|\$scheme", to) else 0)
    if status and pattern in ("^/(.*)$", "^/(.*)", "^(.*)$", "(.*)", "^(.*)"):
        begin = "/" if pattern.startswith("^/") else ""
        to = re.sub(re.escape(begin) + r"\$1\??\Z", "$request_uri", to)
    if status and pattern in ALL_PATHS and "$1" not in to:
        _lead(server, one, here, status, to.removesuffix("?"))
        return
    if pattern in ALL_PATHS and "$1" not in to:
        source = here.source()
    elif here.is_whole or (here.is_prefix and _begin_of(pattern).startswith(here.path)):
        source = {"from-regex": pattern}
    else:
        server.draft.remark(one, f"it holds below {here.path} alone: write a rule whose pattern says so")
        return
    if status:
        _redirect(server, one, source, _own(server, to).removesuffix("?"), status, here)
        return
    block = here.statement.block if here.statement is not None else None
    to = _captures(to.partition("?")[0])
    if any(each.name == "proxy_pass" for each in block or ()):
        server.draft.remark(one, WHOLE_PATH)
    elif to.endswith(".php"):
        hide_php(server, one)
    elif VARIABLE.search(to) or not to.startswith("/"):
        server.draft.remark(one, "an address is made of captures alone; write a [[rewrite]] for each case")
    elif reason := not_re2(source.get("from-regex", "")):
        server.draft.remark(one, reason)
    else:
        # One that takes the file that it leads to itself would hide that.
        hides = re.search(source.get("from-regex", r"\A\Z"), re.sub(r":[0-9]", "x", to)) is not None
        server.add("rewrite", {**source, "to": to, "force": not hides}, one, here)
        server.rewritten.append((one, to))


def internal(server: Server, one: Statement, here: Location) -> None:
    """Nobody gets it under its own address."""
    _gone(server, one, here, 404)


def _gone(server: Server, one: Statement, here: Location, status: int) -> None:
    source = here.source()
    if reason := not_re2(source.get("from-regex", "")):
        server.draft.remark(one, reason)
    else:
        server.add("redirect", {**source, "status": status}, one, here)


def condition(server: Server, one: Statement, here: Location) -> None:
    """``if``: those that everybody has; others are remarked."""
    body = one.block or ()
    only = body[0] if len(body) == 1 and body[0].name in ("return", "rewrite") else None
    is_https = one.args in (("$scheme", "!=", "https"), ("$scheme", "=", "http"), ("$https", "=", ""))
    about_host = len(one.args) == 3 and one.args[0] in ("$host", "$http_host", "$server_name")
    if only is not None and is_https:
        server.draft.keys["redirect-https"] = True
    elif only is not None and about_host and one.args[1] in ("=", "!="):
        name = one.args[2].lower()
        rest = [host for host in server.site.hosts if host != name]
        _of_hosts(server, one, [name] if one.args[1] == "=" else rest)
    elif only is not None and maps.asks_for(one.args) and one.args[0] in server.around.maps:
        server.used_maps.add(one.args[0])
        for line, values in maps.redirects(server.around.maps[one.args[0]], only):
            if values:
                server.add("redirect", values, line, here)
            else:
                server.draft.remark(line, "a redirect leads from a path to a path or a URL")
    else:
        server.draft.remark(one, _CONDITION)
        if any("$ssl_client_" in arg for arg in one.args):
            close(server, one, here)


def _of_hosts(server: Server, one: Statement, hosts: list[str]) -> None:
    """What holds for some *hosts* of this server."""
    other = Server(server.draft, server.around, server.takers, one)
    other.site.hosts = hosts
    other.endpoints = server.endpoints
    other.take(one.block or (), other.root)
    if other.leads_to_https:
        server.https_hosts += hosts
    elif hosts and other.rules:
        server.site.hosts = [host for host in server.site.hosts if host not in hosts]
        server.others.append(other)
    elif not hosts:
        server.draft.remark(one, "which hosts are meant is not said by server_name; make a [[site]] of them")


def _begin_of(pattern: str) -> str:
    """The path that whatever *pattern* matches begins with; "": that is not said."""
    if "|" in re.sub(r"\([^()]*\)", "", pattern):
        return ""
    found = re.match(r"\^((?:[A-Za-z0-9/_~-]|\\[.-])*)(?![?*{+])", pattern)
    return found[1].replace("\\", "") if found is not None else ""


def _captures(to: str) -> str:
    """``$1`` is ``:1``; a colon that is none is encoded."""
    scheme = re.match(r"https?://[^/$]*", to)
    begin = scheme[0] if scheme else ""
    rest = to[len(begin) :].replace(":", "%3A")
    return begin + re.sub(r"\$(?:\{([0-9])\}|([0-9]))", lambda found: f":{found[1] or found[2]}", rest)
