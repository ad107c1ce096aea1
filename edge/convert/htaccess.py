"""From Apache's ``.htaccess`` to a draft (sans-IO): directives mean what Apache's documentation says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge.addresses.fields import Change
from edge.convert.draft import Draft, SiteDraft
from edge.convert.headers import problem_of
from edge.convert.statements import TOO_LONG, Statement, directives, number

_NEEDLESS = frozenset(
    [
        "rewriteengine",
        "expiresactive",
        "addencoding",
        "fileetag",
        "adddefaultcharset",
        "addcharset",
        "setoutputfilter",
        "addoutputfilterbytype",
        "brotlicompressionquality",
        "deflatecompressionlevel",
        "contentdigest",
        "serversignature",
        "browsermatch",
        "enablesendfile",
        "satisfy",
        "authtype",
        "rewritebase",
    ]
)
_ELSEWHERE = {
    "sethandler": "PHP and CGI are not run here; let an [[app]] answer them",
    "addhandler": "PHP and CGI are not run here; let an [[app]] answer them",
    "php_value": "PHP is not run here; set it where it runs",
    "php_flag": "PHP is not run here; set it where it runs",
    "setenvif": "nothing depends on conditions here",
    "setenv": "nothing depends on conditions here; an [[app]] has environment",
    "rewritemap": "write a [[redirect]] for each address",
}
_STATUS = {"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000,
          "year": 31_536_000}  # fmt: skip
_CHANGES: dict[str, Change] = {"set": "set", "add": "add", "append": "add", "merge": "add", "unset": "remove"}
#: Extensions of types that rules about expiry name.
_EXTENSIONS = {
    "text/css": ["css"], "application/javascript": ["js", "mjs"], "text/javascript": ["js", "mjs"],
    "application/x-javascript": ["js"], "image/jpeg": ["jpg", "jpeg"], "image/jpg": ["jpg", "jpeg"],
    "image/png": ["png"], "image/gif": ["gif"], "image/webp": ["webp"], "image/avif": ["avif"],
    "image/svg+xml": ["svg"], "image/x-icon": ["ico"], "image/vnd.microsoft.icon": ["ico"],
    "text/html": ["html"], "application/pdf": ["pdf"], "font/woff": ["woff"], "font/woff2": ["woff2"],
    "application/font-woff": ["woff"], "application/font-woff2": ["woff2"], "font/ttf": ["ttf"],
    "application/json": ["json"], "application/xml": ["xml"], "text/xml": ["xml"], "video/mp4": ["mp4"],
    "application/manifest+json": ["webmanifest"], "application/rss+xml": ["rss"],
}  # fmt: skip


class _Site:
    def __init__(self) -> None:
        self.draft = Draft(sites=[SiteDraft()])
        self.site = self.draft.sites[0]
        #: Of the RewriteRule that follows.
        self.conditions: list[Statement] = []
        self.auth: dict[str, object] = {}

    def take(self, statements: Sequence[Statement], globs: tuple[str, ...] = ("/**",)) -> None:
        """All *statements* of a section that is about *globs*."""
        access: list[Statement] = []
        for one in statements:
            name = one.name.lower()
            taker = _TAKERS.get(name)
            if one.is_too_long:
                self.draft.remark(one, TOO_LONG)
            elif name in ("require", "order", "allow", "deny"):
                access.append(one)
            elif taker is not None:
                taker(self, one, globs)
            elif name not in _NEEDLESS:
                self.draft.remark(one, _ELSEWHERE.get(name, "there is nothing here that does this"))
        self._access(access, globs)

    # ---- directives ----

    def section(self, one: Statement, globs: tuple[str, ...]) -> None:
        name, args = one.name.lower(), one.args
        if name == "files" and len(args) == 1:
            inner: tuple[str, ...] | None = (args[0],)
        elif name in ("filesmatch", "files") and args:
            inner = _globs_of(args[-1])
        else:
            inner = None
        if inner is None:
            hidden = name == "filesmatch" and re.match(r"\^?\\\.", args[-1] if args else "")
            if not hidden:  # dotfiles are never published
                self.draft.remark(one, 'rules are about globs: path = "*.js"')
            return
        if all(glob.startswith(".") for glob in inner):
            return
        self.take(one.block or (), inner)

    def index(self, one: Statement, globs: tuple[str, ...]) -> None:
        names = [name for name in one.args if not name.endswith((".php", ".cgi", ".pl"))]
        if names and names != ["index.html"]:
            self.site.keys["index"] = names

    def options(self, one: Statement, globs: tuple[str, ...]) -> None:
        for word in one.args:
            lower = word.lower()
            if lower in ("indexes", "+indexes", "all"):
                self.site.keys["listing"] = True
            elif lower in ("followsymlinks", "+followsymlinks"):
                self.site.keys["follow-symlinks"] = True
            elif lower in ("multiviews", "+multiviews"):
                self.site.keys["clean-urls"] = True
            elif lower.lstrip("+") in ("execcgi", "includes", "includesnoexec"):
                self.draft.remark(one, "pages and programs go out as they are; let an [[app]] answer them")

    def error_document(self, one: Statement, globs: tuple[str, ...]) -> None:
        if one.args[:1] != ("404",) or len(one.args) != 2 or not one.args[1].startswith("/"):
            self.draft.remark(one, "only 404.html, at the root of the site, is shown for what is not there")
        elif one.args[1] != "/404.html":
            self.draft.remark(one, f"name that file 404.html (here {one.args[1]})")

    def add_type(self, one: Statement, globs: tuple[str, ...]) -> None:
        if len(one.args) < 2:
            self.draft.remark(one, "a type has extensions")
        for extension in one.args[1:]:
            self.site.types["." + extension.lstrip(".")] = one.args[0]

    def force_type(self, one: Statement, globs: tuple[str, ...]) -> None:
        for glob in globs:
            key = glob[1:] if glob.startswith("*.") else glob
            if "/" in key or not one.args:
                self.draft.remark(one, "a type is given by name: [types] has extensions and names of files")
            else:
                self.site.types[key] = one.args[0]

    def header(self, one: Statement, globs: tuple[str, ...]) -> None:
        args = [arg for arg in one.args if arg.lower() not in ("always", "onsuccess")]
        what, name, *values = (*args, "", "")[: max(len(args), 2)]
        what, value = what.lower(), values[0] if values else ""
        if len(values) > 1 or "%{" in value or value.startswith("expr="):
            self.draft.remark(one, "a value is the same for all; an [[app]] can compute one")
        elif name.lower() == "strict-transport-security" and what != "unset":
            self.draft.keys["hsts"] = directives(value)
        elif (
            what in ("set", "add", "append", "merge", "unset")
            and name.lower() not in ("server", "etag")
            and (problem := problem_of(_CHANGES[what], name, value))
        ):
            self.draft.remark(one, problem)
        elif what == "unset":
            if name.lower() not in ("server", "etag"):
                self._header(globs, {"remove": [name]}, one)
        elif what in ("set", "append", "merge", "add") and value:
            self._header(globs, {"set" if what == "set" else "add": {name: value}}, one)
        else:
            self.draft.remark(one, "fields are set, added or removed: [[header]]")

    def _header(self, globs: tuple[str, ...], change: dict[str, object], one: Statement) -> None:
        for glob in globs:
            self.site.add("header", {"path": glob, **change}, one.place)

    def expires_default(self, one: Statement, globs: tuple[str, ...]) -> None:
        self._expires(one, globs, " ".join(one.args))

    def expires_by_type(self, one: Statement, globs: tuple[str, ...]) -> None:
        extensions = _EXTENSIONS.get(one.args[0].lower() if one.args else "")
        if extensions is None:
            self.draft.remark(one, 'name its files: [[header]] path = "*.EXTENSION"')
        else:
            self._expires(one, tuple(f"*.{extension}" for extension in extensions), " ".join(one.args[1:]))

    def _expires(self, one: Statement, globs: tuple[str, ...], text: str) -> None:
        parts = re.findall(r"([0-9]{1,9})\s{0,9}(year|month|week|day|hour|minute|second)s?", text.lower())
        short = re.fullmatch(r"[amAM]([0-9]{1,9})", text.strip())
        if not parts and short is None:
            self.draft.remark(one, 'write set = { Cache-Control = "max-age=SECONDS" } in a [[header]]')
            return
        seconds = int(short[1]) if short else sum(int(count) * _UNITS[unit] for count, unit in parts)
        self._header(globs, {"set": {"Cache-Control": f"max-age={seconds}" if seconds else "no-cache"}}, one)

    def redirect(self, one: Statement, globs: tuple[str, ...]) -> None:
        args = list(one.args)
        status = {"redirectpermanent": 301, "redirecttemp": 302}.get(one.name.lower(), 302)
        if args and (args[0].lower() in _STATUS or number(args[0]) is not None):
            word = args.pop(0).lower()
            status = _STATUS.get(word, number(word) or 302)
        if status in (404, 410) and len(args) == 1:
            self.site.add("redirect", {"from": args[0].rstrip("/") + "/*", "status": status}, one.place)
        elif len(args) != 2 or not args[0].startswith("/") or not re.match(r"/|https?://", args[1]):
            self.draft.remark(one, "a redirect leads from a path to a path or a URL")
        else:  # what follows the path is put behind the address
            self.site.add("redirect", {"from": args[0], "to": args[1], "status": status}, one.place)
            if not re.search(r"\.[a-z0-9]+\Z", args[0]) and args[0] != "/":
                source, to = args[0].rstrip("/") + "/*", args[1].rstrip("/") + "/:splat"
                self.site.add("redirect", {"from": source, "to": to, "status": status}, one.place)

    def redirect_match(self, one: Statement, globs: tuple[str, ...]) -> None:
        args = list(one.args)
        status = 302
        if args and (args[0].lower() in _STATUS or number(args[0]) is not None):
            word = args.pop(0).lower()
            status = _STATUS.get(word, number(word) or 302)
        self._rule(one, args[0] if args else "", args[1] if len(args) > 1 else "", status)

    def condition(self, one: Statement, globs: tuple[str, ...]) -> None:
        self.conditions.append(one)

    def rewrite_rule(self, one: Statement, globs: tuple[str, ...]) -> None:
        conditions, self.conditions = self.conditions, []
        pattern, to, *rest = (*one.args, "", "")[: max(len(one.args), 2)]
        flags = {word.strip().partition("=")[0].upper(): word.strip().partition("=")[2]
                 for word in (rest[0].strip("[]").split(",") if rest else ())}  # fmt: skip
        tests = [each.args[0] for each in conditions if each.args]
        kinds = [(each.args[0].upper(), each.args[1].lower()) for each in conditions if len(each.args) > 1]
        if any(
            kind in (("%{HTTPS}", "off"), ("%{HTTPS}", "!=on"), ("%{SERVER_PORT}", "80")) for kind in kinds
        ):
            self.draft.keys["redirect-https"] = True
            return
        files_only = all(test == "%{REQUEST_FILENAME}" for test in tests) and conditions
        if (
            files_only
            and to.endswith((".html", ".htm"))
            and pattern in ("^", ".", ".*", "^(.*)$", "^.*$", "(.*)")
        ):
            self.site.keys["fallback"] = "/" + to.lstrip("/")
            return
        if (
            files_only
            and pattern in (r"^([^\.]+)$", r"^(.*)$", r"^([^.]+)$")
            and to in ("$1.html", "/$1.html")
        ):
            self.site.keys["clean-urls"] = True
            return
        if ".php" in to:
            self.draft.remark(one, "PHP is not run here; let an [[app]] answer it")
        elif conditions and not files_only:
            for each in conditions:
                self.draft.remark(each, "nothing depends on conditions here; rules go by path, sites by host")
            self.draft.remark(one, "see the conditions before it")
        elif "F" in flags or "G" in flags:
            self._rule(one, pattern, "", 410 if "G" in flags else 404)
        elif to == "-":
            return  # it only ends the others
        elif "R" in flags:
            word = flags["R"].lower()
            status = number(word) or _STATUS.get(word, 302)
            self._rule(one, pattern, to, status, no_case="NC" in flags)
        elif re.match(r"https?://", to):
            self._rule(one, pattern, to, 302, no_case="NC" in flags)
        else:
            self._rule(one, pattern, to, 0, bool(files_only), "NC" in flags)

    def _rule(
        self,
        one: Statement,
        pattern: str,
        to: str,
        status: int,
        files_first: bool = False,
        no_case: bool = False,
    ) -> None:
        """A rule from the regular expression *pattern*, which in .htaccess sees no first slash."""
        if one.name.lower() == "rewriterule":
            pattern = re.sub(r"\A\^(?!/)", "^/", pattern) if pattern.startswith("^") else pattern
        if re.search(r"\(\?(?:[=!]|<[=!])|\\[1-9]|[*+?]\+", pattern) or not pattern:
            self.draft.remark(one, "regular expressions have no look-around and no references here")
            return
        source = {"from-regex": ("(?i)" if no_case else "") + pattern}
        if status in (404, 410):
            self.site.add("redirect", {**source, "status": status}, one.place)
            return
        scheme = re.match(r"https?://[^/$]*", to)
        begin = scheme[0] if scheme else ""
        target = begin + re.sub(r"\$([0-9])", r":\1", to[len(begin) :].replace(":", "%3A").removesuffix("?"))
        if not begin and not target.startswith("/"):
            target = "/" + target
        if "%{" in target or re.search(r"(?<!:)%[1-9]", target):
            self.draft.remark(one, "an address is made of the path's captures alone")
        elif status:
            self.site.add("redirect", {**source, "to": target, "status": status}, one.place)
        else:
            target = target.partition("?")[0]
            self.site.add("rewrite", {**source, "to": target, "force": not files_first}, one.place)

    def auth_part(self, one: Statement, globs: tuple[str, ...]) -> None:
        self.auth["realm" if one.name.lower() == "authname" else "users"] = one.args[0] if one.args else ""

    def _access(self, rules: Sequence[Statement], globs: tuple[str, ...]) -> None:
        if not rules:
            return
        words = [(one.name.lower(), tuple(arg.lower() for arg in one.args)) for one in rules]
        if any(args[:1] in (("valid-user",), ("user",), ("group",)) for _, args in words):
            for glob in globs:
                self.site.add("auth", {"path": glob, **self.auth}, rules[0].place)
            return
        denied = any(args in (("all", "denied"), ("from", "all")) for name, args in words if name != "allow")
        allowed = [
            arg
            for name, args in words
            if args[:1] in (("ip",), ("from",)) and name in ("require", "allow")
            for arg in args[1:]
            if arg != "all"
        ]
        if not denied and not allowed:
            return
        for glob in globs:
            values = {"allow": allowed} if allowed else {}
            self.site.add("access", {"path": glob, **values, "deny": ["0.0.0.0/0", "::/0"]}, rules[0].place)


def _globs_of(pattern: str) -> tuple[str, ...] | None:
    found = re.fullmatch(r"\(?(?:\?i:)?(?:\.\*)?\\\.\(?(?:\?:)?([A-Za-z0-9|?]+)\)?\$?\)?\$?", pattern)
    if found is None:
        return None
    words = []
    for word in found[1].split("|"):
        at = word.find("?")
        words += [word] if at < 1 else [word[:at] + word[at + 1 :], word[: at - 1] + word[at + 1 :]]
    return tuple(f"*.{word}" for word in words)


_TAKERS = {
    "files": _Site.section, "filesmatch": _Site.section, "if": _Site.section, "limit": _Site.section,
    "limitexcept": _Site.section, "directoryindex": _Site.index, "options": _Site.options,
    "errordocument": _Site.error_document, "addtype": _Site.add_type, "forcetype": _Site.force_type,
    "header": _Site.header, "expiresdefault": _Site.expires_default, "expiresbytype": _Site.expires_by_type,
    "redirect": _Site.redirect, "redirectpermanent": _Site.redirect, "redirecttemp": _Site.redirect,
    "redirectmatch": _Site.redirect_match, "rewritecond": _Site.condition, "rewriterule": _Site.rewrite_rule,
    "authname": _Site.auth_part, "authuserfile": _Site.auth_part,
}  # fmt: skip


def convert_htaccess(statements: Sequence[Statement]) -> Draft:
    """What the *statements* of an ``.htaccess`` come to."""
    site = _Site()
    site.take(statements)
    site.draft.remarks = list(dict.fromkeys(site.draft.remarks))
    return site.draft
