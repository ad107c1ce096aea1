"""From a Caddyfile to a draft (sans-IO): what directives mean is told by Caddy's own documentation.

A block of addresses is a site.  Directives may begin with a matcher: ``*``, a path, or ``@name``; of named
ones those that only have paths are understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge.addresses.fields import Change
from edge.convert.draft import Draft, SiteDraft, name_applications
from edge.convert.headers import problem_of
from edge.convert.statements import TOO_LONG, Statement, directives, number

_ADDRESS = re.compile(r"(?:(https?)://)?([^:/\s]*|\[[^\]]*\])(?::([0-9]+))?/?")
_NEEDLESS = frozenset(["encode", "file_server", "log_skip", "skip_log", "log_append", "log_name", "push"])
_ELSEWHERE = {
    "templates": "pages go out as they are; put them together where they are made",
    "forward_auth": "let the application that decides answer that part itself: an [[app]]",
    "map": "nothing depends on variables here; write a [[redirect]] for each address",
    "request_body": "body-max-mib limits what requests bring",
    "handle_errors": "404.html, at the root of the site, is what a 404 says",
    "uri": "an application is asked with the whole path; a [[rewrite]] leads to other files",
    "handle_path": "paths stay as they are; let the application expect its prefix, or use a [[rewrite]]",
    "method": "requests go on as they are",
    "bind": 'write listen = ["tcp:PORT:interface=ADDRESS"]',
    "acme_server": "certificates come from an authority: tls-auto",
}


class _Site:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.site = SiteDraft()
        self.matchers: dict[str, tuple[str, ...] | None] = {}
        #: The ``reverse_proxy`` of all paths outside of any ``handle``.
        self.proxied_whole: Statement | None = None
        self.depth = 0
        #: What says Strict-Transport-Security.
        self.hsts: Statement | None = None

    def take(self, statements: Sequence[Statement], paths: tuple[str, ...] = ("/*",)) -> None:
        """All *statements* of a block that is about *paths*."""
        for one in statements:
            if one.name.startswith("@"):
                self.matchers[one.name] = _paths_of(one)
        for one in statements:
            if one.name.startswith("@"):
                continue
            if one.is_too_long:
                self.draft.remark(one, TOO_LONG)
                continue
            args, found = self._matched(one, paths)
            taker = _TAKERS.get(one.name)
            if found is None:
                self.draft.remark(one, "only paths are told apart here, not other things that requests say")
            elif taker is not None:
                taker(self, one, args, found)
            elif one.name not in _NEEDLESS:
                self.draft.remark(one, _ELSEWHERE.get(one.name, "there is nothing here that does this"))

    def _matched(
        self, one: Statement, paths: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
        """The arguments of *one* without its matcher, and what that matches; None: more than paths."""
        first = one.args[0] if one.args else ""
        if first.startswith("@"):
            return one.args[1:], self.matchers.get(first)
        if first == "*":
            return one.args[1:], paths
        is_path = first.startswith("/") and (one.name not in _NO_PATH or len(one.args) > _NO_PATH[one.name])
        return (one.args[1:], (first,)) if is_path else (one.args, paths)

    # ---- directives ----

    def root(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        if len(args) != 1 or paths != ("/*",) or "{" in args[0]:
            self.draft.remark(
                one, "a site has one folder; put a link into it, and say follow-symlinks = true"
            )
        else:
            self.site.keys["webroot"] = args[0]

    def file_server(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        if "browse" in args or any(each.name == "browse" for each in one.block or ()):
            self.site.keys["listing"] = [*self.site.keys.get("listing", ()), *map(_glob, paths)]
        for each in one.block or ():
            if each.name == "index":
                self.site.keys["index"] = list(each.args)
            elif each.name == "hide":
                self.draft.remark(
                    each, "what begins with a dot is hidden; move other files out of the webroot"
                )
            elif each.name not in ("browse", "precompressed", "pass_thru", "etag_file_extensions"):
                self.draft.remark(each, "there is nothing here that does this")

    def try_files(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        for word in args:
            if word in ("{path}", "{path}/", "{path}/index.html", "=404"):
                continue
            if word == "{path}.html":
                self.site.keys["clean-urls"] = True
            elif word.startswith("/") and "{" not in word and word == args[-1]:
                self.site.keys["fallback"] = word
            else:
                self.draft.remark(one, f"{word}: write a [[rewrite]] for it")

    def header(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        lines = [args] if args else []
        lines += [(each.name, *each.args) for each in one.block or () if each.name != "defer"]
        table: dict[str, dict[str, object]] = {"set": {}, "add": {}}
        removed: list[str] = []
        for name, *values in lines:
            if len(values) > 1 or any("{" in value for value in values):
                self.draft.remark(one, "a value is the same for all; an [[app]] can compute one")
            elif name.startswith("-") and not values:
                removed += [name[1:]] if name[1:].lower() != "server" else []
            elif name.lower() == "strict-transport-security" and values:
                self.draft.keys["hsts"] = directives(values[0])
                self.hsts = one
            elif values:
                what: Change = "add" if name.startswith("+") else "set"
                if problem := problem_of(what, name.lstrip("+?>"), values[0]):
                    self.draft.remark(one, problem)
                else:
                    table[what][name.lstrip("+?>")] = values[0]
        values_of = {what: fields for what, fields in table.items() if fields}
        if removed:
            values_of["remove"] = removed  # type: ignore[assignment]
        for path in paths if values_of else ():
            self.site.add("header", {"path": _glob(path), **values_of}, one.place)

    def respond(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        """``respond``, ``error`` and ``abort``: that nobody may, or that nothing is there."""
        status = next((arg for arg in args if number(arg) is not None), "404" if one.name == "abort" else "")
        if status not in ("403", "404", "410") or len(args) > 1 or one.block or paths == ("/*",):
            self.draft.remark(one, "an answer of its own: write it as a file, or let an [[app]] give it")
            return
        for path in paths:
            source = _source(path)
            if status == "403" or (source is None and path.startswith("*.")):
                self.site.add("access", {"path": _glob(path), "deny": ["0.0.0.0/0", "::/0"]}, one.place)
            elif source is None:
                self.draft.remark(one, f"{path}: write a [[redirect]] with from-regex and status = {status}")
            else:
                self.site.add("redirect", {"from": source, "status": int(status)}, one.place)

    def php(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        """PHP is not run, and what it is made of is shown to nobody."""
        self.draft.remark(
            one, 'PHP is not run here: let FrankenPHP be an [[app]] with to = "http://127.0.0.1:PORT", and '
            "take the *.php out of the webroot, which an [[access]] hides until then"
        )  # fmt: skip
        self.site.add("access", {"path": "*.php", "deny": ["0.0.0.0/0", "::/0"]}, one.place)

    def redir(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        to, code = (args[0] if args else ""), (args[1] if len(args) > 1 else "302")
        status = {"permanent": 301, "temporary": 302, "html": 0}.get(code, number(code) or 0)
        if status not in (301, 302, 303, 307, 308):
            self.draft.remark(one, "a redirect has the status 301, 302, 303, 307 or 308")
            return
        if paths == ("/*",) and re.fullmatch(r"https://\{(?:host|hostport)\}\{uri\}", to):
            self.draft.keys["redirect-https"] = True
            return
        for path in paths:
            source, target = _source(path), to
            if to.endswith("{uri}") and source is not None:
                target = to.removesuffix("{uri}") + path.removesuffix("*") + ":splat" * path.endswith("*")
            if "{" in target or not re.match(r"/|https?://", target) or source is None:
                self.draft.remark(
                    one, 'an address is made of captures alone: from = "/old/*", to = "/new/:splat"'
                )
            else:
                self.site.add("redirect", {"from": source, "to": target, "status": status}, one.place)

    def rewrite(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        to = args[-1] if args else ""
        for path in paths:
            source = _source(path)
            if source is None or "{" in to or not to.startswith("/") or "?" in to:
                self.draft.remark(one, "a rewrite leads from a path to a file: from, to")
            else:
                self.site.add("rewrite", {"from": source, "to": to, "force": True}, one.place)

    def reverse_proxy(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        places = [*args, *[arg for each in one.block or () if each.name == "to" for arg in each.args]]
        to = [_upstream(place) for place in places]
        if not to or any(place is None for place in to):
            self.draft.remark(one, 'an application is asked over plain HTTP: to = "http://HOST:PORT"')
            return
        for each in one.block or ():
            if each.name not in _OF_PROXIES:
                self.draft.remark(each, "there is nothing here that does this")
        if "/*" in paths and not self.depth:
            self.proxied_whole = one
        probes = [each.args[0] for each in one.block or () if each.name == "health_uri" and each.args]
        for path in paths:
            values = {"at": path.removesuffix("*").rstrip("/") or "/", "to": to[0] if len(to) == 1 else to}
            self.site.add("app", {**values, **({"probe": probes[0]} if probes else {})}, one.place)

    def say_of_files(self) -> None:
        """In Caddy a ``reverse_proxy`` without a path is asked before any file."""
        if self.proxied_whole is not None and "webroot" in self.site.keys:
            self.draft.remark(
                self.proxied_whole, "files of the webroot win over an application wherever they are; leave "
                "out webroot if the application answers everything"
            )  # fmt: skip

    def basic_auth(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        realm = args[1] if len(args) > 1 else "Restricted"
        for path in paths:
            self.site.add("auth", {"path": _glob(path), "users": "htpasswd", "realm": realm}, one.place)
        names = ", ".join(each.name for each in one.block or ())
        self.draft.remark(one, f"put the users into a file htpasswd, a line NAME:HASH each ({names[:80]})")

    def tls(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        if len(args) == 2:
            self.draft.keys["listen"] = ["tcp:80", f"tls:443:privateKey={args[1]}:certKey={args[0]}"]
        elif len(args) == 1 and "@" in args[0]:
            self.draft.keys["acme-email"] = args[0]
        elif args or one.block:
            self.draft.remark(
                one, 'certificates: tls-auto, or listen = ["tls:443:privateKey=FILE:certKey=FILE"]'
            )

    def log(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        for each in one.block or ():
            if each.name == "output" and each.args[:1] == ("file",) and len(each.args) > 1:
                known = self.draft.keys.setdefault("access-log", each.args[1])
                if known != each.args[1]:
                    self.draft.remark(each, f"a node has one access log, here {known}; it names the host")
            elif each.name == "output" and each.args[:1] in (("stdout",), ("stderr",)):
                self.draft.keys["access-log"] = "-"
            elif each.name == "format" and each.args[:1] == ("json",):
                pass  # it is so by itself
            elif each.name not in ("level", "roll_size", "roll_keep"):
                self.draft.remark(each, 'a line is "combined", "common" or "json": access-log-format')

    def handle(self, one: Statement, args: tuple[str, ...], paths: tuple[str, ...]) -> None:
        self.depth += 1
        self.take(one.block or (), paths)
        self.depth -= 1


def _paths_of(one: Statement) -> tuple[str, ...] | None:
    """The paths of a named matcher; None: it has more than paths."""
    if one.block is not None:
        conditions = [(each.name, each.args) for each in one.block]
    else:
        conditions = [(one.args[0], one.args[1:])] if one.args else []
    if len(conditions) != 1 or conditions[0][0] != "path":
        return None
    return tuple(conditions[0][1])


def _glob(path: str) -> str:
    if path.startswith("*."):
        return path
    return path.removesuffix("*") + "**" if path.endswith("*") else path


def _source(path: str) -> str | None:
    if path.endswith("/*") and "*" not in path[:-1]:
        return path
    return None if "*" in path else path


def _upstream(place: str) -> str | None:
    if place.startswith("unix/"):
        return "http+unix:" + place.removeprefix("unix/")
    found = re.fullmatch(r"(?:http://)?([A-Za-z0-9._-]*|\[[0-9A-Fa-f:]+\]):?([0-9]*)", place)
    if found is None or not (found[1] or found[2]):
        return None
    return f"http://{found[1] or '127.0.0.1'}:{found[2] or 80}"


#: Directives whose first argument is a path of their own, and how many they have then.
_NO_PATH = {"root": 1, "redir": 1, "rewrite": 1, "try_files": 99, "log": 99, "tls": 99}
_OF_PROXIES = frozenset(
    (
        "to",
        "header_up",
        "header_down",
        "health_uri",
        "health_interval",
        "health_timeout",
        "lb_policy",
        "lb_try_duration",
        "flush_interval",
    )
)
_TAKERS = {
    "root": _Site.root,
    "file_server": _Site.file_server,
    "try_files": _Site.try_files,
    "header": _Site.header,
    "redir": _Site.redir,
    "rewrite": _Site.rewrite,
    "reverse_proxy": _Site.reverse_proxy,
    "basicauth": _Site.basic_auth,
    "basic_auth": _Site.basic_auth,
    "tls": _Site.tls,
    "log": _Site.log,
    "php_fastcgi": _Site.php,
    "respond": _Site.respond,
    "error": _Site.respond,
    "abort": _Site.respond,
    "handle": _Site.handle,
    "route": _Site.handle,
}


def convert_caddy(statements: Sequence[Statement]) -> Draft:
    """What the *statements* of a Caddyfile come to."""
    draft = Draft()
    blocks = [one for one in statements if one.block is not None]
    if not blocks and statements:  # one site, without braces
        blocks = [
            Statement(statements[0].name, statements[0].args, statements[0].place, tuple(statements[1:]))
        ]
    names: list[str] = []
    hsts: list[Statement | None] = []
    is_secure = False
    for one in blocks:
        if not one.name:
            _of_node(draft, one)
            continue
        site = _Site(draft)
        for address in (one.name, *one.args):
            found = _ADDRESS.fullmatch(address.rstrip(","))
            if found is None or not address.rstrip(","):
                draft.remark(
                    one, f"{address[:60]}: a site is known by its host alone; use paths in its rules"
                )
                continue
            scheme, host, port = found.groups()
            named = bool(host) and host != "localhost"
            secure = named and scheme != "http" and port != "80"
            if port not in (None, "80", "443"):
                draft.keys.setdefault("listen", []).append(f"{'tls' if secure else 'tcp'}:{port}")
            elif scheme == "https" and not named:
                draft.remark(one, "Caddy signs a certificate of its own here; name one by tls, or a host")
            is_secure |= secure
            if host and host != "localhost":
                site.site.hosts.append(host)
                names += [host] if secure and "*" not in host else []
        site.take(one.block or ())
        site.say_of_files()
        hsts.append(site.hsts)
        site.site.is_default = not site.site.hosts
        draft.sites.append(site.site)
    has_files = any("privateKey" in one for one in draft.keys.get("listen", ()))
    if is_secure and not has_files:  # Caddy gets certificates by itself
        listen = ["tcp:80", *([] if draft.keys.get("listen") else ["tls:443"]), *draft.keys.pop("listen", ())]
        draft.keys = {"listen": listen, "tls-auto": names, "redirect-https": True, **draft.keys}
    elif is_secure:
        draft.keys["redirect-https"] = True
    draft.keys.setdefault("listen", ["tcp:80"])
    draft.keys = {"listen": list(dict.fromkeys(draft.keys.pop("listen"))), **draft.keys}
    for said in hsts if None in hsts else ():
        if said is not None:
            draft.remark(said, "Strict-Transport-Security is hsts, which holds for all sites")
    draft.sites = draft.sites or [SiteDraft()]
    name_applications(draft.sites)
    draft.remarks = list(dict.fromkeys(draft.remarks))
    return draft


def _of_node(draft: Draft, one: Statement) -> None:
    """The options in the block without an address."""
    for each in one.block or ():
        if each.name == "email" and each.args:
            draft.keys["acme-email"] = each.args[0]
        elif each.name not in ("admin", "debug", "order", "servers", "log", "storage", "grace_period"):
            draft.remark(each, "there is nothing here that does this")
