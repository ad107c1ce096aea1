"""From one server of nginx to a site (sans-IO): what directives mean is told by nginx's own documentation.

A server becomes a site.  Of its locations nginx takes one; here the first ``[[redirect]]``, ``[[auth]]`` and
``[[access]]`` that matches counts, and all ``[[header]]`` rules apply in order.  So those are written
strongest first, and fields in the opposite order (:mod:`edge.convert.headers`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from edge.addresses import Glob
from edge.convert import nginx_maps as maps
from edge.convert.draft import Draft, SiteDraft
from edge.convert.headers import CACHE_CONTROL, PlaceFields, problem_of, rules_of
from edge.convert.networks import EVERYBODY, is_in
from edge.convert.nginx_places import (
    Location,
    dotfiles_asked_for,
    is_dotfiles,
    leads,
    not_re2,
    walk,
    weakest_first,
)
from edge.convert.nginx_words import (
    BESIDE_PASS,
    ELSEWHERE,
    NEEDLESS,
    PASSED_ON,
    PROXIED,
    TOLD,
    USUAL_FILES,
    expires,
)  # fmt: skip
from edge.convert.statements import TOO_LONG, Place, Statement, directives, number
from edge.publish.types import UNKNOWN, media_type

_SELF = re.compile(r"\$(?:request_uri|uri(?:\$is_args\$args)?)\Z")
_OWN_HOST = re.compile(r"(https?)://\$(?:\{)?(?:host|http_host|server_name)\}?(?=/|\$|\Z)")
_VARIABLE = re.compile(r"\$(?:\{\w+\}|[A-Za-z_]\w*)")
_STATUS_OF_FLAG = {"permanent": 301, "redirect": 302}
_LEADING, _GONE = (301, 302, 303, 307, 308), (403, 404, 410, 444)
#: Patterns of all paths.
_ALL = ("^", "^/", ".*", "^.*", "^.*$", "^(.*)$", "^(.*)", "(.*)", "^/(.*)$", "^/(.*)", "^/.*$")
_CONDITION = "nothing depends on conditions here; rules go by path, sites by host"
_PASSES = frozenset(("fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"))


def _is_interface(text: str) -> bool:
    """Whether *text* is an address, or all of them."""
    try:
        return text in ("", "*", "localhost") or bool(ip_address(text))
    except ValueError:
        return False


@dataclass
class Around:
    """What stands around servers, by name."""

    #: Of ``upstream``: URLs of its places.
    upstreams: dict[str, list[str]] = field(default_factory=dict)
    #: Rates of ``limit_req_zone``.
    zones: dict[str, str] = field(default_factory=dict)
    #: ``map``, by the variable that it makes.
    maps: dict[str, Statement] = field(default_factory=dict)
    #: Names of ``log_format`` that are JSON.
    json_logs: set[str] = field(default_factory=set)


class _Rule(NamedTuple):
    """A table on its way, and the location that it is of."""

    name: str
    values: dict[str, Any]
    place: Place
    here: Location


class Server:
    """A server on its way to a site."""

    def __init__(self, draft: Draft, around: Around, statement: Statement | None = None) -> None:
        self.draft = draft
        self.statement = statement
        self.site = SiteDraft()
        self.around = around
        #: What stands around servers holds in each that says nothing else.
        self.http = Location("server", "/", None, None)
        self.root = Location("server", "/", None, self.http)
        self.endpoints: list[str] = []
        self.certificate = self.key = ""
        self.named: dict[str, Statement] = {}
        self.rules: list[_Rule] = []
        #: Hosts that only lead elsewhere.
        self.others: list[Server] = []
        #: It leads to HTTPS: everybody, or who asks for these hosts.
        self.leads_to_https = False
        self.https_hosts: list[str] = []
        self.has_hsts = False
        self.used_maps: set[str] = set()
        #: What is to be said at the end, when it is known what else there is.
        self._error_pages: list[Statement] = []
        self._opened: list[tuple[Statement, Location]] = []
        self._rewritten: list[tuple[Statement, str]] = []
        self._proxied_whole = False
        #: Places that somebody else decides about: nobody is let in, whatever is said of networks inside.
        self._nobodys: list[Location] = []
        #: Places of names that begin with a dot.
        self._dotfiles: list[Location] = []
        #: By type: glob, Cache-Control, line.
        self._lifetimes: list[tuple[str, str, Place]] = []

    @property
    def is_secure(self) -> bool:
        """Whether it speaks TLS."""
        return any(endpoint.startswith("tls") for endpoint in self.endpoints)

    # ---- a block ----

    def take_all(self, statements: Sequence[Statement]) -> None:
        """The *statements* of the server itself: where it is first, which others ask about."""
        first = ("listen", "server_name", "ssl")
        self.take([one for one in statements if one.name in first], self.root)
        self.take([one for one in statements if one.name not in first], self.root)

    def take(self, statements: Sequence[Statement], here: Location) -> None:
        """All *statements* of one block."""
        here.lines = (*here.lines, *statements)
        for one in statements:
            if one.name == "location" and one.args and one.args[0].startswith("@"):
                self.named[one.args[0]] = one
        if passes := [one for one in statements if one.name in _PASSES]:
            statements = [*passes, *(one for one in statements if not BESIDE_PASS.match(one.name))]
        access: list[Statement] = []
        for one in statements:
            taker = _TAKERS.get(one.name)
            if one.is_too_long:
                self.draft.remark(one, TOO_LONG)
            elif one.name in ("allow", "deny"):
                access.append(one)
            elif taker is not None:
                taker(self, one, here)
            elif one.name not in NEEDLESS and one.name not in PROXIED:
                self.draft.remark(one, ELSEWHERE.get(one.name, "there is nothing here that does this"))
        self._access(access, here)

    def location(self, one: Statement, here: Location) -> None:
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
        inner = Location(kind, path, one, here)
        if (
            kind in ("~", "~*")
            and is_dotfiles(path)
            and not any(each.name == "proxy_pass" for each in one.block)
        ):
            self._dotfiles.append(inner)  # they are never published, but an application may be asked
            return
        here.inner.append(inner)
        self.take(one.block, inner)

    def _add(self, name: str, values: dict[str, Any], one: Statement, here: Location) -> None:
        self.rules.append(_Rule(name, values, one.place, here))

    # ---- directives ----

    def listen(self, one: Statement, here: Location) -> None:
        """``listen``: an endpoint of the node."""
        address, *options = one.args or ("80",)
        self.site.is_default |= "default_server" in options or "default" in options
        if "quic" in options:
            self.draft.remark(one, "HTTP/3 is not spoken; browsers take HTTP/1.1 over TLS")
            return
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

    def ssl_on(self, one: Statement, here: Location) -> None:
        """``ssl on``, as it was before listeners said it."""
        if one.args == ("on",):
            self.endpoints = [
                re.sub(r"\Atcp6:(\d+)", r"tls:\1:interface=\\:\\:", each)
                if each.startswith("tcp6:")
                else re.sub(r"\Atcp:", "tls:", each)
                for each in self.endpoints
            ]

    def server_name(self, one: Statement, here: Location) -> None:
        """``server_name``: the hosts of the site."""
        for name in one.args:
            if name in ("_", "", "localhost", "default_server") or name.startswith("$"):
                continue
            if name.startswith("~") or name.endswith(".*"):
                self.draft.remark(one, f"{name}: hosts are names, or *.NAME for all below one; list them")
            elif name.startswith("."):
                self.site.hosts += [name[1:].lower(), "*" + name.lower()]
            else:
                self.site.hosts.append(name.lower())
        self.site.hosts = list(dict.fromkeys(self.site.hosts))

    def webroot(self, one: Statement, here: Location) -> None:
        """``root`` and ``alias``: the folder of the site, which has one."""
        if len(one.args) != 1 or "$" in one.args[0]:
            self.draft.remark(one, "a site has one folder; name it by webroot")
        elif here.kind == "server" or (here.is_whole and one.name == "root"):
            if not one.args[0].startswith("/"):
                self.draft.remark(one, "nginx looks below its own folder (nginx -V: --prefix); write it out")
            self.site.keys["webroot"] = one.args[0]
        elif self.site.keys.get("webroot") != one.args[0] or one.name == "alias":
            self.draft.remark(
                one, "a site has one folder; put a link into it, and say follow-symlinks = true"
            )

    def index(self, one: Statement, here: Location) -> None:
        """``index``: names of files that stand for their folder."""
        names = [name for name in one.args if not name.endswith(".php")]
        if any("/" in name or "$" in name for name in names):
            self.draft.remark(one, "index names files beside each other; use a [[rewrite]] for other places")
        elif not here.is_whole:
            if names != self.site.keys.get("index", ["index.html"]):
                self.draft.remark(one, "index holds for a whole site")
        elif names and names != ["index.html"]:
            self.site.keys["index"] = names

    def try_files(self, one: Statement, here: Location) -> None:
        """``try_files``: clean URLs, the fallback, or what is asked for what is not there."""
        *tried, last = one.args or ("",)
        if ".php" in last:
            self._php(one)
            return
        if here.kind in ("~", "~*", "=") and set(tried) <= {"$uri", "$uri/"} and last in ("=404", "$uri"):
            return  # what is not there is not there
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
        if last.startswith("@"):
            self._backend(one, last, here)
        elif last.startswith("="):
            self.draft.remark(one, "what is not there is a 404")
        elif "$" in (path := last.partition("?")[0]):
            self.draft.remark(one, f"{last}: an address is made of captures alone; write a [[rewrite]]")
        elif here.is_whole:
            if path != "/404.html":  # 404.html is what a 404 says
                self.site.keys["fallback"] = path
        else:
            self._add("rewrite", {**here.source(), "to": path}, one, here)

    def error_page(self, one: Statement, here: Location) -> None:
        """``error_page``: the fallback, or a page that says what went wrong."""
        *codes, page = one.args or ("",)
        leads_on = codes and codes[-1] in ("=", "=200")
        if codes[:1] == ["404"] and (leads_on or page.startswith("@")) and len(codes) <= 2:
            if page.startswith("@") and codes[-1] != "=200" and here.is_whole:
                self._backend(one, page, here)
            elif page.endswith(".php") or ".php?" in page:
                self._php(one)
            elif page.startswith("/") and here.is_whole and "$" not in page:
                self.site.keys["fallback"] = page.partition("?")[0]
            else:
                self.draft.remark(one, "404.html, at the root of the site, is shown for what is not there")
        elif not codes or [code for code in codes if code not in _PAGES]:
            self.draft.remark(one, "only 404.html, at the root of the site, is shown for what is not there")
        else:
            if "404" in codes and page != "/404.html":
                self.draft.remark(
                    one, f"name that file 404.html: it is shown for what is not there (here {page})"
                )
            elif codes != ["404"]:
                self._error_pages.append(one)

    def add_header(self, one: Statement, here: Location) -> None:
        """``add_header``: a field of this place."""
        here.own_fields = True
        if len(one.args) < 2:
            self.draft.remark(one, "a field has a name and a value")
            return
        name, value = one.args[0], one.args[1].strip()
        if _VARIABLE.search(value):
            self.draft.remark(one, "a value is the same for all; an [[app]] can compute one")
        elif name.lower() == "strict-transport-security":
            self.draft.keys["hsts"] = directives(value)
            self.has_hsts = True
        elif problem := problem_of("add" if name.lower() == "vary" else "set", name, value or "-"):
            self.draft.remark(one, problem)
        elif value:
            here.fields.append((name, value))

    def expires(self, one: Statement, here: Location) -> None:
        """``expires``: a lifetime for this place, or by type."""
        value = expires(one.args[-1] if one.args else "")
        found = self.around.maps.get(one.args[0]) if one.args else None
        if found is not None and maps.is_of_types(found) and here.is_whole:
            self.used_maps.add(one.args[0])
            for line, globs, lifetime in maps.lifetimes(found):
                if lifetime is None:
                    self.draft.remark(line, 'name its files: [[header]] path = "*.EXTENSION"')
                elif lifetime:
                    self._lifetimes += [(glob, lifetime, line.place) for glob in globs]
        elif value is None or len(one.args) != 1:
            self.draft.remark(one, 'write set = { Cache-Control = "max-age=SECONDS" } in a [[header]]')
        else:
            here.expires = value

    def returns(self, one: Statement, here: Location) -> None:
        """``return``: a redirect, or nothing to be found."""
        code, text = (one.args[0], one.args[1] if len(one.args) > 1 else "") if one.args else ("", "")
        if number(code) is None:
            code, text = "302", code
        status = number(code) or 0
        if status == 403 and not text and here.globs() is not None and here.kind != "server":
            self._guard("access", one, here, deny=list(EVERYBODY))
        elif status in _GONE and not text:
            self._gone(one, here, 410 if status == 410 else 404)
        elif status in _LEADING:
            self._lead(one, here, status, text)
        else:
            self.draft.remark(
                one,
                "an answer of its own: write it as a file, or let an [[app]] give it"
                if status == 200
                else f"a {status} is not given by a rule; an [[app]] can give it",
            )

    def _lead(self, one: Statement, here: Location, status: int, text: str) -> None:
        rest = _OWN_HOST.sub("", text) if text.startswith("https:") and here.is_whole else ""
        if rest != text and _SELF.fullmatch(rest) and not self.is_secure:
            self.leads_to_https = True
            return
        text = self._own(text)
        whole = _SELF.sub("", text)
        if not whole:
            self.draft.remark(one, "it leads to the address that was asked for, round and round")
            return
        if whole != text and not _VARIABLE.search(whole):
            if here.source() == {"from": "/*"}:
                self._add("redirect", {"from": "/*", "to": whole + "/:splat", "status": status}, one, here)
                return
            if here.is_prefix:
                source = {"from-regex": f"^/({re.escape(here.path[1:])}.*)$"}
                self._add("redirect", {**source, "to": whole + "/:1", "status": status}, one, here)
                return
            if here.kind == "=":
                text = whole + here.path
        text = re.sub(r"\$is_args\$args\Z|\?\$(?:args|query_string)\Z", "", text)
        self._redirect(one, here.source(), text, status, here)

    def _own(self, text: str) -> str:
        """The address *text* without variables that say the scheme and the host of this server."""
        scheme = "https" if self.is_secure else "http"
        text = text.replace("$scheme://", f"{scheme}://")
        own = _OWN_HOST.match(text)
        if own is None:
            return text
        rest = text[own.end() :]
        if own[1] == scheme:
            return rest or "/"
        is_one = len(self.site.hosts) == 1 and "*" not in self.site.hosts[0]
        return f"{own[1]}://{self.site.hosts[0]}{rest}" if is_one else text

    def _redirect(self, one: Statement, source: dict[str, str], to: str, status: int, here: Location) -> None:
        to = _captures(to)
        if _VARIABLE.search(to):
            self.draft.remark(one, "an address is made of captures alone; write a [[redirect]] for each case")
        elif not re.match(r"/|https?://", to):
            self.draft.remark(one, "a redirect leads to a path or a URL")
        elif reason := not_re2(source.get("from-regex", "")):
            self.draft.remark(one, reason)
        else:
            self._add("redirect", {**source, "to": to, "status": status}, one, here)

    def rewrite(self, one: Statement, here: Location) -> None:
        """``rewrite``: a redirect, or a file at another address."""
        if len(one.args) not in (2, 3):
            self.draft.remark(one, "a rewrite has a pattern and an address")
            return
        pattern, to = one.args[:2]
        flag = one.args[2] if len(one.args) == 3 else "last"
        status = _STATUS_OF_FLAG.get(flag, 302 if re.match(r"https?://|\$scheme", to) else 0)
        if status and pattern in ("^/(.*)$", "^/(.*)", "^(.*)$", "(.*)", "^(.*)"):
            begin = "/" if pattern.startswith("^/") else ""
            to = re.sub(re.escape(begin) + r"\$1\??\Z", "$request_uri", to)
        if status and pattern in _ALL and "$1" not in to:
            self._lead(one, here, status, to.removesuffix("?"))
            return
        if pattern in _ALL and "$1" not in to:
            source = here.source()
        elif here.is_whole or (here.is_prefix and _begin_of(pattern).startswith(here.path)):
            source = {"from-regex": pattern}
        else:
            self.draft.remark(one, f"it holds below {here.path} alone: write a rule whose pattern says so")
            return
        if status:
            self._redirect(one, source, self._own(to).removesuffix("?"), status, here)
            return
        block = here.statement.block if here.statement is not None else None
        to = _captures(to.partition("?")[0])
        if any(each.name == "proxy_pass" for each in block or ()):
            self.draft.remark(one, _WHOLE_PATH)
        elif to.endswith(".php"):
            self._php(one)
        elif _VARIABLE.search(to) or not to.startswith("/"):
            self.draft.remark(one, "an address is made of captures alone; write a [[rewrite]] for each case")
        elif reason := not_re2(source.get("from-regex", "")):
            self.draft.remark(one, reason)
        else:
            # One that takes the file that it leads to itself would hide that.
            hides = re.search(source.get("from-regex", r"\A\Z"), re.sub(r":[0-9]", "x", to)) is not None
            self._add("rewrite", {**source, "to": to, "force": not hides}, one, here)
            self._rewritten.append((one, to))

    def internal(self, one: Statement, here: Location) -> None:
        """Nobody gets it under its own address."""
        self._gone(one, here, 404)

    def _gone(self, one: Statement, here: Location, status: int) -> None:
        source = here.source()
        if reason := not_re2(source.get("from-regex", "")):
            self.draft.remark(one, reason)
        else:
            self._add("redirect", {**source, "status": status}, one, here)

    def autoindex(self, one: Statement, here: Location) -> None:
        """``autoindex``: folders that are listed."""
        if one.args != ("on",):
            return
        globs = here.globs()
        if globs is None:
            self.draft.remark(one, 'name the folders: listing = ["/pub/**"]')
        else:
            listing = self.site.keys.setdefault("listing", [])
            listing += [glob for glob in globs if glob not in listing]

    def types(self, one: Statement, here: Location) -> None:
        """``types``: media types by extension."""
        for each in one.block or ():
            self.site.types.update({f".{extension}": each.name for extension in each.args})

    def default_type(self, one: Statement, here: Location) -> None:
        """``default_type``: the media type of what has no other."""
        if one.args and one.args[0] != "application/octet-stream":
            if here.kind == "server" or here.path == "/":
                self.site.types["*"] = one.args[0]
            elif here.kind == "=" and "/" not in here.path[1:]:
                if media_type(here.path[1:]) == UNKNOWN or here.forgets_types():
                    self.site.types[here.path[1:]] = one.args[0]
            else:
                self.draft.remark(one, "a type is given by name: [types] has extensions and names of files")

    def proxy_pass(self, one: Statement, here: Location) -> None:
        """``proxy_pass``: an application at this tree."""
        self._answers_whole(here)  # also where it is not understood: its folder was shown to nobody
        text = one.args[0] if one.args else ""
        found = re.fullmatch(r"(https?)://(?:unix:([^:]+)|([^/$]+))(:?/[^$]*)?", text)
        if found is None or _VARIABLE.search(text):
            self.draft.remark(one, 'an application is at a known place: to = "http://HOST:PORT"')
            return
        if found[1] == "https":
            self.draft.remark(one, "applications are asked over plain HTTP; put a tunnel before it")
            return
        begins = ("/",) if here.kind == "server" else here.begins()
        if begins is None:
            self.draft.remark(one, 'an application has a tree: [[app]] at = "/PATH"')
            return
        if found[4] not in (None, *begins, *(":" + begin for begin in begins)):
            self.draft.remark(one, _WHOLE_PATH)
        place = f"unix:{found[2]}" if found[2] else found[3]
        host = self._told_host(place, here)
        urls = self.around.upstreams.get(place) or [url_of(place)]
        for begin in begins:
            at = begin.rstrip("/") or "/"
            same = [rule.values for rule in self.rules if rule.name == "app" and rule.values["at"] == at]
            if same and same[0]["to"] != (urls[0] if len(urls) == 1 else urls):
                self.draft.remark(one, f"there is an application at {at} already; a tree has one")
            elif not same:
                self._add("app", {"at": at, "to": urls[0] if len(urls) == 1 else urls, **host}, one, here)

    def _answers_whole(self, here: Location) -> None:
        """An application answers in *here*: perhaps everything that no other place takes."""
        is_whole = here.is_whole or (here.kind in ("~", "~*") and here.path in (*_ALL, "/", "."))
        self._proxied_whole |= is_whole and here.statement not in self.named.values()

    def proxy_header(self, one: Statement, here: Location) -> None:
        """``proxy_set_header``: what an application is told by itself needs no words."""
        name, value = (*one.args, "", "")[:2]
        if name.lower() == "host" and "$" not in value:
            return  # the table of the application says it
        if (name.lower(), value) not in TOLD and name.lower() not in PASSED_ON:
            self.draft.remark(
                one, 'host = "NAME" in [[app]] says which host it is told'
                if name.lower() == "host"
                else "an application is told what the visitor sent, and Forwarded and X-Forwarded-*; no more",
            )  # fmt: skip

    def _told_host(self, place: str, here: Location) -> dict[str, str]:
        """Which host an application is told, where it is not the visitor's: nginx tells where it asks."""
        said = next((fields for each in here.around() if (fields := _told(each, "proxy_set_header"))), {})
        value = said.get("host", "$proxy_host")
        if value != "$proxy_host":
            return {"host": value} if value and "$" not in value else {}
        name = place.partition(":")[0]
        is_name = "." in name and not re.fullmatch(r"[0-9.]+", name) and place not in self.around.upstreams
        return {"host": place} if is_name else {}

    def pass_on(self, one: Statement, here: Location) -> None:
        """``fastcgi_pass`` and its like."""
        self._answers_whole(here)
        if one.name == "fastcgi_pass":
            self._php(one, here)
        else:
            self.draft.remark(one, ELSEWHERE.get(one.name, "an application is asked over HTTP/1.1"))

    def _php(self, one: Statement, here: Location | None = None) -> None:
        """PHP is not run, and what it is made of is shown to nobody."""
        self.draft.remark(one, ELSEWHERE["fastcgi_pass"])
        place = here if here is not None and here.kind in ("~", "~*") and here.globs() else _PHP
        self._guard("access", one, place, deny=list(EVERYBODY))

    def _backend(self, one: Statement, name: str, here: Location) -> None:
        """``@backend``: what is not there is asked of it, or led elsewhere."""
        named = self.named.get(name)
        if named is None:
            self.draft.remark(one, f"there is no location {name}")
            return
        known = len(self.rules)
        self.take(named.block or (), Location("", here.path, named, here))
        for rule in self.rules[known:]:
            if rule.name == "redirect":
                rule.values["force"] = False

    # ---- who may ----

    def auth(self, one: Statement, here: Location) -> None:
        """``auth_basic``: the realm of this place."""
        here.realm, here.guarded = (one.args[0] if one.args else ""), one

    def auth_file(self, one: Statement, here: Location) -> None:
        """``auth_basic_user_file``: who may log in here."""
        here.users, here.guarded = (one.args[0] if one.args else ""), here.guarded or one

    def _logins(self) -> None:
        for here in (self.http, *walk(self.root)):
            if here.guarded is None:
                continue
            realm, users = here.login()
            if realm == "off":
                self._opened.append((here.guarded, here))
            elif realm is not None and users is None:
                self.draft.remark(
                    here.guarded,
                    "a password needs a file of users: auth_basic_user_file; until then nobody is let in",
                )
                self._close(here.guarded, here)
            elif realm is not None:
                self._guard("auth", here.guarded, here, realm=realm, users=users)

    def _guard(self, name: str, one: Statement, here: Location, **values: object) -> None:
        globs = here.globs()
        is_closed = name == "access" and values == {"deny": list(EVERYBODY)}
        closes = name == "auth" or (name == "access" and "deny" in values)
        is_said = globs is not None and here.kind != "~*"
        if not is_said and (is_closed or (closes and globs is None)) and not not_re2(here.path):
            self._add("redirect", {**here.source(), "status": 404}, one, here)
            is_said = is_closed
        if globs is None and not is_said:
            hint = "; until then nobody is let in" if closes and not not_re2(here.path) else ""
            self.draft.remark(one, f'name the paths: [[{name}]] path = "/PATH/**"{hint}')
        elif closes and not is_said:
            self.draft.remark(
                one, "~* takes names in any case, a glob as it is written: name the others, too"
            )
        for glob in globs or ():
            self._add(name, {"path": glob, **values}, one, here)

    def _access(self, rules: Sequence[Statement], here: Location) -> None:
        """``allow`` and ``deny``, in order: the first that matches counts."""
        if not rules:
            return
        allow: list[str] = []
        deny: list[str] = []
        is_closed = False
        for one in rules:
            word = one.args[0] if one.args else ""
            if word == "all":
                is_closed = one.name == "deny"
                break
            network = _network(word)
            if network is None:
                self.draft.remark(one, "networks are addresses; a Unix socket has the rights of its file")
            elif not any(is_in(network, other) for other in (*allow, *deny)):  # else that one counted
                (allow if one.name == "allow" else deny).append(network)
        if is_closed:
            values = {"allow": allow, "deny": [*deny, *EVERYBODY]} if allow else {"deny": list(EVERYBODY)}
            self._guard("access", rules[0], here, **values)
        elif deny:  # with networks that are allowed, the others are not
            values = {"allow": [*allow, *EVERYBODY]} if allow else {}
            self._guard("access", rules[0], here, **values, deny=deny)
        elif any(one.args[:1] == ("all",) for one in rules):
            if here.kind != "server":
                self._guard("access", rules[0], here, allow=list(EVERYBODY))
        else:
            self.draft.remark(rules[0], "it keeps nobody out without deny all; write an [[access]]")

    def ask_elsewhere(self, one: Statement, here: Location) -> None:
        """``auth_request`` and certificates of visitors: nobody is let in, where somebody else decides."""
        if one.args[:1] == ("off",):
            if any(
                each is not one and each.name == one.name for place in here.around() for each in place.lines
            ):
                self.draft.remark(one, "a part is open where an [[access]] before the others says so")
            return
        if one.name == "ssl_verify_client" and one.args != ("on",):  # who has none is let in
            self.draft.remark(one, ELSEWHERE[one.name])
            return
        self.draft.remark(one, ELSEWHERE[one.name] + "; until then nobody is let in")
        self._close(one, here)

    def _close(self, one: Statement, here: Location) -> None:
        """Nobody is let in here, nor in what lies in it."""
        self._guard("access", one, here, deny=list(EVERYBODY))
        self._nobodys.append(here)

    def limit_req(self, one: Statement, here: Location) -> None:
        """``limit_req``: how often an address may ask here; nginx lets one and the burst in."""
        zone = next((arg[5:] for arg in one.args if arg.startswith("zone=")), "")
        burst = next((arg[6:] for arg in one.args if arg.startswith("burst=")), "0")
        rate = re.fullmatch(r"([0-9]{1,9})r/([sm])", self.around.zones.get(zone, ""))
        if rate is None or number(burst) is None:
            self.draft.remark(one, "its zone has no rate by $binary_remote_addr; write a [[rate]]")
            return
        values = {"requests": int(rate[1]), "per": {"s": "second", "m": "minute"}[rate[2]]}
        self._guard("rate", one, here, **values, burst=(number(burst) or 0) + 1)

    def ssl_file(self, one: Statement, here: Location) -> None:
        """``ssl_certificate`` and its key: of the listeners of this server."""
        if one.args and "$" in one.args[0]:
            self.draft.remark(one, "a certificate is a file; a [[site]] can have one of its own")
        elif one.args:
            setattr(self, "certificate" if one.name == "ssl_certificate" else "key", one.args[0])

    def ssl_protocols(self, one: Statement, here: Location) -> None:
        """``ssl_protocols``: the policy, where it is TLS 1.3 alone."""
        if one.args == ("TLSv1.3",):
            self.draft.keys["tls-policy"] = "modern"

    def body_size(self, one: Statement, here: Location) -> None:
        """``client_max_body_size``: the largest of all places."""
        size = bytes_of(one.args[0]) if one.args else 0
        if size:
            known = self.draft.keys.get("body-max-mib", 1)
            self.draft.keys["body-max-mib"] = min(max(size >> 20, known), 1024)
        else:
            self.draft.remark(one, "body-max-mib is at most 1024, and there is always a limit")

    def include(self, one: Statement, here: Location) -> None:
        """A file that is not there."""
        if not any(name.rpartition("/")[2] in USUAL_FILES for name in one.args):
            self.draft.remark(one, "that file is not here; convert where the whole configuration is")

    def real_address(self, one: Statement, here: Location) -> None:
        """``set_real_ip_from``: whose Forwarded and X-Forwarded-For are believed."""
        proxies = self.draft.keys.setdefault("trusted-proxies", [])
        proxies += [arg for arg in one.args if arg not in proxies and arg != "unix:"]

    def real_field(self, one: Statement, here: Location) -> None:
        """``real_ip_header``: the field that is believed."""
        if tuple(arg.lower() for arg in one.args) not in (("x-forwarded-for",), ("forwarded",)):
            self.draft.remark(
                one,
                "Forwarded and X-Forwarded-For of trusted-proxies are believed, and the PROXY protocol of "
                "proxy-protocol; let the proxy send one of them",
            )

    def access_log(self, one: Statement, here: Location) -> None:
        """``access_log``: the one of the node."""
        path, name = (*one.args, "", "")[:2]
        if path in ("", "off"):
            return
        known = self.draft.keys.get("access-log", path)
        if not path.startswith("/") or "$" in path:
            self.draft.remark(one, "the access log is a file; or journal, or - for standard output")
        elif known != path:
            self.draft.remark(one, f"a node has one access log, here {known}; it names the host of each line")
        else:
            is_json = name in self.around.json_logs
            self.draft.keys["access-log"] = path
            self.draft.keys["access-log-format"] = "json" if is_json else "combined"
            if name not in ("", "combined") and not is_json and "=" not in name:
                self.draft.remark(one, f'{name}: a line is "combined", "common" or "json" (which says most)')

    def condition(self, one: Statement, here: Location) -> None:
        """``if``: those that everybody has; others are remarked."""
        body = one.block or ()
        only = body[0] if len(body) == 1 and body[0].name in ("return", "rewrite") else None
        is_https = one.args in (("$scheme", "!=", "https"), ("$scheme", "=", "http"), ("$https", "=", ""))
        about_host = len(one.args) == 3 and one.args[0] in ("$host", "$http_host", "$server_name")
        if only is not None and is_https:
            self.draft.keys["redirect-https"] = True
        elif only is not None and about_host and one.args[1] in ("=", "!="):
            name = one.args[2].lower()
            rest = [host for host in self.site.hosts if host != name]
            self._of_hosts(one, [name] if one.args[1] == "=" else rest)
        elif only is not None and maps.asks_for(one.args) and one.args[0] in self.around.maps:
            self.used_maps.add(one.args[0])
            for line, values in maps.redirects(self.around.maps[one.args[0]], only):
                if values:
                    self._add("redirect", values, line, here)
                else:
                    self.draft.remark(line, "a redirect leads from a path to a path or a URL")
        else:
            self.draft.remark(one, _CONDITION)
            if any("$ssl_client_" in arg for arg in one.args):
                self._close(one, here)

    def _of_hosts(self, one: Statement, hosts: list[str]) -> None:
        """What holds for some *hosts* of this server."""
        other = Server(self.draft, self.around, one)
        other.site.hosts = hosts
        other.endpoints = self.endpoints
        other.take(one.block or (), other.root)
        if other.leads_to_https:
            self.https_hosts += hosts
        elif hosts and other.rules:
            self.site.hosts = [host for host in self.site.hosts if host not in hosts]
            self.others.append(other)
        elif not hosts:
            self.draft.remark(
                one, "which hosts are meant is not said by server_name; make a [[site]] of them"
            )

    # ---- the end ----

    def finish(self) -> SiteDraft:
        """The site, with the rules and fields of all places."""
        self._logins()
        self._hide_dotfiles()
        closed = {id(here) for here in self._nobodys}
        self.rules = [
            rule for rule in self.rules
            if rule.name != "access"
            or ("allow" not in rule.values and rule.values["deny"] == list(EVERYBODY))
            or not any(id(place) in closed for place in rule.here.around())
        ]  # fmt: skip
        order = {id(here): number for number, here in enumerate(weakest_first(self.root), 1)}

        def strength(rule: _Rule) -> int:
            if rule.name == "app":
                return 0  # the longest path counts, wherever it stands
            if rule.name in ("redirect", "rewrite") and rule.here.kind == "server":
                return len(order) + 1  # a server's own come before its locations
            if rule.here is _PHP or any(rule.here is one for one in self._dotfiles):
                return len(order) + 1
            return next((order[id(place)] for place in rule.here.around() if id(place) in order), 0)

        self.rules.sort(key=lambda rule: -strength(rule))  # of one place they stay in order
        self._drop_needless(strength)
        self._say_of_guards(order)
        for rule in self.rules:
            self.site.add(rule.name, rule.values, rule.place)
        self._fields()
        self._say_of_files()
        return self.site

    def _hide_dotfiles(self) -> None:
        """An application is not asked for names that begin with a dot, where nginx does not ask it."""
        if not any(rule.name == "app" for rule in self.rules):
            return
        stronger = [here.path for here in walk(self.root) if here.kind in ("^~", "=")]
        but_well_known = any(path.startswith("/.well-known") for path in stronger)
        for here in self._dotfiles:
            pattern = dotfiles_asked_for(here.path, but_well_known)
            values = {**Location(here.kind, pattern, None, None).source(), "status": 404}
            assert here.statement is not None
            if reason := not_re2(pattern):
                self.draft.remark(here.statement, f"{reason}; an application is asked for it")
            else:
                self._add("redirect", values, here.statement, here)

    def _drop_needless(self, strength: Any) -> None:
        """Guards of weaker places for the same paths, and what is open anyway."""
        seen: dict[tuple[str, str], Location] = {}
        kept: list[_Rule] = []
        for rule in self.rules:
            if rule.name in ("auth", "access", "rate"):
                owner = seen.setdefault((rule.name, rule.values["path"]), rule.here)
                if owner is not rule.here:
                    continue
            kept.append(rule)
        closed = [rule for rule in kept if rule.name == "access" and "deny" in rule.values]
        self.rules = [
            rule for rule in kept
            if rule.name != "access" or "deny" in rule.values
            or any(strength(one) < strength(rule) and _reaches(one, rule) for one in closed)
        ]  # fmt: skip

    def _say_of_guards(self, order: dict[int, int]) -> None:
        """Places that nginx leaves open, and that are closed here by a rule around them."""
        auths = [rule for rule in self.rules if rule.name == "auth"]
        for one, here in self._opened:
            if any(rule.here is not here for rule in auths):
                self.draft.remark(
                    one, "a part is open where no [[auth]] names it; narrow the path of the other one"
                )
        for here in walk(self.root):
            if here.statement is None or here.kind not in ("", "^~", "=") or here.realm is not None:
                continue
            inside = [rule for rule in auths if rule.here.is_prefix and rule.here not in here.around()
                      and not rule.here.is_whole and here.path.startswith(rule.here.path)]  # fmt: skip
            if inside:
                self.draft.remark(
                    here.statement, f"the password of {inside[0].here.path} is asked for here, too"
                )
        rates = [rule for rule in self.rules if rule.name == "rate"]
        whole = [rule for rule in rates if rule.here.is_whole]
        for rule in rates:
            if whole and not rule.here.is_whole and rule.here.statement is not None:
                self.draft.remark(rule.here.statement, "the [[rate]] of all paths holds here, too")

    def _fields(self) -> None:
        places: list[PlaceFields] = []
        for here in weakest_first(self.root):
            fields, globs = here.all_fields(), here.globs()
            if globs is None:
                if (here.fields or here.expires) and here.statement is not None:
                    self.draft.remark(here.statement, 'fields are set by glob: [[header]] path = "*.js"')
                continue
            if here.kind != "server" and here.adds_nothing(globs, places):
                continue
            places.append(PlaceFields(globs, fields, here.statement.place if here.statement else None))
        tables = rules_of(places)
        own = sum(table["path"] == "/**" for table, _ in tables[:2])
        by_type: list[tuple[dict[str, object], Place | None]] = [
            ({"path": glob, "set": {CACHE_CONTROL: value}}, place) for glob, value, place in self._lifetimes
        ]
        for table, place in [*tables[:own], *by_type, *tables[own:]]:
            self.site.add("header", table, place)

    def _say_of_files(self) -> None:
        """Where one answers from files and another one does not: what that changes."""
        redirects = [rule for rule in self.rules if rule.name == "redirect"]
        takes_all = [rule for rule in redirects if rule.values.get("from") == "/*"
                     and rule.values.get("force", True)]  # fmt: skip
        for here in walk(self.root) if takes_all and takes_all[0].here.kind != "server" else ():
            if here.statement is not None and here.path != "/" and not leads(here.statement):
                self.draft.remark(here.statement, '[[redirect]] from = "/*" counts for this, too')
        apps = [rule for rule in self.rules if rule.name == "app"]
        for one, to in self._rewritten:
            begin = to.partition(":")[0]
            at = next((rule.values["at"] for rule in apps if _is_below(begin, rule.values["at"])), None)
            led = any(_is_about(rule.values, begin) for rule in redirects)
            if led or (at is not None and at != "/"):
                self.draft.remark(
                    one, "a rewrite leads to a file; what an application or a redirect answers is asked for "
                    "by its own address"
                )  # fmt: skip
        for one in self._error_pages:
            if (apps and set(one.args[:-1]) & _BROKEN) or (
                "403" in one.args[:-1] and any(rule.name == "access" for rule in self.rules)
            ):
                self.draft.remark(
                    one, "that somebody may not, or that an application fails, a node says itself"
                )
        if not self._proxied_whole and "webroot" in self.site.keys:
            for rule in apps:
                statement = rule.here.statement
                if statement is not None and statement not in self.named.values():
                    self.draft.remark(
                        statement, f"files of webroot below {rule.values['at']} win over the application, "
                        "nginx shows none of them: take out what nobody is to see"
                    )  # fmt: skip
        if self._proxied_whole and "webroot" in self.site.keys:
            for here in walk(self.root):
                if here.statement is not None and not here.is_whole and here.serves_files():
                    self.draft.remark(
                        here.statement, "files win over an application wherever they are: make a folder of "
                        "links to these alone, and name it by webroot, with follow-symlinks = true"
                    )  # fmt: skip
            for key in ("webroot", "index", "fallback", "clean-urls", "listing"):
                self.site.keys.pop(key, None)  # nobody was shown the rest


_PAGES = ("404", "403", "500", "501", "502", "503", "504")
_BROKEN = {"500", "502", "503", "504"}
_PHP = Location("~", r"\.php$", None, None)
_WHOLE_PATH = "an application is asked with the whole path; let it expect that (a prefix, a mount point)"


def _network(text: str) -> str | None:
    """A network as it is written here, without bits behind its length; None: it is none."""
    try:
        return text if "/" not in text and ip_address(text) else str(ip_network(text, strict=False))
    except ValueError:
        return None


def _reaches(weaker: _Rule, rule: _Rule) -> bool:
    """Whether the paths of *weaker* may be some of those of *rule*."""
    if rule.here.kind == "=":
        return Glob(weaker.values["path"]).matches(rule.here.path)
    return not weaker.here.is_prefix or rule.here.path.startswith(weaker.here.path)


def _told(here: Location, directive: str) -> dict[str, str]:
    """Names, in lower case, and values that *directive* has in one place."""
    found = [one.args for one in here.lines if one.name == directive and len(one.args) == 2]
    return {name.lower(): value for name, value in found}


def _is_below(path: str, at: str) -> bool:
    return at == "/" or path == at or path.startswith(at + "/")


def _is_about(redirect: dict[str, Any], path: str) -> bool:
    """Whether *redirect* leads who asks for *path* elsewhere, as far as its words tell."""
    source = redirect.get("from", "")
    if not redirect.get("force", True) or not source or source == "/*" or "status" not in redirect:
        return False
    return path == source or (source.endswith("/*") and path.startswith(source[:-1]))


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


def bytes_of(text: str) -> int:
    """nginx's sizes: ``8m``; 0: this is none."""
    found = re.fullmatch(r"([0-9]{1,9})([kKmMgG]?)", text)
    return int(found[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[found[2].lower()] if found else 0


def url_of(place: str) -> str:
    """``to`` of ``[[app]]`` for a place: ``unix:PATH``, or a host with or without a port."""
    if place.startswith("unix:"):
        return "http+unix:" + place.removeprefix("unix:").rstrip(":")
    return f"http://{place}" if re.search(r":[0-9]+\Z", place) else f"http://{place}:80"


_TAKERS = {
    "location": Server.location,
    "listen": Server.listen,
    "ssl": Server.ssl_on,
    "server_name": Server.server_name,
    "root": Server.webroot,
    "alias": Server.webroot,
    "index": Server.index,
    "try_files": Server.try_files,
    "error_page": Server.error_page,
    "add_header": Server.add_header,
    "expires": Server.expires,
    "return": Server.returns,
    "rewrite": Server.rewrite,
    "autoindex": Server.autoindex,
    "internal": Server.internal,
    "types": Server.types,
    "default_type": Server.default_type,
    "proxy_pass": Server.proxy_pass,
    "proxy_set_header": Server.proxy_header,
    **dict.fromkeys(_PASSES, Server.pass_on),
    "auth_basic": Server.auth,
    "auth_basic_user_file": Server.auth_file,
    "auth_request": Server.ask_elsewhere,
    "ssl_verify_client": Server.ask_elsewhere,
    "limit_req": Server.limit_req,
    "ssl_certificate": Server.ssl_file,
    "ssl_certificate_key": Server.ssl_file,
    "client_max_body_size": Server.body_size,
    "set_real_ip_from": Server.real_address,
    "real_ip_header": Server.real_field,
    "ssl_protocols": Server.ssl_protocols,
    "access_log": Server.access_log,
    "include": Server.include,
    "if": Server.condition,
}
#: Directives that are understood.
TAKEN = frozenset(_TAKERS)
