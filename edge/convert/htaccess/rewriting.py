"""Addresses that lead elsewhere: ``Redirect`` and its like, and ``RewriteRule`` with its conditions."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import NamedTuple

from edge.convert.htaccess.site import CONDITION, PHP, Site
from edge.convert.networks import EVERYBODY
from edge.convert.nginx.places import Location
from edge.convert.statements import Statement, number

_STATUS = {"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}
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
_FILE = "%{REQUEST_FILENAME}"
#: Patterns of all paths, and of those that may be names of pages.
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
#: Flags by which a rule skips, follows or repeats others, or says what is no rule of an address.
_ODD = frozenset(("S", "SKIP", "C", "CHAIN", "N", "NEXT", "CO", "COOKIE", "T", "TYPE", "H", "HANDLER"))
_FORBIDDEN, _GONE = {"F", "FORBIDDEN"}, {"G", "GONE"}


def redirect(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``Redirect``, and with it all below its path."""
    status, args = _status_of(one)
    if status in (404, 410) and len(args) == 1:
        site.result.add("redirect", {"from": args[0].rstrip("/") + "/*", "status": status}, one.place)
    elif len(args) != 2 or not args[0].startswith("/") or not re.match(r"/|https?://", args[1]):
        site.draft.remark(one, "a redirect leads from a path to a path or a URL")
    else:  # what follows the path is put behind the address
        site.result.add("redirect", {"from": args[0], "to": args[1], "status": status}, one.place)
        if not re.search(r"\.[a-z0-9]+\Z", args[0]) and args[0] != "/":
            source, to = args[0].rstrip("/") + "/*", args[1].rstrip("/") + "/:splat"
            site.result.add("redirect", {"from": source, "to": to, "status": status}, one.place)


def redirect_match(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``RedirectMatch``: by a regular expression."""
    status, args = _status_of(one)
    _add(site, one, args[0] if args else "", args[1] if len(args) > 1 else "", status)


def _status_of(one: Statement) -> tuple[int, list[str]]:
    """The status that a redirect says, and the other arguments."""
    args = list(one.args)
    default = {"redirectpermanent": 301}.get(one.name.lower(), 302)
    if args and (args[0].lower() in _STATUS or number(args[0]) is not None):
        word = args.pop(0).lower()
        return _STATUS.get(word, number(word) or 302), args
    return default, args


def condition(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``RewriteCond``: of the RewriteRule that follows."""
    site.conditions.append(one)


class _Rewrite(NamedTuple):
    """A ``RewriteRule`` with its conditions."""

    one: Statement
    pattern: str
    to: str
    #: By names in capitals.
    flags: dict[str, str]
    conditions: list[Statement]

    @property
    def tests(self) -> list[tuple[str, str]]:
        """What each condition looks at, and what that has to be."""
        return [((*each.args, "", "")[0], (*each.args, "", "")[1].lower()) for each in self.conditions]

    @property
    def is_of_missing(self) -> bool:
        """Whether it is about what no file is at, and nothing else."""
        return bool(self.conditions) and set(self.tests) <= {
            (_FILE, "!-f"),
            (_FILE, "!-d"),
            (_FILE, "!-l"),
            (_FILE, "!-s"),
        }

    def has(self, names: Set[str]) -> bool:
        """Whether it has one of these flags."""
        return not names.isdisjoint(self.flags)


def _rewrite_of(one: Statement, conditions: list[Statement]) -> _Rewrite:
    pattern, to, *rest = (*one.args, "", "")[: max(len(one.args), 2)]
    words = [word.strip().partition("=") for word in (rest[0].strip("[]").split(",") if rest else ())]
    return _Rewrite(one, pattern, to, {name.upper(): value for name, _, value in words}, conditions)


def rewrite_rule(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``RewriteRule``, with the conditions before it."""
    rule, site.conditions = _rewrite_of(one, site.conditions), []
    to = rule.to
    if _leads_to_https(site, rule):
        site.draft.keys["redirect-https"] = True
    elif _is_clean_url(rule.tests, rule.pattern, to):
        site.result.keys["clean-urls"] = True
    elif ".php" in to:
        site.hide_php(one, PHP)
    elif rule.has({"P", "PROXY"}):
        site.draft.remark(one, 'another server is an [[app]]: at = "/PATH", to = "http://HOST:PORT"')
    elif rule.has(_ODD):
        _remark(site, rule, "rules are one by one: none skips, follows or repeats another")
    elif to == "-" and not rule.has({*_FORBIDDEN, *_GONE, "R"}):
        return  # it only ends the others, or sets a variable
    elif rule.is_of_missing and to.endswith((".html", ".htm")) and rule.pattern in _EVERYTHING:
        site.result.keys["fallback"] = "/" + to.lstrip("/")
    elif rule.conditions and not rule.is_of_missing:
        _remark(site, rule, "see the conditions before it")
    elif rule.has({*_FORBIDDEN, *_GONE}):
        _close(site, rule)
    else:
        _lead(site, rule)


def _remark(site: Site, rule: _Rewrite, why: str) -> None:
    """*rule* is not taken, and *why*; neither are its conditions."""
    for each in rule.conditions:
        site.draft.remark(each, CONDITION)
    site.draft.remark(rule.one, why)


def _leads_to_https(site: Site, rule: _Rewrite) -> bool:
    """Whether it leads who asks over plain HTTP to HTTPS; its other conditions are named."""
    plain = [(name.upper(), value) in _PLAIN_HTTP for name, value in rule.tests]
    if not any(plain) or not re.match(r"https://(?:%\{(?:HTTP_HOST|SERVER_NAME)\}|[^/]+)/?", rule.to):
        return False
    for each, is_plain in zip(rule.conditions, plain, strict=True):
        if not is_plain:
            site.draft.remark(each, CONDITION)
    return True


def _close(site: Site, rule: _Rewrite) -> None:
    """Nobody is to see it, or it is gone."""
    status = 410 if rule.has(_GONE) else 404
    place = Location("~", re.sub(r"\A\^(?!/)", "^/", rule.pattern), None, None)
    globs = place.globs() if status == 404 and "NC" not in rule.flags else None
    for glob in globs or ():
        site.result.add("access", {"path": glob, "deny": list(EVERYBODY)}, rule.one.place)
    if globs is None:
        _add(site, rule.one, rule.pattern, "", status, no_case="NC" in rule.flags)


def _lead(site: Site, rule: _Rewrite) -> None:
    """It leads elsewhere, by a redirect or to another file."""
    no_case = "NC" in rule.flags
    code = rule.flags.get("R", rule.flags.get("REDIRECT"))
    if code is not None:
        status = number(code) or _STATUS.get(code.lower(), 302)
        _add(site, rule.one, rule.pattern, "" if rule.to == "-" else rule.to, status, no_case=no_case)
    elif re.match(r"https?://", rule.to):
        _add(site, rule.one, rule.pattern, rule.to, 302, no_case=no_case)
    else:
        _add(site, rule.one, rule.pattern, rule.to, 0, rule.is_of_missing, no_case)


def _is_clean_url(tests: list[tuple[str, str]], pattern: str, to: str) -> bool:
    """Whether /about is about.html, in one of the ways in which that is written."""
    names = {name.replace("\\", "") for name, _ in tests}
    is_asked = names <= {_FILE, _FILE + ".html", "%{DOCUMENT_ROOT}/$1.html", "%{REQUEST_FILENAME}.html"}
    wanted = any(name.endswith(".html") and test == "-f" for name, test in tests) or all(
        test.startswith("!") for _, test in tests
    )
    return bool(tests) and is_asked and wanted and pattern in _STEMS and to in ("$1.html", "/$1.html")


def _add(
    site: Site,
    one: Statement,
    pattern: str,
    to: str,
    status: int,
    files_first: bool = False,
    no_case: bool = False,
) -> None:
    """A rule from the regular expression *pattern*, which in .htaccess sees no first slash."""
    if pattern.startswith("!"):
        site.draft.remark(one, "a rule is about what it names, not about the rest")
        return
    if one.name.lower() == "rewriterule":
        pattern = re.sub(r"\A\^(?!/)", "^/", pattern) if pattern.startswith("^") else pattern
    if re.search(r"\(\?(?:[=!]|<[=!])|\\[1-9]|[*+?]\+", pattern) or not pattern:
        site.draft.remark(one, "regular expressions have no look-around and no references here")
        return
    source = {"from-regex": ("(?i)" if no_case else "") + pattern}
    if status in (404, 410):
        site.result.add("redirect", {**source, "status": status}, one.place)
        return
    scheme = re.match(r"https?://[^/$]*", to)
    begin = scheme[0] if scheme else ""
    target = begin + re.sub(r"\$([0-9])", r":\1", to[len(begin) :].replace(":", "%3A").removesuffix("?"))
    if not begin and not target.startswith("/"):
        target = "/" + target
    if "%{" in target or re.search(r"(?<!:)%[1-9]", target):
        site.draft.remark(one, "an address is made of the path's captures alone")
    elif status:
        site.result.add("redirect", {**source, "to": target, "status": status}, one.place)
    else:
        target = target.partition("?")[0]
        site.result.add("rewrite", {**source, "to": target, "force": not files_first}, one.place)
