"""From Apache's ``.htaccess`` to a draft (sans-IO): directives mean what Apache's documentation says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from edge.addresses.fields import Change
from edge.convert.draft import Draft, SiteDraft, Table
from edge.convert.headers import problem_of
from edge.convert.networks import EVERYBODY, both, is_in
from edge.convert.nginx_places import Location, has_alternatives, not_re2
from edge.convert.statements import TOO_LONG, Statement, directives, number
from edge.convert.types import EXTENSIONS
from edge.networks import parse_network

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
        "rewriteoptions",
        "directoryslash",
        "indexoptions",
        "indexignore",
        "limitrequestbody",
        "serversignature",
        "browsermatch",
        "enablesendfile",
    ]
)
_ELSEWHERE = {
    "sethandler": "PHP and CGI are not run here; let an [[app]] answer them",
    "addhandler": "PHP and CGI are not run here; let an [[app]] answer them",
    "satisfy": "who may has to pass every rule: a network and a password",
    "setenvif": "nothing depends on conditions here",
    "setenv": "nothing depends on conditions here; an [[app]] has environment",
    "rewritemap": "write a [[redirect]] for each address",
}
_STATUS = {"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000,
          "year": 31_536_000}  # fmt: skip
_CHANGES: dict[str, Change] = {"set": "set", "add": "add", "append": "add", "merge": "add", "unset": "remove"}
#: Who may be asked for over HTTPS alone, as mod_rewrite says it.
_PLAIN_HTTP = frozenset(
    [
        ("%{HTTPS}", "off"),
        ("%{HTTPS}", "!=on"),
        ("%{HTTPS}", "!on"),
        ("%{HTTPS}", "^off$"),
        ("%{HTTPS}", "!^on$"),
        ("%{SERVER_PORT}", "80"),
        ("%{SERVER_PORT}", "^80$"),
        ("%{SERVER_PORT}", "!443"),
        ("%{SERVER_PORT}", "!^443$"),
        ("%{HTTP:X-FORWARDED-PROTO}", "!https"),
        ("%{HTTP:X-FORWARDED-PROTO}", "=http"),
    ]
)
_CONDITION = "nothing depends on conditions here; rules go by path, sites by host"
_PHP = "PHP is not run here; let an [[app]] answer it, and take the *.php out of the webroot, which an "
_PHP += "[[access]] hides until then"
_FILE = "%{REQUEST_FILENAME}"


class _Site:
    def __init__(self) -> None:
        self.draft = Draft(sites=[SiteDraft()])
        self.site = self.draft.sites[0]
        #: Of the RewriteRule that follows.
        self.conditions: list[Statement] = []
        self.auth: dict[str, object] = {}
        #: Rules of ``[[header]]`` about expiry: of everything, and of some files.
        self.lifetime: list[Table] = []
        self.lifetimes: list[Table] = []

    def take(self, statements: Sequence[Statement], globs: tuple[str, ...] = ("/**",)) -> None:
        """All *statements* of a section that is about *globs*."""
        access: list[Statement] = []
        for one in statements:
            name = one.name.lower()
            taker = _TAKERS.get(name)
            if one.is_too_long:
                self.draft.remark(one, TOO_LONG)
            elif name in _ACCESS:
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
            pattern = args[-1] if args and name in ("files", "filesmatch") else ""
            is_hidden = re.match(r"\^\\\.(?![?*{])", pattern) and not has_alternatives(pattern)
            if not is_hidden and not self._closes(one, pattern):  # dotfiles are never published
                self.draft.remark(one, 'rules are about globs: path = "*.js"')
            return
        if all(glob.startswith(".") for glob in inner):
            return
        if name == "filesmatch" and ("?i:" in args[-1] or not args[-1].endswith("$")):
            self._closes(one, args[-1], only_whole=True)  # globs are about fewer names
        self.take(one.block or (), inner)

    def _closes(self, section: Statement, pattern: str, only_whole: bool = False) -> bool:
        """Names that match *pattern* are nobody's, where the section keeps some visitors from them.

        Whether that is all that it says.
        """
        rules = [one for one in section.block or () if one.name.lower() in _ACCESS]
        who = _Who(rules)
        is_whole = len(rules) == len(section.block or ()) and not who.unknown and not who.logins
        # A name has no slash, and stands behind one.
        path = re.sub(r"(?<![\\[])\^", "/", pattern)
        if not (who.is_closed or who.deny or who.logins) or not path or not_re2(path):
            return False
        is_whole &= who.is_closed and not who.allow
        if is_whole or not only_whole:
            self.site.add("redirect", {"from-regex": path, "status": 404}, section.place)
        return is_whole

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
        if "httpd-php" in (one.args[0] if one.args else ""):
            self._php(one, _PHP)
            return
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
        extensions = EXTENSIONS.get(one.args[0].lower() if one.args else "")
        if extensions is None:
            self.draft.remark(one, 'name its files: [[header]] path = "*.EXTENSION"')
        else:
            self._expires(one, tuple(f"*.{extension}" for extension in extensions), " ".join(one.args[1:]))

    def _expires(self, one: Statement, globs: tuple[str, ...], text: str) -> None:
        """What ``Header`` says counts more, and what is said by type more than what is said of all."""
        parts = re.findall(r"([0-9]{1,9})\s{0,9}(year|month|week|day|hour|minute|second)s?", text.lower())
        short = re.fullmatch(r"[amAM]([0-9]{1,9})", text.strip())
        if not parts and short is None:
            self.draft.remark(one, 'write set = { Cache-Control = "max-age=SECONDS" } in a [[header]]')
            return
        seconds = int(short[1]) if short else sum(int(count) * _UNITS[unit] for count, unit in parts)
        value = f"max-age={seconds}" if seconds else "no-cache"
        for glob in globs:
            table = Table({"path": glob, "set": {"Cache-Control": value}}, one.place)
            (self.lifetimes if glob != "/**" else self.lifetime).append(table)

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
        tests = [((*each.args, "", "")[0], (*each.args, "", "")[1].lower()) for each in conditions]
        plain = [(name.upper(), value) in _PLAIN_HTTP for name, value in tests]
        if any(plain) and re.match(r"https://(?:%\{(?:HTTP_HOST|SERVER_NAME)\}|[^/]+)/?", to):
            self.draft.keys["redirect-https"] = True
            for each, is_plain in zip(conditions, plain, strict=True):
                if not is_plain:
                    self.draft.remark(each, _CONDITION)
            return
        is_missing = bool(tests) and set(tests) <= {
            (_FILE, "!-f"),
            (_FILE, "!-d"),
            (_FILE, "!-l"),
            (_FILE, "!-s"),
        }
        if self._is_clean_url(tests, pattern, to):
            self.site.keys["clean-urls"] = True
        elif ".php" in to:
            self._php(one, _PHP)
        elif {"P", "PROXY"} & flags.keys():
            self.draft.remark(one, 'another server is an [[app]]: at = "/PATH", to = "http://HOST:PORT"')
        elif {
            "S",
            "SKIP",
            "C",
            "CHAIN",
            "N",
            "NEXT",
            "CO",
            "COOKIE",
            "T",
            "TYPE",
            "H",
            "HANDLER",
        } & flags.keys():
            for each in conditions:
                self.draft.remark(each, _CONDITION)
            self.draft.remark(one, "rules are one by one: none skips, follows or repeats another")
        elif to == "-" and not flags.keys() & {"F", "FORBIDDEN", "G", "GONE", "R"}:
            return  # it only ends the others, or sets a variable
        elif is_missing and to.endswith((".html", ".htm")) and pattern in _EVERYTHING:
            self.site.keys["fallback"] = "/" + to.lstrip("/")
        elif conditions and not is_missing:
            for each in conditions:
                self.draft.remark(each, _CONDITION)
            self.draft.remark(one, "see the conditions before it")
        elif flags.keys() & {"F", "FORBIDDEN", "G", "GONE"}:
            status = 410 if flags.keys() & {"G", "GONE"} else 404
            place = Location("~", re.sub(r"\A\^(?!/)", "^/", pattern), None, None)
            globs_of = place.globs() if status == 404 and "NC" not in flags else None
            for glob in globs_of or ():
                self.site.add("access", {"path": glob, "deny": list(EVERYBODY)}, one.place)
            if globs_of is None:
                self._rule(one, pattern, "", status, no_case="NC" in flags)
        elif (code := flags.get("R", flags.get("REDIRECT"))) is not None:
            status = number(code.lower()) or _STATUS.get(code.lower(), 302)
            self._rule(one, pattern, "" if to == "-" else to, status, no_case="NC" in flags)
        elif re.match(r"https?://", to):
            self._rule(one, pattern, to, 302, no_case="NC" in flags)
        else:
            self._rule(one, pattern, to, 0, is_missing, "NC" in flags)

    def _is_clean_url(self, tests: list[tuple[str, str]], pattern: str, to: str) -> bool:
        """Whether /about is about.html, in one of the ways in which that is written."""
        names = {name.replace("\\", "") for name, _ in tests}
        is_asked = names <= {_FILE, _FILE + ".html", "%{DOCUMENT_ROOT}/$1.html", "%{REQUEST_FILENAME}.html"}
        wanted = any(name.endswith(".html") and test == "-f" for name, test in tests) or all(
            test.startswith("!") for _, test in tests
        )
        return bool(tests) and is_asked and wanted and pattern in _STEMS and to in ("$1.html", "/$1.html")

    def _php(self, one: Statement, why: str) -> None:
        """PHP is not run, and what it is made of is shown to nobody."""
        self.draft.remark(one, why)
        tables = self.site.tables.setdefault("access", [])
        if not any(table.values["path"] == "*.php" for table in tables):
            tables.insert(0, Table({"path": "*.php", "deny": list(EVERYBODY)}, one.place))

    def php(self, one: Statement, globs: tuple[str, ...]) -> None:
        """``php_value``, and handlers of PHP."""
        text = " ".join(one.args).lower()
        if one.name.lower().startswith("php") or "php" in text:
            self._php(one, "PHP is not run here; set it where it runs. An [[access]] hides *.php until they "
                      "are out of the webroot")  # fmt: skip
        elif one.args[:1] not in (("default-handler",), ("None",)):
            self.draft.remark(one, _ELSEWHERE["sethandler"])

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
        if pattern.startswith("!"):
            self.draft.remark(one, "a rule is about what it names, not about the rest")
            return
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

    def auth_type(self, one: Statement, globs: tuple[str, ...]) -> None:
        if tuple(arg.lower() for arg in one.args) not in (("basic",), ("none",)):
            self.draft.remark(one, "passwords are asked for by Basic, over HTTPS; hash them by htpasswd -B")

    def satisfy(self, one: Statement, globs: tuple[str, ...]) -> None:
        if tuple(arg.lower() for arg in one.args) != ("all",):
            self.draft.remark(one, _ELSEWHERE["satisfy"])

    def base(self, one: Statement, globs: tuple[str, ...]) -> None:
        if one.args != ("/",):
            self.draft.remark(
                one, "paths begin at the root of the site; put the folder before them in each rule"
            )

    def _access(self, rules: Sequence[Statement], globs: tuple[str, ...]) -> None:
        """``Require``, and ``Order``, ``Allow`` and ``Deny`` of Apache 2.2."""
        who = _Who(rules)
        for each in who.unknown:
            self.draft.remark(each, "who may goes by address and password: [[access]], [[auth]]")
        for each in who.logins:
            self._login(each, each.args[0].lower(), globs)
        if who.logins and who.has_choice:
            self.draft.remark(who.logins[0], "who has the password or another right: here everybody needs it")
        closed = list(EVERYBODY) if who.is_closed else []
        allow = who.allowed()
        values = {**({"allow": allow} if allow and closed else {}), "deny": [*who.deny, *closed]}
        if rules and not values["deny"] and globs != ("/**",):  # open, whatever is said of all
            values = {"allow": list(EVERYBODY)}
        for glob in globs if any(values.values()) else ():
            self.site.add("access", {"path": glob, **values}, rules[0].place)

    def _login(self, one: Statement, kind: str, globs: tuple[str, ...]) -> None:
        if kind != "valid-user":
            self.draft.remark(one, "everybody in the file of users may; give this path a file of its own")
        if not self.auth.get("users"):
            self.draft.remark(
                one, "a password needs a file of users: AuthUserFile; until then nobody is let in"
            )
            for glob in globs:
                self.site.add("access", {"path": glob, "deny": list(EVERYBODY)}, one.place)
            return
        for glob in globs:
            self.site.add("auth", {"path": glob, **self.auth}, one.place)


class _May(NamedTuple):
    """Who may by address: who is in one of *allow* (None: everybody), and in none of *deny*."""

    allow: list[str] | None
    deny: list[str]

    def and_(self, other: _May) -> _May:
        """Who may by both."""
        if self.allow is None or other.allow is None:
            allow = other.allow if self.allow is None else self.allow
        else:
            allow = both(self.allow, other.allow)
        return _May(allow, [*self.deny, *other.deny])

    def or_(self, other: _May) -> _May:
        """Who may by one of them, as far as that can be said: nobody else."""
        if self == _EVERYBODY_MAY or other == _EVERYBODY_MAY:
            return _EVERYBODY_MAY
        if self.allow is None or other.allow is None:
            return self if self.allow is None else other
        return _May([*self.allow, *other.allow], [*self.deny, *other.deny])


_EVERYBODY_MAY, _NOBODY_MAY = _May(None, []), _May([], [])


class _Who:
    """Who may by address, as one section says it."""

    def __init__(self, rules: Sequence[Statement]) -> None:
        self.allow: list[str] = []
        self.deny: list[str] = []
        #: What is not understood, and lets nobody in; and what asks for passwords.
        self.unknown: list[Statement] = []
        self.logins: list[Statement] = []
        #: Of several ways to get in one is enough.
        self.has_choice = False
        #: Of Apache 2.2: whether there is any of it, what comes first, and what is said of all.
        self._old = self._allows_first = self._allows_all = self._denies_all = False
        #: Of Apache 2.4.
        self._new = _EVERYBODY_MAY
        requires = [one for one in rules if one.name.lower() in _REQUIRES]
        for one in rules:
            if one not in requires and not self._take(one.name.lower(), [arg.lower() for arg in one.args]):
                self.unknown.append(one)
        if requires:
            self._new = self._any_of(requires)
            self.allow += self._new.allow or ()
            self.deny += self._new.deny

    @property
    def is_closed(self) -> bool:
        """Whether who is in none of the networks may not."""
        new = self._new.allow is not None
        if not self._old:
            return new
        if self._allows_first:
            return new or self._denies_all or not self._allows_all
        return new or (self._denies_all and not self._allows_all)

    def allowed(self) -> list[str]:
        """``allow`` without networks that lie in one that is denied whatever else is said.

        Here the longest network would count.
        """
        strong = self.deny if self._allows_first else self._new.deny
        return [one for one in dict.fromkeys(self.allow) if not any(is_in(one, other) for other in strong)]

    def _any_of(self, rules: Sequence[Statement]) -> _May:
        """``<RequireAny>``, which also stands around all; what *not* says lets nobody in by itself."""
        plain = [one for one in rules if [arg.lower() for arg in one.args[:1]] != ["not"]]
        self.has_choice |= len(plain) > 1
        found = [self._may(one) for one in plain]
        may = reduce(_May.or_, found) if found else _EVERYBODY_MAY
        return reduce(_May.and_, (self._may(one) for one in rules if one not in plain), may)

    def _may(self, one: Statement) -> _May:
        """One ``Require``, or several in a section."""
        name, inside = one.name.lower(), one.block or ()
        if one.block is not None and name != "require":
            if name == "requireany":
                return self._any_of(inside)
            if name == "requireall":
                return reduce(_May.and_, map(self._may, inside), _EVERYBODY_MAY)
            return self._none_of(one)
        args = [arg.lower() for arg in one.args]
        is_not = args[:1] == ["not"]
        kind, *words = args[is_not:] or [""]
        if kind == "all":
            return _EVERYBODY_MAY if (words == ["granted"]) != is_not else _NOBODY_MAY
        if kind in ("valid-user", "user", "group") and not is_not:
            self.logins.append(one)
            return _EVERYBODY_MAY
        networks = ["127.0.0.0/8", "::1"] if kind == "local" else [_network(word) for word in words]
        if kind not in ("ip", "local") or None in networks or not networks:
            self.unknown.append(one)
            return _NOBODY_MAY
        known = [network for network in networks if network is not None]
        return _May(None, known) if is_not else _May(known, [])

    def _none_of(self, one: Statement) -> _May:
        """``<RequireNone>``: who may by none of what is inside."""
        deny: list[str] = []
        for each in one.block or ():
            known = len(self.unknown) + len(self.logins)
            may = self._may(each)
            if len(self.unknown) + len(self.logins) > known or (may.deny and may.allow is None):
                self.logins = [login for login in self.logins if login is not each]
                self.unknown.append(one)
                return _NOBODY_MAY
            if may == _EVERYBODY_MAY:
                return _NOBODY_MAY
            deny += may.allow or ()
        return _May(None, deny)

    def _take(self, name: str, args: list[str]) -> bool:
        """One directive of Apache 2.2; False: it is not understood."""
        self._old = True
        if name == "order":
            self._allows_first = ",".join(args).replace(",,", ",") == "allow,deny"
            return True
        return args[:1] == ["from"] and all([self._network(word, name) for word in args[1:]])

    def _network(self, word: str, what: str) -> bool:
        if word == "all":
            self._allows_all |= what == "allow"
            self._denies_all |= what == "deny"
            return True
        network = _network(word)
        if network is not None:
            (self.deny if what == "deny" else self.allow).append(network)
        return network is not None


_REQUIRES = ("require", "requireall", "requireany", "requirenone")
_ACCESS = (*_REQUIRES, "order", "allow", "deny")
_EVERYTHING = ("^", ".", ".*", "^(.*)$", "^.*$", "(.*)", "^.*", "^(.*)", "^(.+)$")
_STEMS = (
    r"^([^\.]+)$",
    r"^(.*)$",
    r"^([^.]+)$",
    r"^(.+)$",
    r"(.*)",
    r"^([^\.]+)/?$",
    r"^(.*?)/?$",
    r"^(.+?)/?$",
)


def _network(text: str) -> str | None:
    """A network as Apache writes it, also ``10.1`` for 10.1.0.0/16; None: it is none."""
    if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,2}\.?", text):
        parts = text.rstrip(".").split(".")
        text = ".".join([*parts, *["0"] * (4 - len(parts))]) + f"/{8 * len(parts)}"
    try:
        parse_network(text)
    except ValueError:
        return None
    return text


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
    "authname": _Site.auth_part, "authuserfile": _Site.auth_part, "authtype": _Site.auth_type,
    "satisfy": _Site.satisfy, "rewritebase": _Site.base, "php_value": _Site.php, "php_flag": _Site.php,
    "addhandler": _Site.php, "sethandler": _Site.php,
}  # fmt: skip


def convert_htaccess(statements: Sequence[Statement]) -> Draft:
    """What the *statements* of an ``.htaccess`` come to."""
    site = _Site()
    site.take(statements)
    access = site.site.tables.get("access", [])
    if not any(table.values["path"] == "/**" for table in access):
        access[:] = [table for table in access if "deny" in table.values]
        if not access:
            site.site.tables.pop("access", None)
    else:  # the first that matches counts
        access.sort(key=lambda table: table.values["path"] == "/**")
    for each in site.conditions:
        site.draft.remark(each, "no RewriteRule follows it")
    if site.lifetime or site.lifetimes:
        own = site.site.tables.pop("header", [])
        for table in (*site.lifetime, *site.lifetimes, *own):
            site.site.add("header", table.values, table.place)
    site.draft.remarks = list(dict.fromkeys(site.draft.remarks))
    return site.draft
