"""What takes each directive of an ``.htaccess``; directives mean what Apache's documentation says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge.addresses.fields import Change
from edge.convert.draft import Draft, Table
from edge.convert.headers import problem_of
from edge.convert.htaccess.rewriting import condition, redirect, redirect_match, rewrite_rule
from edge.convert.htaccess.site import PHP, Site
from edge.convert.htaccess.who import ACCESS, Who
from edge.convert.networks import EVERYBODY
from edge.convert.patterns import has_alternatives, not_re2
from edge.convert.statements import TOO_LONG, Statement, directives
from edge.convert.types import EXTENSIONS

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
_OF_A_SERVER = "it does not stand in an .htaccess, and is not converted: "
#: What an .htaccess cannot have, but a whole configuration.
_ELSEWHERE = {
    **dict.fromkeys(
        ("virtualhost", "directory", "directorymatch", "location", "locationmatch"),
        _OF_A_SERVER + "put what is inside of <Directory> into a file .htaccess, and write a [[site]] with "
        "hosts and webroot; what it keeps closed is open until then",
    ),
    "documentroot": _OF_A_SERVER + 'write webroot = "/FOLDER"',
    "alias": _OF_A_SERVER + "put a link into the webroot, and say follow-symlinks = true",
    "listen": _OF_A_SERVER + 'write listen = ["tcp:80"]',
    "sslcertificatefile": _OF_A_SERVER + 'write listen = ["tls:443:privateKey=FILE:certKey=FILE"]',
    "sslcertificatekeyfile": _OF_A_SERVER + 'write listen = ["tls:443:privateKey=FILE:certKey=FILE"]',
    "customlog": _OF_A_SERVER + 'write access-log = "/FILE"',
    **dict.fromkeys(("servername", "serveralias"), _OF_A_SERVER + "write hosts of a [[site]]"),
    **dict.fromkeys(
        ("proxypass", "proxypassmatch"),
        _OF_A_SERVER + 'another server is an [[app]]: at = "/PATH", to = "http://HOST:PORT"',
    ),
    "sethandler": "PHP and CGI are not run here; let an [[app]] answer them",
    "addhandler": "PHP and CGI are not run here; let an [[app]] answer them",
    "satisfy": "who may has to pass every rule: a network and a password",
    "setenvif": "nothing depends on conditions here",
    "setenv": "nothing depends on conditions here; an [[app]] has environment",
    "rewritemap": "write a [[redirect]] for each address",
}
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000,
          "year": 31_536_000}  # fmt: skip
_CHANGES: dict[str, Change] = {"set": "set", "add": "add", "append": "add", "merge": "add", "unset": "remove"}


def take(site: Site, statements: Sequence[Statement], globs: tuple[str, ...] = ("/**",)) -> None:
    """All *statements* of a section that is about *globs*."""
    access: list[Statement] = []
    for one in statements:
        name = one.name.lower()
        taker = _TAKERS.get(name)
        if one.is_too_long:
            site.draft.remark(one, TOO_LONG)
        elif name in ACCESS:
            access.append(one)
        elif taker is not None:
            taker(site, one, globs)
        elif name not in _NEEDLESS:
            site.draft.remark(one, _ELSEWHERE.get(name, "there is nothing here that does this"))
    _access(site, access, globs)


def section(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``<Files>`` and its like: what is inside is about some names."""
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
        if not is_hidden and not _closes(site, one, pattern):  # dotfiles are never published
            site.draft.remark(one, 'rules are about globs: path = "*.js"')
        return
    if all(glob.startswith(".") for glob in inner):
        return
    if name == "filesmatch" and ("?i:" in args[-1] or not args[-1].endswith("$")):
        _closes(site, one, args[-1], only_whole=True)  # globs are about fewer names
    take(site, one.block or (), inner)


def _closes(site: Site, section: Statement, pattern: str, only_whole: bool = False) -> bool:
    """Names that match *pattern* are nobody's, where the section keeps some visitors from them.

    Whether that is all that it says.
    """
    rules = [one for one in section.block or () if one.name.lower() in ACCESS]
    who = Who(rules)
    is_whole = len(rules) == len(section.block or ()) and not who.unknown and not who.logins
    # A name has no slash, and stands behind one.
    path = re.sub(r"(?<![\\[])\^", "/", pattern)
    if not (who.is_closed or who.deny or who.logins) or not path or not_re2(path):
        return False
    is_whole &= who.is_closed and not who.allow
    if is_whole or not only_whole:
        site.result.add("redirect", {"from-regex": path, "status": 404}, section.place)
    return is_whole


def index(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``DirectoryIndex``: names of files that stand for their folder."""
    names = [name for name in one.args if not name.endswith((".php", ".cgi", ".pl"))]
    if names and names != ["index.html"]:
        site.result.keys["index"] = names


def options(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``Options``: listings, links, clean URLs."""
    for word in one.args:
        lower = word.lower()
        if lower in ("indexes", "+indexes", "all"):
            site.result.keys["listing"] = True
        elif lower in ("followsymlinks", "+followsymlinks"):
            site.result.keys["follow-symlinks"] = True
        elif lower in ("multiviews", "+multiviews"):
            site.result.keys["clean-urls"] = True
        elif lower.lstrip("+") in ("execcgi", "includes", "includesnoexec"):
            site.draft.remark(one, "pages and programs go out as they are; let an [[app]] answer them")


def error_document(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``ErrorDocument``: the page of a 404 has a name of its own here."""
    if one.args[:1] != ("404",) or len(one.args) != 2 or not one.args[1].startswith("/"):
        site.draft.remark(one, "only 404.html, at the root of the site, is shown for what is not there")
    elif one.args[1] != "/404.html":
        site.draft.remark(one, f"name that file 404.html (here {one.args[1]})")


def add_type(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``AddType``: media types by extension."""
    if len(one.args) < 2:
        site.draft.remark(one, "a type has extensions")
    if "httpd-php" in (one.args[0] if one.args else ""):
        site.hide_php(one, PHP)
        return
    for extension in one.args[1:]:
        site.result.types["." + extension.lstrip(".")] = one.args[0]


def force_type(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``ForceType``: the media type of a section."""
    for glob in globs:
        key = glob[1:] if glob.startswith("*.") else glob
        if "/" in key or not one.args:
            site.draft.remark(one, "a type is given by name: [types] has extensions and names of files")
        else:
            site.result.types[key] = one.args[0]


def header(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``Header``: fields of answers."""
    args = [arg for arg in one.args if arg.lower() not in ("always", "onsuccess")]
    what, name, *values = (*args, "", "")[: max(len(args), 2)]
    what, value = what.lower(), values[0] if values else ""
    if len(values) > 1 or "%{" in value or value.startswith("expr="):
        site.draft.remark(one, "a value is the same for all; an [[app]] can compute one")
    elif name.lower() == "strict-transport-security" and what != "unset":
        site.draft.keys["hsts"] = directives(value)
    elif (
        what in ("set", "add", "append", "merge", "unset")
        and name.lower() not in ("server", "etag")
        and (problem := problem_of(_CHANGES[what], name, value))
    ):
        site.draft.remark(one, problem)
    elif what == "unset":
        if name.lower() not in ("server", "etag"):
            _header(site, globs, {"remove": [name]}, one)
    elif what in ("set", "append", "merge", "add") and value:
        _header(site, globs, {"set" if what == "set" else "add": {name: value}}, one)
    else:
        site.draft.remark(one, "fields are set, added or removed: [[header]]")


def _header(site: Site, globs: tuple[str, ...], change: dict[str, object], one: Statement) -> None:
    for glob in globs:
        site.result.add("header", {"path": glob, **change}, one.place)


def expires_default(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``ExpiresDefault``: a lifetime for a section."""
    _expires(site, one, globs, " ".join(one.args))


def expires_by_type(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``ExpiresByType``: a lifetime by media type."""
    extensions = EXTENSIONS.get(one.args[0].lower() if one.args else "")
    if extensions is None:
        site.draft.remark(one, 'name its files: [[header]] path = "*.EXTENSION"')
    else:
        _expires(site, one, tuple(f"*.{extension}" for extension in extensions), " ".join(one.args[1:]))


def _expires(site: Site, one: Statement, globs: tuple[str, ...], text: str) -> None:
    """What ``Header`` says counts more, and what is said by type more than what is said of all."""
    parts = re.findall(r"([0-9]{1,9})\s{0,9}(year|month|week|day|hour|minute|second)s?", text.lower())
    short = re.fullmatch(r"[amAM]([0-9]{1,9})", text.strip())
    if not parts and short is None:
        site.draft.remark(one, 'write set = { Cache-Control = "max-age=SECONDS" } in a [[header]]')
        return
    seconds = int(short[1]) if short else sum(int(count) * _UNITS[unit] for count, unit in parts)
    value = f"max-age={seconds}" if seconds else "no-cache"
    for glob in globs:
        table = Table({"path": glob, "set": {"Cache-Control": value}}, one.place)
        (site.lifetimes if glob != "/**" else site.lifetime).append(table)


def php(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``php_value``, and handlers of PHP."""
    text = " ".join(one.args).lower()
    if one.name.lower().startswith("php") or "php" in text:
        site.hide_php(one, "PHP is not run here; set it where it runs. An [[access]] hides *.php until they "
                  "are out of the webroot")  # fmt: skip
    elif one.args[:1] not in (("default-handler",), ("None",)):
        site.draft.remark(one, _ELSEWHERE["sethandler"])


def auth_part(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``AuthName`` and ``AuthUserFile``: of the password that a Require asks for."""
    site.auth["realm" if one.name.lower() == "authname" else "users"] = one.args[0] if one.args else ""


def auth_type(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``AuthType``: there is one."""
    if tuple(arg.lower() for arg in one.args) not in (("basic",), ("none",)):
        site.draft.remark(one, "passwords are asked for by Basic, over HTTPS; hash them by htpasswd -B")


def satisfy(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``Satisfy``: every rule has to be passed here."""
    if tuple(arg.lower() for arg in one.args) != ("all",):
        site.draft.remark(one, _ELSEWHERE["satisfy"])


def base(site: Site, one: Statement, globs: tuple[str, ...]) -> None:
    """``RewriteBase``: paths begin at the root of the site."""
    if one.args != ("/",):
        site.draft.remark(one, "paths begin at the root of the site; put the folder before them in each rule")


def _access(site: Site, rules: Sequence[Statement], globs: tuple[str, ...]) -> None:
    """``Require``, and ``Order``, ``Allow`` and ``Deny`` of Apache 2.2."""
    who = Who(rules)
    for each in who.unknown:
        site.draft.remark(each, "who may goes by address and password: [[access]], [[auth]]")
    for each in who.logins:
        _login(site, each, each.args[0].lower(), globs)
    if who.logins and who.has_choice:
        site.draft.remark(who.logins[0], "who has the password or another right: here everybody needs it")
    closed = list(EVERYBODY) if who.is_closed else []
    allow = who.allowed()
    values = {**({"allow": allow} if allow and closed else {}), "deny": [*who.deny, *closed]}
    if rules and not values["deny"] and globs != ("/**",):  # open, whatever is said of all
        values = {"allow": list(EVERYBODY)}
    for glob in globs if any(values.values()) else ():
        site.result.add("access", {"path": glob, **values}, rules[0].place)


def _login(site: Site, one: Statement, kind: str, globs: tuple[str, ...]) -> None:
    if kind != "valid-user":
        site.draft.remark(one, "everybody in the file of users may; give this path a file of its own")
    if not site.auth.get("users"):
        site.draft.remark(one, "a password needs a file of users: AuthUserFile; until then nobody is let in")
        for glob in globs:
            site.result.add("access", {"path": glob, "deny": list(EVERYBODY)}, one.place)
        return
    for glob in globs:
        site.result.add("auth", {"path": glob, **site.auth}, one.place)


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
    "files": section, "filesmatch": section, "if": section, "limit": section,
    "limitexcept": section, "directoryindex": index, "options": options,
    "errordocument": error_document, "addtype": add_type, "forcetype": force_type,
    "header": header, "expiresdefault": expires_default, "expiresbytype": expires_by_type,
    "redirect": redirect, "redirectpermanent": redirect, "redirecttemp": redirect,
    "redirectmatch": redirect_match, "rewritecond": condition, "rewriterule": rewrite_rule,
    "authname": auth_part, "authuserfile": auth_part, "authtype": auth_type,
    "satisfy": satisfy, "rewritebase": base, "php_value": php, "php_flag": php,
    "addhandler": php, "sethandler": php,
}  # fmt: skip


def convert_htaccess(statements: Sequence[Statement]) -> Draft:
    """What the *statements* of an ``.htaccess`` come to."""
    site = Site()
    take(site, statements)
    access = site.result.tables.get("access", [])
    if not any(table.values["path"] == "/**" for table in access):
        access[:] = [table for table in access if "deny" in table.values]
        if not access:
            site.result.tables.pop("access", None)
    else:  # the first that matches counts
        access.sort(key=lambda table: table.values["path"] == "/**")
    for each in site.conditions:
        site.draft.remark(each, "no RewriteRule follows it")
    if site.lifetime or site.lifetimes:
        own = site.result.tables.pop("header", [])
        for table in (*site.lifetime, *site.lifetimes, *own):
            site.result.add("header", table.values, table.place)
    site.draft.remarks = list(dict.fromkeys(site.draft.remarks))
    return site.draft
