"""From nginx's directives to a draft (sans-IO): what they mean is told by nginx's own documentation.

A server becomes a site.  Of its locations nginx takes one: an exact one, else a ``^~`` prefix, else the first
regular expression that matches, else the longest prefix.  Here the first ``[[redirect]]`` that matches counts
and all ``[[header]]`` rules apply in order; so redirects are written in that order, and fields in the
opposite one (:mod:`edge.convert.headers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from edge.addresses import Glob
from edge.convert.draft import Draft, SiteDraft
from edge.convert.headers import CACHE_CONTROL, PlaceFields, problem_of, rules_of
from edge.convert.nginx_words import ELSEWHERE, NEEDLESS, PROXIED, expires
from edge.convert.statements import TOO_LONG, Statement, directives, number
from edge.publish.types import UNKNOWN, media_type

_SELF = re.compile(r"https?://\$(?:host|http_host|server_name)\$request_uri")
_VARIABLE = re.compile(r"\$(?:\{\w+\}|[A-Za-z_]\w*)")
_EXTENSIONS = re.compile(r"(?:\.\*)?\\\.\(?(?:\?:)?([A-Za-z0-9|?]+)\)?\$")
_SEGMENT = re.compile(r"\^?(/[A-Za-z0-9._~/-]*)")
_STATUS_OF_FLAG = {"permanent": 301, "redirect": 302}
_LEADING, _GONE = (301, 302, 303, 307, 308), (403, 404, 410, 444)


@dataclass
class _Location:
    """One location, and what holds in it."""

    #: "=", "^~", "~", "~*", "" (a prefix), or "server".
    kind: str
    path: str
    statement: Statement | None
    outer: _Location | None
    inner: list[_Location] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)
    expires: str | None = None
    own_fields: bool = False

    def all_fields(self) -> tuple[tuple[str, str], ...]:
        """Its fields, or those around it where it has none."""
        place: _Location | None = self
        while place is not None and not place.own_fields:
            place = place.outer
        fields = list(place.fields) if place is not None else []
        place = self
        while place is not None and place.expires is None:
            place = place.outer
        if place is not None and place.expires:
            fields.append((CACHE_CONTROL, place.expires))
        return tuple(fields)

    def globs(self) -> tuple[str, ...] | None:
        """Globs of its paths; None: only a regular expression says it."""
        if self.kind == "server":
            return ("/**",)
        if self.kind == "=":
            return (self.path,)
        if self.kind in ("", "^~"):
            return (self.path + "**",)
        extensions = _EXTENSIONS.fullmatch(self.path)
        if extensions is not None and extensions[1].count("?") <= _OPTIONAL:
            words = [word for one in extensions[1].split("|") for word in _optional(one)]
            return tuple(f"*.{word}" for word in words)
        literal = _SEGMENT.fullmatch(self.path)
        if literal is not None and self.path.startswith("^") and self.kind == "~":
            return (literal[1].replace("\\", "") + "**",)
        return None

    def source(self) -> dict[str, str]:
        """Its paths as ``from`` of a redirect."""
        if self.kind == "server":
            return {"from": "/*"}
        if self.kind == "=":
            return {"from": self.path}
        if self.kind in ("", "^~"):
            if self.path.endswith("/"):
                return {"from": self.path + "*"}
            return {"from-regex": "^" + re.escape(self.path)}
        return {"from-regex": ("(?i)" if self.kind == "~*" else "") + self.path}


#: Letters of a pattern that may be there or not: each doubles the globs.
_OPTIONAL = 4


def _is_interface(text: str) -> bool:
    """Whether *text* is an address, or all of them."""
    try:
        return text in ("", "*", "localhost") or bool(ip_address(text))
    except ValueError:
        return False


def _optional(word: str) -> list[str]:
    """``jpe?g`` is jpeg and jpg."""
    at = word.find("?")
    if at < 1:
        return [word]
    return [*_optional(word[:at] + word[at + 1 :]), *_optional(word[: at - 1] + word[at + 1 :])]


class _Around(NamedTuple):
    """What stands around servers, by name: the places of ``upstream``, the rates of ``limit_req_zone``."""

    upstreams: dict[str, list[str]]
    zones: dict[str, str]


class _Site:
    """A server on its way to a site."""

    def __init__(self, draft: Draft, around: _Around) -> None:
        self.draft = draft
        self.site = SiteDraft()
        self.around = around
        #: What stands around servers holds in each that says nothing else.
        self.http = _Location("server", "/", None, None)
        self.root = _Location("server", "/", None, self.http)
        self.endpoints: list[str] = []
        self.certificate = self.key = ""
        self.named: dict[str, Statement] = {}
        #: Hosts that only lead elsewhere.
        self.others: list[_Site] = []

    # ---- a block ----

    def take(self, statements: Sequence[Statement], here: _Location) -> None:
        """All *statements* of one block."""
        for one in statements:
            if one.name == "location" and one.args and one.args[0].startswith("@"):
                self.named[one.args[0]] = one
        access: list[Statement] = []
        for one in statements:
            taker = _TAKERS.get(one.name)
            if one.is_too_long:
                self.draft.remark(one, TOO_LONG)
            elif one.name in ("allow", "deny"):
                access.append(one)
            elif taker is not None:
                taker(self, one, here)
            elif one.name in NEEDLESS or one.name in PROXIED:
                continue
            else:
                self.draft.remark(one, ELSEWHERE.get(one.name, "there is nothing here that does this"))
        self._access(access, here)

    def location(self, one: Statement, here: _Location) -> None:
        """A location inside of *here*."""
        if one.args and one.args[0].startswith("@"):
            return  # what names it takes it
        if len(one.args) not in (1, 2) or one.block is None:
            self.draft.remark(one, "a location has a path and a block")
            return
        kind, path = one.args if len(one.args) == 2 else ("", one.args[0])
        if not kind and path[:1] in "=~^" and len(path) > 1:  # "=/x", without the space
            kind = "^~" if path.startswith("^~") else "~*" if path.startswith("~*") else path[0]
            path = path[len(kind) :]
        if kind in ("~", "~*") and _is_dotfiles(path):
            return  # they are never published
        inner = _Location(kind, path, one, here)
        here.inner.append(inner)
        self.take(one.block, inner)

    # ---- directives ----

    def listen(self, one: Statement, here: _Location) -> None:
        address, *options = one.args or ("80",)
        self.site.is_default |= "default_server" in options or "default" in options
        if address.startswith("unix:"):
            self.endpoints.append(address)
            return
        host, _, port = address.rpartition(":")
        if address.endswith("]") or (number(port) is None and not host):
            host, port = address, "80"
        if number(port) is None or not _is_interface(host.strip("[]")):
            self.draft.remark(one, 'write listen = ["tcp:PORT:interface=ADDRESS"] for it')
            return
        interface = host.strip("[]")
        kind = "tls" if "ssl" in options else "tcp"
        if "proxy_protocol" in options:
            self.draft.remark(one, 'name the proxies: proxy-protocol = ["10.0.0.0/8"]')
        if interface == "::" and "ipv6only=off" in options:
            self.endpoints.append(f"{kind}:{port}")
        if interface == "::" and kind == "tcp":
            self.endpoints.append(f"tcp6:{port}")
        elif interface in ("", "*"):
            self.endpoints.append(f"{kind}:{port}")
        else:  # a colon of an endpoint's own has a backslash before it
            self.endpoints.append(f"{kind}:{port}:interface=" + interface.replace(":", "\\:"))

    def server_name(self, one: Statement, here: _Location) -> None:
        for name in one.args:
            if name in ("_", "", "localhost") or name.startswith("$"):
                continue
            if name.startswith("~") or name.endswith(".*"):
                self.draft.remark(one, f"{name}: hosts are names, or *.NAME for all below one; list them")
            elif name.startswith("."):
                self.site.hosts += [name[1:], "*" + name]
            else:
                self.site.hosts.append(name)

    def webroot(self, one: Statement, here: _Location) -> None:
        if len(one.args) != 1 or "$" in one.args[0]:
            self.draft.remark(one, "a site has one folder; name it by webroot")
        elif here.kind == "server" or (here.path == "/" and here.kind in ("", "^~") and one.name == "root"):
            self.site.keys["webroot"] = one.args[0]
        elif self.site.keys.get("webroot") != one.args[0] or one.name == "alias":
            self.draft.remark(
                one, "a site has one folder; put a link into it, and say follow-symlinks = true"
            )

    def index(self, one: Statement, here: _Location) -> None:
        names = [name for name in one.args if not name.endswith(".php")]
        if any("/" in name or "$" in name for name in names):
            self.draft.remark(one, "index names files beside each other; use a [[rewrite]] for other places")
        elif here.kind != "server" and here.path != "/":
            if names != self.site.keys.get("index", ["index.html"]):
                self.draft.remark(one, "index holds for a whole site")
        elif names and names != ["index.html"]:
            self.site.keys["index"] = names

    def try_files(self, one: Statement, here: _Location) -> None:
        *tried, last = one.args or ("",)
        if here.kind not in ("server", "", "^~") or any(not word.startswith("$uri") for word in tried):
            self.draft.remark(
                one, "files are found by their names; write a [[rewrite]] for what else is tried"
            )
            return
        if "$uri.html" in tried:
            self.site.keys["clean-urls"] = True
        unknown = [word for word in tried if word not in ("$uri", "$uri/", "$uri.html", "$uri/index.html")]
        if unknown:
            self.draft.remark(one, f"{' '.join(unknown)}: write a [[rewrite]] for it")
        if last in ("=404", "$uri", "$uri/"):
            return
        if last.startswith("@") and last in self.named:
            self._backend(self.named[last], here)
        elif last.startswith("="):
            self.draft.remark(one, "what is not there is a 404")
        elif ".php" in last:
            self.draft.remark(one, ELSEWHERE["fastcgi_pass"])
        else:
            path = last.partition("?")[0]
            if here.path == "/" or here.kind == "server":
                if path == "/404.html":
                    return  # 404.html is what a 404 says
                self.site.keys["fallback"] = path
            else:
                self.site.add("rewrite", {**here.source(), "to": path}, one.place)

    def error_page(self, one: Statement, here: _Location) -> None:
        *codes, page = one.args or ("",)
        if codes in (["404", "="], ["404", "=200"]) and page.startswith("/") and here.kind == "server":
            self.site.keys["fallback"] = page
        elif [code for code in codes if code not in ("404", "500", "502", "503", "504", "403")]:
            self.draft.remark(one, "only 404.html, at the root of the site, is shown for what is not there")
        elif "404" in codes and page != "/404.html":
            self.draft.remark(
                one, f"name that file 404.html: it is shown for what is not there (here {page})"
            )

    def add_header(self, one: Statement, here: _Location) -> None:
        here.own_fields = True
        if len(one.args) < 2:
            self.draft.remark(one, "a field has a name and a value")
            return
        name, value = one.args[0], one.args[1].strip()
        if _VARIABLE.search(value):
            self.draft.remark(one, "a value is the same for all; an [[app]] can compute one")
        elif name.lower() == "strict-transport-security":
            self.draft.keys["hsts"] = directives(value)
        elif problem := problem_of("add" if name.lower() == "vary" else "set", name, value or "-"):
            self.draft.remark(one, problem)
        elif value:
            here.fields.append((name, value))

    def expires(self, one: Statement, here: _Location) -> None:
        value = expires(one.args[-1] if one.args else "")
        if value is None or len(one.args) != 1:
            self.draft.remark(one, 'write set = { Cache-Control = "max-age=SECONDS" } in a [[header]]')
        else:
            here.expires = value

    def returns(self, one: Statement, here: _Location) -> None:
        code, text = (one.args[0], one.args[1] if len(one.args) > 1 else "") if one.args else ("", "")
        if number(code) is None:
            code, text = "302", code
        status = number(code) or 0
        if status in _GONE and not text:
            self.site.add("redirect", {**here.source(), "status": 410 if status == 410 else 404}, one.place)
        elif status in _LEADING:
            self._lead(one, here, status, text)
        else:
            self.draft.remark(
                one,
                "an answer of its own: write it as a file, or let an [[app]] give it"
                if status == 200
                else f"a {status} is not given by a rule; an [[app]] can give it",
            )

    def _lead(self, one: Statement, here: _Location, status: int, text: str) -> None:
        if (
            text.startswith("https://")
            and _SELF.fullmatch(text)
            and here.kind in ("server", "")
            and here.path == "/"
        ):
            self.draft.keys["redirect-https"] = True
            return
        to = text.replace("$scheme://", "https://")
        whole = re.sub(r"\$(?:request_uri|uri(?:\$is_args\$args)?)\Z", "", to)
        if whole != to and not _VARIABLE.search(whole):
            if here.source() == {"from": "/*"}:
                self.site.add(
                    "redirect", {"from": "/*", "to": whole + "/:splat", "status": status}, one.place
                )
                return
            source = {"from-regex": f"^({re.escape(here.path)}.*)$"} if here.kind in ("", "^~") else None
            if source is not None:
                self.site.add("redirect", {**source, "to": whole + ":1", "status": status}, one.place)
                return
        to = re.sub(r"\$is_args\$args\Z|\?\$(?:args|query_string)\Z", "", to)
        self._redirect(one, here.source(), to, status)

    def _redirect(self, one: Statement, source: dict[str, str], to: str, status: int) -> None:
        to = _captures(to)
        if _VARIABLE.search(to):
            self.draft.remark(one, "an address is made of captures alone; write a [[redirect]] for each case")
        elif not re.match(r"/|https?://", to):
            self.draft.remark(one, "a redirect leads to a path or a URL")
        elif reason := _not_re2(source.get("from-regex", "")):
            self.draft.remark(one, reason)
        else:
            self.site.add("redirect", {**source, "to": to, "status": status}, one.place)

    def rewrite(self, one: Statement, here: _Location) -> None:
        if len(one.args) not in (2, 3):
            self.draft.remark(one, "a rewrite has a pattern and an address")
            return
        pattern, to = one.args[:2]
        flag = one.args[2] if len(one.args) == 3 else "last"
        status = _STATUS_OF_FLAG.get(flag, 302 if re.match(r"https?://", to) else 0)
        source = (
            here.source()
            if pattern in ("^", "^/", ".*", "^.*$", "^(.*)$") and "$1" not in to
            else {"from-regex": pattern}
        )
        if status:
            self._redirect(one, source, to.removesuffix("?"), status)
            return
        to = _captures(to.partition("?")[0])
        if _VARIABLE.search(to) or not to.startswith("/"):
            self.draft.remark(one, "an address is made of captures alone; write a [[rewrite]] for each case")
        elif to.endswith(".php"):
            self.draft.remark(one, ELSEWHERE["fastcgi_pass"])
        elif reason := _not_re2(source.get("from-regex", "")):
            self.draft.remark(one, reason)
        else:
            self.site.add("rewrite", {**source, "to": to, "force": True}, one.place)

    def internal(self, one: Statement, here: _Location) -> None:
        """Nobody gets it under its own address."""
        self.site.add("redirect", {**here.source(), "status": 404}, one.place)

    def autoindex(self, one: Statement, here: _Location) -> None:
        if one.args != ("on",):
            return
        globs = here.globs()
        if globs is None:
            self.draft.remark(one, 'name the folders: listing = ["/pub/**"]')
        else:
            listing = self.site.keys.setdefault("listing", [])
            listing += [glob for glob in globs if glob not in listing]

    def types(self, one: Statement, here: _Location) -> None:
        for each in one.block or ():
            self.site.types.update({f".{extension}": each.name for extension in each.args})

    def default_type(self, one: Statement, here: _Location) -> None:
        if one.args and one.args[0] != "application/octet-stream":
            if here.kind == "server" or here.path == "/":
                self.site.types["*"] = one.args[0]
            elif here.kind == "=" and "/" not in here.path[1:]:
                if media_type(here.path[1:]) == UNKNOWN or _forgets_types(here):
                    self.site.types[here.path[1:]] = one.args[0]
            else:
                self.draft.remark(one, "a type is given by name: [types] has extensions and names of files")

    def proxy_pass(self, one: Statement, here: _Location) -> None:
        text = one.args[0] if one.args else ""
        found = re.fullmatch(r"(https?)://(?:unix:([^:]+)|([^/$]+))(:?/[^$]*)?", text)
        if found is None or _VARIABLE.search(text):
            self.draft.remark(one, 'an application is at a known place: to = "http://HOST:PORT"')
            return
        if found[1] == "https":
            self.draft.remark(one, "applications are asked over plain HTTP; put a tunnel before it")
            return
        if here.kind not in ("server", "", "^~", "="):
            self.draft.remark(one, 'an application has a tree: [[app]] at = "/PATH"')
            return
        if found[4] not in (None, here.path, ":" + here.path):
            self.draft.remark(
                one,
                "an application is asked with the whole path; let it expect that (a prefix, a mount point)",
            )
        at = here.path.rstrip("/") or "/"
        if found[2]:
            to: object = f"http+unix:{found[2]}"
        else:
            places = self.around.upstreams.get(found[3], [found[3]])
            urls = [f"http://{place}" if ":" in place else f"http://{place}:80" for place in places]
            to = urls[0] if len(urls) == 1 else urls
        self.site.add("app", {"at": at, "to": to}, one.place)

    def _backend(self, named: Statement, here: _Location) -> None:
        """``@backend``: what is not there is asked of it, or led elsewhere."""
        known = len(self.site.tables.get("redirect", ()))
        self.take(named.block or (), _Location("", here.path, named, here))
        for table in self.site.tables.get("redirect", ())[known:]:
            table.values["force"] = False

    def auth(self, one: Statement, here: _Location) -> None:
        if one.args == ("off",):
            self.draft.remark(
                one, "a part is open where no [[auth]] names it; narrow the path of the other one"
            )
            return
        self._guard("auth", one, here, realm=one.args[0] if one.args else "")

    def auth_file(self, one: Statement, here: _Location) -> None:
        self._guard("auth", one, here, users=one.args[0] if one.args else "")

    def _guard(self, name: str, one: Statement, here: _Location, **values: object) -> None:
        globs = here.globs()
        if globs is None:
            self.draft.remark(one, f'name the paths: [[{name}]] path = "/PATH/**"')
            return
        for glob in globs:
            known = [table for table in self.site.tables.get(name, ()) if table.values.get("path") == glob]
            if known:
                known[0].values.update(values)
            else:
                self.site.add(name, {"path": glob, **values}, one.place)

    def _access(self, rules: Sequence[Statement], here: _Location) -> None:
        """``allow`` and ``deny``, in order: the first that matches counts."""
        if not rules:
            return
        allow = [one.args[0] for one in rules if one.name == "allow" and one.args]
        deny = [one.args[0] for one in rules if one.name == "deny" and one.args]
        names = [one.name for one in rules]
        if any("unix:" in one for one in (*allow, *deny)):
            self.draft.remark(rules[0], "networks are addresses; a Unix socket has the rights of its file")
        elif deny == ["all"] and names[-1] == "deny":
            values: dict[str, object] = {"deny": ["0.0.0.0/0", "::/0"]}
            if allow:
                values = {"allow": allow, **values}
            self._guard("access", rules[0], here, **values)
        elif allow in ([], ["all"]) and names == ["deny"] * len(deny) + ["allow"] * len(allow):
            if deny:
                self._guard("access", rules[0], here, deny=deny)
        elif deny or allow not in ([], ["all"]):
            self.draft.remark(rules[0], "write [[access]] with allow and deny: who is allowed is let in")

    def limit_req(self, one: Statement, here: _Location) -> None:
        zone = next((arg[5:] for arg in one.args if arg.startswith("zone=")), "")
        burst = next((arg[6:] for arg in one.args if arg.startswith("burst=")), "")
        rate = re.fullmatch(r"([0-9]{1,9})r/([sm])", self.around.zones.get(zone, ""))
        if rate is None:
            self.draft.remark(one, "its zone has no rate by $binary_remote_addr; write a [[rate]]")
            return
        values = {"requests": int(rate[1]), "per": {"s": "second", "m": "minute"}[rate[2]]}
        self._guard("rate", one, here, **values, **({"burst": number(burst)} if number(burst) else {}))

    def ssl_file(self, one: Statement, here: _Location) -> None:
        if one.args:
            setattr(self, "certificate" if one.name == "ssl_certificate" else "key", one.args[0])

    def ssl_protocols(self, one: Statement, here: _Location) -> None:
        if one.args == ("TLSv1.3",):
            self.draft.keys["tls-policy"] = "modern"

    def body_size(self, one: Statement, here: _Location) -> None:
        size = _bytes(one.args[0]) if one.args else 0
        if size:
            known = self.draft.keys.get("body-max-mib", 1)
            self.draft.keys["body-max-mib"] = min(max(size >> 20, known), 1024)
        else:
            self.draft.remark(one, "body-max-mib is at most 1024, and there is always a limit")

    def real_address(self, one: Statement, here: _Location) -> None:
        """``set_real_ip_from``: whose Forwarded and X-Forwarded-For are believed."""
        proxies = self.draft.keys.setdefault("trusted-proxies", [])
        proxies += [arg for arg in one.args if arg not in proxies and arg != "unix:"]

    def condition(self, one: Statement, here: _Location) -> None:
        """``if``: two that everybody has; others are remarked."""
        body = one.block or ()
        is_https = one.args in (("$scheme", "!=", "https"), ("$scheme", "=", "http"), ("$https", "=", ""))
        if is_https and len(body) == 1 and body[0].name in ("return", "rewrite"):
            self.draft.keys["redirect-https"] = True
        elif one.args[:2] in (("$host", "="), ("$http_host", "=")) and len(body) == 1 and len(one.args) == 3:
            other = _Site(self.draft, self.around)
            other.site.hosts = [one.args[2]]
            other.take(body, other.root)
            if other.site.tables.get("redirect"):
                self.site.hosts = [host for host in self.site.hosts if host != one.args[2]]
                self.others.append(other)
        else:
            self.draft.remark(one, "nothing depends on conditions here; rules go by path, sites by host")

    # ---- the end ----

    def finish(self) -> SiteDraft:
        """The site, with the fields of all places."""
        places: list[PlaceFields] = []
        for here in _weakest_first(self.root):
            fields, globs = here.all_fields(), here.globs()
            if globs is None:
                if (here.fields or here.expires) and here.statement is not None:
                    self.draft.remark(here.statement, 'fields are set by glob: [[header]] path = "*.js"')
                continue
            if here.kind != "server" and _adds_nothing(here, globs, places):
                continue
            places.append(PlaceFields(globs, fields, here.statement.place if here.statement else None))
        for table, place in rules_of(places):
            self.site.add("header", table, place)
        redirects = self.site.tables.get("redirect")
        if redirects is not None:
            # Exact ones first; among expressions the order of the file is nginx's, too.
            redirects.sort(key=lambda table: "from-regex" in table.values or table.values.get("from") == "/*")
            takes_all = any(table.values.get("from") == "/*" and table.values.get("force", True)
                            for table in redirects)  # fmt: skip
            for one in _walk(self.root) if takes_all else ():
                if one.statement is not None and one.path != "/" and not _leads(one.statement):
                    self.draft.remark(one.statement, '[[redirect]] from = "/*" counts for this, too')
        return self.site


def _adds_nothing(here: _Location, globs: Sequence[str], weaker: Sequence[PlaceFields]) -> bool:
    """Whether *here* has no fields of its own, and no *weaker* place has any for its paths."""
    if here.own_fields or here.expires is not None:
        return False
    others = [Glob(glob) for one in weaker for glob in one.globs if glob != "/**"]
    if here.kind == "=":
        return not any(other.matches(here.path) for other in others)
    if here.kind in ("~", "~*"):
        return all("/" not in other.pattern for other in others)
    return True


def _forgets_types(here: _Location) -> bool:
    """Whether it says that no extension has a type."""
    block = here.statement.block if here.statement is not None else None
    return any(one.name == "types" and not one.block for one in block or ())


def _leads(location: Statement) -> bool:
    """Whether it answers with an address of its own."""
    return any(one.name in ("return", "rewrite", "proxy_pass") for one in location.block or ())


def _walk(here: _Location) -> Iterator[_Location]:
    yield here
    for inner in here.inner:
        yield from _walk(inner)


_STRENGTH = {"server": 0, "": 1, "~": 2, "~*": 2, "^~": 3, "=": 4}


def _weakest_first(root: _Location) -> list[_Location]:
    """In the order in which later ones win: longer prefixes, earlier regular expressions."""
    all_ = list(enumerate(_walk(root)))
    all_.sort(
        key=lambda one: (
            _STRENGTH.get(one[1].kind, 1),
            len(one[1].path) if one[1].kind in ("", "^~", "=") else 0,
            -one[0] if one[1].kind in ("~", "~*") else one[0],
        )
    )
    return [here for _, here in all_]


def _captures(to: str) -> str:
    """``$1`` is ``:1``; a colon that is none is encoded."""
    scheme = re.match(r"https?://[^/$]*", to)
    begin = scheme[0] if scheme else ""
    rest = to[len(begin) :].replace(":", "%3A")
    return begin + re.sub(r"\$([0-9])", r":\1", rest)


def _not_re2(pattern: str) -> str:
    """Why RE2 does not take *pattern*; "": it does."""
    if re.search(r"\(\?(?:[=!]|<[=!])|\\[1-9]|[*+?]\+", pattern):
        return "regular expressions have no look-around, no references and no possessive repeats here"
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"this is no regular expression: {error}"
    return ""


def _is_dotfiles(pattern: str) -> bool:
    """Whether a regular expression is about names that begin with a dot, which are never published."""
    return re.match(r"(?:\^?/|\^?\(\^\|/\)|\(\?:\^\|/\))\\\.", pattern) is not None


_TAKERS = {
    "location": _Site.location,
    "listen": _Site.listen,
    "server_name": _Site.server_name,
    "root": _Site.webroot,
    "alias": _Site.webroot,
    "index": _Site.index,
    "try_files": _Site.try_files,
    "error_page": _Site.error_page,
    "add_header": _Site.add_header,
    "expires": _Site.expires,
    "return": _Site.returns,
    "rewrite": _Site.rewrite,
    "autoindex": _Site.autoindex,
    "internal": _Site.internal,
    "types": _Site.types,
    "default_type": _Site.default_type,
    "proxy_pass": _Site.proxy_pass,
    "auth_basic": _Site.auth,
    "auth_basic_user_file": _Site.auth_file,
    "limit_req": _Site.limit_req,
    "ssl_certificate": _Site.ssl_file,
    "ssl_certificate_key": _Site.ssl_file,
    "client_max_body_size": _Site.body_size,
    "set_real_ip_from": _Site.real_address,
    "ssl_protocols": _Site.ssl_protocols,
    "if": _Site.condition,
}


def convert_nginx(statements: Sequence[Statement]) -> Draft:
    """What *statements*, of a whole nginx.conf or of one server in ``sites-available``, come to."""
    draft = Draft()
    outer = list(_of_http(statements, draft))
    around = _around(outer)
    common = [one for one in outer if one.name not in ("server", "upstream", "limit_req_zone")]
    servers = [one for one in outer if one.name == "server"]
    _of_node(draft, common)
    if not servers:  # a snippet: the inside of a server
        site = _Site(draft, around)
        site.take(common, site.root)
        sites = [site]
    else:
        sites = []
        for number, one in enumerate(servers):
            site = _Site(draft, around)
            site.take([each for each in common if each.name in _TAKERS or not number], site.http)
            site.take(one.block or (), site.root)
            sites += [site, *site.others]
    _listeners(draft, sites)
    _put_together(draft, sites)
    draft.remarks = list(dict.fromkeys(draft.remarks))
    return draft


_ADDRESSES = ("$binary_remote_addr", "$remote_addr")


def _around(outer: Iterable[Statement]) -> _Around:
    around = _Around({}, {})
    for one in outer:
        if one.name == "upstream" and one.args:
            servers = [each.args[0] for each in one.block or () if each.name == "server" and each.args]
            around.upstreams[one.args[0]] = servers
        elif one.name == "limit_req_zone" and len(one.args) == 3 and one.args[0] in _ADDRESSES:
            zone = one.args[1].removeprefix("zone=").partition(":")[0]
            around.zones[zone] = one.args[2].removeprefix("rate=")
    return around


def _of_http(statements: Iterable[Statement], draft: Draft) -> Iterator[Statement]:
    for one in statements:
        if one.name == "http":
            yield from one.block or ()
        elif one.name in ("stream", "mail"):
            draft.remark(one, "only HTTP is served")
        elif one.name not in NEEDLESS:
            yield one


def _of_node(draft: Draft, common: Iterable[Statement]) -> None:
    for one in common:
        if one.name == "access_log" and one.args and one.args[0] != "off":
            draft.keys["access-log"] = one.args[0]
            draft.keys["access-log-format"] = "combined"


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})([kKmMgG]?)", text)
    return int(found[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[found[2].lower()] if found else 0


def _listeners(draft: Draft, sites: Sequence[_Site]) -> None:
    """The endpoints of all sites, each once, with the certificates of those that are there."""
    certificates: dict[str, list[str]] = {}
    for site in sites:
        for endpoint in site.endpoints or ["tcp:80"]:
            pairs = certificates.setdefault(endpoint, [])
            if endpoint.startswith("tls") and site.certificate and site.key:
                pair = f":privateKey={site.key}:certKey={site.certificate}"
                if pair not in pairs:
                    pairs.append(pair)
    draft.keys = {
        "listen": [endpoint + "".join(pairs) for endpoint, pairs in certificates.items()],
        **draft.keys,
    }


def _put_together(draft: Draft, sites: Sequence[_Site]) -> None:
    """The sites of the draft: servers of one host on several ports are one."""
    leads = draft.keys.get("redirect-https", False)
    by_hosts: dict[frozenset[str], SiteDraft] = {}
    for site in sites:
        done = site.finish()
        if leads and done.is_empty:
            continue  # it only leads to HTTPS
        key = frozenset(done.hosts)
        known = by_hosts.get(key)
        if known is None:
            by_hosts[key] = done
        else:
            known.keys = {**done.keys, **known.keys}
            known.types = {**done.types, **known.types}
            known.is_default |= done.is_default
            for name, tables in done.tables.items():
                for table in tables:
                    known.add(name, table.values, table.place)
    draft.sites = list(by_hosts.values()) or [SiteDraft()]
    if len(draft.sites) > 1 and not any(site.is_default for site in draft.sites):
        draft.sites[0].is_default = True  # nginx takes the first
