"""From the directives of one site of a Caddyfile to a draft (sans-IO), as Caddy documents them.

Caddy sorts the directives of a block, and the first that answers a request ends it.  So they are gone through
in that order, and what was answered before is remembered (``claimed``): files are served where a
``file_server`` gets to, and nowhere else.  What Caddy does not show stays closed where paths and networks can
say it, be it that a directive closes it or that one leads elsewhere that is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cmp_to_key
from typing import Any, NamedTuple

from edge.addresses import Glob
from edge.addresses.fields import Change
from edge.addresses.redirects import AddressRule, AddressRules, circles
from edge.convert.caddy_guards import Guard, lies_in, tables_of
from edge.convert.caddy_matchers import ALL, UNKNOWN, Matcher, holds, named, other_cases
from edge.convert.caddy_words import ELSEWHERE, LITERAL, NEEDLESS, ORDER, PROXY_WORDS, TERMINAL
from edge.convert.draft import Draft, Remark, SiteDraft, Table
from edge.convert.headers import problem_of
from edge.convert.statements import TOO_LONG, Place, Statement, directives, number
from edge.errors import ConfigError

#: What the environment, or whoever imports it, puts in.
_FILLED_IN = re.compile(r"\{\$[^{}]*\}|\{%[^{}]*%\}|\{(?:env|file|args|block|blocks)\b[^{}]*\}")
#: What a ``path_regexp`` has found.
_CAPTURE = re.compile(r"\{(?:http\.regexp|re)\.(?:\w+\.)?([0-9])\}")
#: Directives whose lines are looked at one by one, or not at all.
_BLOCKS = frozenset(("handle", "handle_path", "route", "handle_errors", "basic_auth", "basicauth"))
_ONLY_PATHS = "only paths and networks are told apart here"
_CLOSED = "nobody is let in until you say who"


class Scope(NamedTuple):
    """What holds in a block."""

    #: Whom it is about, and the named matchers that are known.
    about: Matcher
    names: dict[str, Matcher]
    #: The folder; "": none was named.
    root: list[str]
    #: What ``handle_path`` has taken away from the paths.
    taken: str = ""
    #: Directives stand in the order in which they count.
    is_route: bool = False


@dataclass
class _Files:
    """Where files are shown."""

    one: Statement
    about: Matcher
    root: str
    taken: str


@dataclass
class Site:
    """One site on its way."""

    draft: Draft
    routes: dict[str, Statement] = field(default_factory=dict)
    site: SiteDraft = field(default_factory=SiteDraft)
    guards: list[Guard] = field(default_factory=list)
    #: What says Strict-Transport-Security.
    hsts: Statement | None = None
    #: ``tls`` with files: certificate and key.
    certificate: tuple[str, str] | None = None
    #: Its certificates are Caddy's own, not of an authority.
    is_internal: bool = False
    #: Addresses of ``bind``.
    binds: list[str] = field(default_factory=list)
    #: Who is answered already, for sure.
    claimed: list[Matcher] = field(default_factory=list)
    #: Who is answered by something, with all conditions.
    answered: list[Matcher] = field(default_factory=list)
    #: Paths of applications that everybody may ask.
    open_paths: list[str] = field(default_factory=list)
    files: list[_Files] = field(default_factory=list)
    #: Applications of a part: their directives, and where.
    apps: list[tuple[Statement, str]] = field(default_factory=list)
    #: By users: the file of passwords.
    passwords: dict[tuple[str, ...], str] = field(default_factory=dict)
    #: What ``uri strip_prefix`` takes away.
    stripped: list[str] = field(default_factory=list)
    #: Rewrites and fallbacks: the directive, and the file.
    led: list[tuple[Statement, str]] = field(default_factory=list)
    depth: int = 0
    #: All paths lead to other files, nobody knows which.
    is_rewritten: bool = False

    # ---- a block ----

    def take(self, statements: Sequence[Statement], scope: Scope | None = None) -> None:
        """All *statements* of a block, in the order in which they count."""
        scope = scope or Scope(ALL, {}, [""])
        names = named(statements, scope.names)
        scope = scope._replace(names=names, root=list(scope.root))
        taken = [self._matched(one, scope) for one in statements if not one.name.startswith("@")]
        if not scope.is_route:
            taken.sort(key=cmp_to_key(_by_order))
        handled: list[Matcher] = []
        files = [about for one, _, about in taken if one.name in ("file_server", "php_server")]
        if any(one.name in ("route", "abort", "error", "respond", "reverse_proxy") for one, _, _ in taken):
            files = []  # which come before them
        for one, args, about in taken:
            if one.is_too_long:
                self.draft.remark(one, TOO_LONG + f"; {_CLOSED}")
                self.close(one, ALL)
                continue
            if unknown := _unknown_word(one):
                self._variable(one, about, scope, unknown)
                continue
            mine = about.below(scope.taken).within(scope.about) if scope.taken else about.within(scope.about)
            is_handle = one.name in ("handle", "handle_path")
            # Several "handle" of one matcher are one for Caddy.
            others = [each for each in handled if each != mine] if is_handle else []
            if one.name in TERMINAL and any(each.covers(mine) for each in (*self.claimed, *others)):
                if one.name not in ("handle", "handle_path", "route"):
                    self.draft.remark(one, "what counts before it answers all that it is about")
                continue
            self._one(one, args, mine, scope)
            if is_handle:
                handled.append(mine)
                if (
                    not mine.is_odd
                    and not self._is_answered(mine)
                    and not any(each.covers(about) for each in files)
                ):
                    # no other handle is asked
                    self.draft.remark(one, "what nothing in it answers is empty in Caddy, and nobody's here")
                    self.close(one, mine if mine != ALL else Matcher(("/*",)))

    def _is_answered(self, about: Matcher) -> bool:
        return about in self.answered or any(each.covers(about) for each in self.claimed)

    def _one(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        taker = _TAKERS.get(one.name)
        if one.name in TERMINAL and one.name not in _BLOCKS and one.name not in ("invoke", "php_fastcgi"):
            self.answered.append(about)
        if taker is not None:
            taker(self, one, args, about, scope)
        elif one.name in ELSEWHERE:
            self.draft.remark(one, ELSEWHERE[one.name])
        elif one.name not in NEEDLESS:
            self.draft.remark(
                one, f"there is nothing here that does this, and it may keep visitors out: {_CLOSED}"
            )
            self.close(one, about)

    def _variable(self, one: Statement, about: Matcher, scope: Scope, word: str) -> None:
        """With a word of the environment it is not known what it says, but that it may close something."""
        self.draft.remark(one, f"{word} is not known here: write what it comes to")
        if one.name in NEEDLESS or one.name in ("header", "log", "tls", "bind", "encode"):
            self.is_internal |= one.name == "tls"
            if one.name == "bind":
                self.binds.append("127.0.0.1")
            return
        if one.name == "root":
            scope.root[0] = ""
            return
        self.close(
            one,
            about.within(scope.about) if not scope.taken else about.below(scope.taken).within(scope.about),
        )

    def _matched(self, one: Statement, scope: Scope) -> tuple[Statement, tuple[str, ...], Matcher]:
        """The arguments of *one* without its matcher, and whom that is about."""
        first = one.args[0] if one.args else ""
        if one.name in LITERAL:
            return one, one.args, ALL
        if first.startswith("@"):
            return one, one.args[1:], scope.names.get(first, UNKNOWN)
        if first == "*":
            return one, one.args[1:], ALL
        least = {"root": 2, "redir": 2, "rewrite": 2}.get(one.name, 1)
        if first.startswith("/") and len(one.args) >= least:
            return one, one.args[1:], Matcher(paths=(first,))
        return one, one.args, ALL

    # ---- who may ----

    def close(self, one: Statement, about: Matcher, status: int = 403) -> None:
        """Nobody has what *about* is about; more than that where paths and networks cannot say it."""
        if about.is_odd:
            about = Matcher(about.paths, about.regexes)
        if status in (404, 410) and about.is_of_paths and not about.is_all:
            plain = [
                path
                for path in about.paths
                if not re.search(r"[\[\]\\{}%?]", path) and not (path.startswith("*") and path.rfind("/") < 1)
            ]
            for path in plain:
                self.site.add("redirect", {**_source(path), "status": status}, one.place)
            about = replace(about, paths=tuple(path for path in about.paths if path not in plain))
            self._other_cases(plain, one.place)
            if about.is_all:
                return
        for regex in about.regexes:
            self.site.add("redirect", {"from-regex": regex, "status": 404}, one.place)
            if not about.is_of_paths:
                self.draft.remark(one, f"who may goes by globs, not by regular expressions: {_CLOSED}")
        allow = list(about.outside) if about.inside is None else None
        deny = [] if about.inside is None else list(about.inside)
        if about.inside == ():  # in both of two networks that have nothing in common
            return
        if about.paths or not about.regexes:
            self._guard(about, allow, deny, one.place)

    def only(self, one: Statement, about: Matcher) -> None:
        """What *about* is about is for its networks alone."""
        if about.inside is not None:
            inside = Matcher(about.paths, about.regexes, outside=about.inside, but=about.but)
            self.close(one, inside)
        if about.outside:
            self.close(one, Matcher(about.paths, about.regexes, inside=about.outside, but=about.but))

    def _guard(self, about: Matcher, allow: list[str] | None, deny: list[str], place: Place) -> None:
        for glob in about.globs:
            guard = Guard(glob, allow, deny, place)
            but = [*about.but, *(self.open_paths if about.is_all and allow != [] else ())]
            for inner in dict.fromkeys(Matcher((path,)).globs[0] for path in but):
                if lies_in(inner, glob) and inner != glob:
                    self.guards.append(Guard(inner, None, [], place, guard))
            self.guards.append(guard)
        self._other_cases(about.paths, place)
        for prefix in self.stripped if about.paths else ():
            for glob in about.below(prefix).globs:
                self.guards.append(Guard(glob, allow, deny, place))

    def _other_cases(self, paths: Sequence[str], place: Place) -> None:
        """Caddy takes a path in any case: what is another one here is nobody's."""
        for path in paths:
            if pattern := other_cases(path):
                self.site.add("redirect", {"from-regex": pattern, "status": 404}, place)

    def hide(self, one: Statement, about: Matcher, why: str) -> None:
        """What a directive answers that is not understood; the files there were seen by nobody."""
        if about.is_partial and not about.is_guard:
            self.draft.remark(one, why)
            return
        if about.is_all and about.is_of_paths:
            self.draft.remark(one, why)
            self.claimed.append(about)
            return
        self.draft.remark(one, f"{why}; until then {_CLOSED.replace(' until you say who', '')}")
        self.close(one, about)

    def respond(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``respond``, ``error``, ``abort``: that somebody may not, that nothing is there, or an answer."""
        status = _status_of(one, args)
        if about.is_of_paths:
            self.claimed.append(about)
        if status is None or status < 400:
            why = "an answer of its own: write it as a file, or let an [[app]] give it"
            self.hide(one, about, why)
            return
        if about.is_all and about.is_of_paths:  # what nothing before it has answered, which is nothing here
            if len(args) > 1 or one.block:
                self.draft.remark(one, "a node has words of its own for it; name a page 404.html")
            return
        if (
            about.is_partial
            and not about.is_guard
            and about.is_all
            and about.inside is None
            and not about.outside
        ):
            self.draft.remark(one, f"{_ONLY_PATHS}: those are let in")
            return
        if about.is_odd:
            self.draft.remark(one, f"{_ONLY_PATHS}: {_CLOSED}")
        elif (len(args) > 1 or one.block) and one.name == "respond":
            self.draft.remark(one, "a node has words of its own for it")
        self.close(one, about, status)

    def basic_auth(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``basic_auth``: a password, of users in a file for them alone."""
        realm = (
            args[1] if len(args) > 1 and args[1].isprintable() and 0 < len(args[1]) <= 128 else "Restricted"
        )
        users = tuple(" ".join((each.name, *each.args)) for each in one.block or ())
        file = self.passwords.setdefault(
            users, "htpasswd" + f"-{len(self.passwords) + 1}" * bool(self.passwords)
        )
        names = ", ".join(each.name for each in one.block or ())
        more = "" if about.is_of_paths else f"; {_ONLY_PATHS}, so that everybody needs it"
        self.draft.remark(
            one, f"put the users into a file {file}, a line NAME:HASH each ({names[:80]}){more}"
        )
        for regex in about.regexes:
            self.site.add("redirect", {"from-regex": regex, "status": 404}, one.place)
        for glob in about.globs if about.paths or not about.regexes else ():
            known = [
                table.values
                for table in self.site.tables.get("auth", ())
                if table.values["users"] != file and _meet(table.values["path"], glob)
            ]
            if known:
                self.draft.remark(
                    one,
                    f"of two passwords for one path one counts here ({known[0]['path']}): "
                    "name in each file those alone who have both",
                )
            self.site.add("auth", {"path": glob, "users": file, "realm": realm}, one.place)
        self._other_cases(about.paths, one.place)
        for prefix in self.stripped if about.paths else ():
            for glob in about.below(prefix).globs:
                self.site.add("auth", {"path": glob, "users": file, "realm": realm}, one.place)

    def forward_auth(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``forward_auth``: somebody else decides."""
        self.draft.remark(
            one, f"let the application that decides answer that part itself: an [[app]]; {_CLOSED}"
        )
        self.close(one, about)

    # ---- files ----

    def root(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``root``: the folder of what follows."""
        if len(args) != 1 or "{" in args[0]:
            self.draft.remark(one, "a site has one folder: name it by webroot")
            scope.root[0] = ""
        elif about != scope.about:
            self.hide(one, about, "a site has one folder; put a link into it, and say follow-symlinks = true")
        else:
            scope.root[0] = args[0]

    def fs(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``fs``: another file system, whose folders are none here."""
        self.draft.remark(one, "files are those of this machine: name the folder by webroot")
        scope.root[0] = ""

    def file_server(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``file_server``: files are shown here."""
        block = one.block or ()
        root = next((each.args[0] for each in block if each.name == "root" and each.args), scope.root[0])
        if about.is_odd:
            self.hide(one, about, _ONLY_PATHS)
            return
        for each in block:
            if each.name == "hide":
                for name in each.args:
                    self._hidden(each, name, root)
            elif each.name == "index":
                self.site.keys["index"] = list(each.args)
            elif each.name not in ("browse", "precompressed", "pass_thru", "root", "etag_file_extensions"):
                self.draft.remark(each, "there is nothing here that does this")
        if "browse" in args or any(each.name == "browse" for each in block):
            self.site.keys["listing"] = [*self.site.keys.get("listing", ()), *about.globs]
        if "{" in root:
            self.draft.remark(one, "a site has one folder: name it by webroot")
            root = ""
        if any(each.name == "fs" for each in block):
            root = ""
        self.files.append(_Files(one, about, root, scope.taken))
        if about.is_of_paths and not any(each.name == "pass_thru" for each in block):
            self.claimed.append(about)

    def _hidden(self, one: Statement, name: str, root: str) -> None:
        """A file that is shown to nobody, wherever it is, or at one place."""
        if "{" in name:
            self.draft.remark(one, f"{name} is not known here: what is hidden is told by [[access]]")
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
            self.draft.remark(one, f"{name}: what is hidden is a path of the site here; look whether it is")
            inside = text.lstrip("./").rstrip("/")
            globs = [f"/**/{inside}", f"/**/{inside}/**"] if inside else ["/**"]
        for glob in globs:
            self.guards.append(Guard(glob, [], [], one.place))

    def try_files(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``try_files``: clean URLs, and what is shown for what is not there."""
        if not about.is_of_paths or scope.taken:
            self.draft.remark(one, f"{_ONLY_PATHS}: write a [[rewrite]] for it")
            return
        for each in one.block or ():
            self.draft.remark(each, "the first that is there counts")
        for word in args:
            if word in ("{path}", "{path}/", "{path}/index.html", "=404", "{file}"):
                continue
            if word == "{path}.html":
                self.site.keys["clean-urls"] = True
            elif word.startswith("/") and "{" not in word and "?" not in word and word == args[-1]:
                self._fallback(one, word, about)
            else:
                self.draft.remark(one, f"{word}: write a [[rewrite]] for it")

    def _fallback(self, one: Statement, word: str, about: Matcher) -> None:
        self.led.append((one, word))
        if about.is_all:
            self.site.keys["fallback"] = word
            return
        for path in about.paths:
            self._address("rewrite", one, {**_source(path), "to": word})

    def finish_files(self, is_whole_app: bool) -> None:
        """The folder of the site: that of the ``file_server`` that gets to all that nothing else answers."""
        whole = [each for each in self.files if each.about.is_all and not each.taken]
        whole.sort(key=lambda each: not each.about.is_of_paths)
        if is_whole_app or self.is_rewritten:
            whole = []
        chosen = whole[0] if whole else None
        if chosen is not None and not chosen.root:
            self.draft.remark(chosen.one, "which folder it shows is not said here: name it by webroot")
        for each in self.files:
            if each is chosen or (
                chosen is not None and each.root == chosen.root and not each.taken and each.about.is_of_paths
            ):
                continue
            if chosen is None:
                self.draft.remark(
                    each.one,
                    "only these are files, and files win over all else: make a folder of links "
                    "to them alone, and name it by webroot, with follow-symlinks = true",
                )
                continue
            self.draft.remark(
                each.one,
                "a site has one folder; put a link into it, and say follow-symlinks = true; "
                "until then nobody is let in",
            )
            self.close(each.one, each.about if not each.about.is_all else Matcher(("/*",)))
        if chosen is None or not chosen.root:
            for key in ("index", "listing", "fallback", "clean-urls"):
                self.site.keys.pop(key, None)
            return
        self.site.keys = {"webroot": chosen.root, **self.site.keys}
        self.only(chosen.one, chosen.about)
        for path in chosen.about.but:
            if not any(holds(f"{at.rstrip('/')}/*", path) for _, at in self.apps):
                self.close(chosen.one, Matcher((path,)))
        for one, at in self.apps:
            self.draft.remark(
                one,
                f"files of webroot below {at} win over the application, Caddy shows none of them: "
                "take out what nobody is to see",
            )

    # ---- applications ----

    def reverse_proxy(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``reverse_proxy``: an application at a tree."""
        block = one.block or ()
        places = [*args, *[arg for each in block if each.name == "to" for arg in each.args]]
        to = [_upstream(place) for place in places]
        ats = [_at(path) for path in about.paths] or ["/"]
        if about.is_odd:
            self.hide(one, about, _ONLY_PATHS)
            return
        if not to or None in to or about.regexes or None in ats:
            why = 'an application is asked over plain HTTP: to = "http://HOST:PORT", at = "/PATH"'
            self.hide(one, about, why)
            self.claimed += [about] if about.is_of_paths else []
            return
        if about.but:
            self.draft.remark(
                one, f"an application has a whole tree: of {', '.join(about.but)[:80]} {_CLOSED}"
            )
            self.close(one, Matcher(about.but))
        host: dict[str, str] = {}
        for each in block:
            self._proxied(each, host)
        if scope.taken or self.stripped:
            self.draft.remark(
                one, "an application is asked with the whole path; let it expect that (a prefix)"
            )
        probes = [
            each.args[0]
            for each in block
            if each.name == "health_uri" and each.args[:1] and each.args[0][0] == "/"
        ]
        known = {table.values["at"]: table.values for table in self.site.tables.get("app", ())}
        for at in ats:
            values: dict[str, Any] = {"at": at, "to": to[0] if len(to) == 1 else to, **host}
            if at in known:
                if known[at]["to"] != values["to"]:
                    self.draft.remark(one, f"there is an application at {at} already; a tree has one")
            else:
                self.site.add("app", {**values, **({"probe": probes[0]} if probes else {})}, one.place)
                self.apps += [(one, str(at))] if at != "/" else []
        for path in about.paths:  # what a tree has besides was not asked of it
            stem = re.escape(path.removesuffix("*"))
            if not path.endswith("/*"):
                rest = f"^{stem}[^/]" if path.endswith("*") else f"^{stem}/"
                self.site.add("redirect", {"from-regex": rest, "status": 404}, one.place)
        self.only(one, about)
        if about.is_of_paths:
            self.claimed.append(about)
            self.open_paths += about.paths

    def _proxied(self, each: Statement, host: dict[str, str]) -> None:
        """A line of the block of a ``reverse_proxy``."""
        words = (each.name, *(arg.lower() for arg in each.args))
        if each.name == "header_up" and words[1:2] == ("host",) and len(each.args) == 2:
            if "{" not in each.args[1]:
                host["host"] = each.args[1]
            elif each.args[1] not in (
                "{host}",
                "{http.request.host}",
                "{hostport}",
                "{http.request.hostport}",
            ):
                self.draft.remark(each, 'host = "NAME" in [[app]] says which host it is told')
        elif each.name == "header_up" and words[1:2] and words[1].lstrip("+-") in PROXY_WORDS["header_up"]:
            return
        elif each.name not in PROXY_WORDS["needless"]:
            self.draft.remark(
                each, "an application is asked with what the visitor sent, and answers as it does"
            )

    def php(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """PHP is not run, and what it is made of is shown to nobody."""
        self.draft.remark(
            one,
            'PHP is not run here: let FrankenPHP be an [[app]] with to = "http://127.0.0.1:PORT", and '
            "take the *.php out of the webroot, which an [[access]] hides until then",
        )
        self.close(one, Matcher(("*.php",)))
        if one.name == "php_server":
            self.file_server(one._replace(block=None), (), about, scope)

    # ---- addresses ----

    def redir(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``redir``: a redirect."""
        to, code = (args[0] if args else ""), (args[1] if len(args) > 1 else "302")
        status = {"permanent": 301, "temporary": 302, "html": 302}.get(code, number(code) or 0)
        if about.is_of_paths and about.is_all and re.fullmatch(r"https://\{(?:host|hostport)\}\{uri\}", to):
            self.draft.keys["redirect-https"] = True
            self.claimed.append(about)
            return
        if status not in (301, 302, 303, 307, 308):
            self.hide(one, about, "a redirect has the status 301, 302, 303, 307 or 308")
            return
        if not about.is_of_paths:
            self.hide(one, about, "redirects go by path alone")
            return
        self.claimed.append(about)
        for path in about.paths or ("/*",) * (not about.regexes):
            target, is_tree = to, path.endswith("*")
            if to.endswith("{uri}"):
                base = to.removesuffix("{uri}")
                target = base + (path[:-1] if path.endswith("/*") else path) + ":splat" * path.endswith("/*")
                is_tree = is_tree and not path.endswith("/*")
            if "{" in target or not re.match(r"/|https?://", target) or (to.endswith("{uri}") and is_tree):
                self.hide(
                    one,
                    Matcher((path,)) if path != "/*" else ALL,
                    'an address is made of captures alone: from = "/old/*", to = "/new/:splat"',
                )
            else:
                self._address("redirect", one, {**_source(path), "to": target, "status": status})
        scheme = re.match(r"https?://[^/{]*", to)
        begin = scheme[0] if scheme else ""
        to = begin + _CAPTURE.sub(r":\1", to[len(begin) :].replace(":", "%3A"))
        for regex in about.regexes:
            if "{" in to or not re.match(r"/|https?://", to):
                self.hide(one, Matcher(regexes=(regex,)), "an address is made of captures alone")
            else:
                self._address("redirect", one, {"from-regex": regex, "to": to, "status": status})

    def rewrite(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``rewrite``: another file at this address."""
        to = args[-1] if args else ""
        if (
            not about.is_of_paths
            or about.regexes
            or scope.taken
            or "{" in to
            or not to.startswith("/")
            or "?" in to
        ):
            if about == ALL:  # which files are shown is not known
                self.is_rewritten = True
                self.draft.remark(one, "a rewrite leads from a path to a file: from, to")
            else:
                self.hide(one, about, "a rewrite leads from a path to a file: from, to")
            return
        for path in about.paths or ("/*",):
            self._address("rewrite", one, {**_source(path), "to": to, "force": True})
            self.led.append((one, to))

    def _address(self, name: str, one: Statement, values: dict[str, Any]) -> None:
        """A redirect or a rewrite, if it is one."""
        source = values.get("from", "")
        try:
            rule = AddressRule(
                source,
                values.get("from-regex", ""),
                values["to"],
                values.get("status", 200),
                values.get("force", True),
                place=str(one.place),
            )
            rule.check()
            problem = next(circles(AddressRules((rule,))), "")
        except ConfigError as error:
            problem = str(error)
        if problem and (regex := values.get("from-regex")):
            self.hide(one, Matcher(regexes=(regex,)), problem)
        elif problem:
            self.hide(one, Matcher((source,)) if source != "/*" else ALL, problem)
        else:
            self.site.add(name, values, one.place)

    def uri(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``uri``: what counts later sees another path."""
        if (
            args[:1] == ("strip_prefix",)
            and len(args) == 2
            and args[1].startswith("/")
            and "{" not in args[1]
        ):
            self.stripped.append(args[1])
            self.hide(
                one, replace(about, paths=(args[1].rstrip("/") + "/*",), regexes=()), ELSEWHERE["uri_strip"]
            )
        else:
            self.draft.remark(one, ELSEWHERE["uri_strip"])

    # ---- fields, and the rest ----

    def header(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``header``: fields of answers."""
        if not about.is_of_paths or about.regexes:
            self.draft.remark(one, "only paths are told apart here, not other things that requests say")
            return
        lines = [args] if args else []
        lines += [(each.name, *each.args) for each in one.block or () if each.name not in ("defer", "match")]
        for each in one.block or ():
            if each.name == "match":
                self.draft.remark(each, "fields go by path alone")
                return
        table: dict[str, dict[str, object]] = {"set": {}, "add": {}}
        removed: list[str] = []
        for name, *values in lines:
            if len(values) > 1 or any("{" in value for value in values):
                self.draft.remark(one, "a value is the same for all; an [[app]] can compute one")
            elif name.startswith("-") and not values:
                if name[1:].lower() == "server":
                    continue
                if problem := problem_of("remove", name[1:]) or ("name them one by one" * ("*" in name)):
                    self.draft.remark(one, problem)
                else:
                    removed.append(name[1:])
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
        for glob in about.globs if values_of else ():
            self.site.add("header", {"path": glob, **values_of}, one.place)

    def tls(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``tls``: certificates, and those of visitors."""
        for each in one.block or ():
            if each.name != "client_auth":
                continue
            mode = next(
                (line.args[0] for line in each.block or () if line.name == "mode" and line.args), "require"
            )
            if mode in ("request", "verify_if_given"):  # who has none is let in
                self.draft.remark(
                    each, "visitors are not asked for certificates here; whoever has none was let in, too"
                )
            else:
                self.draft.remark(each, f"visitors are not asked for certificates here: {_CLOSED}")
                self.close(each, ALL)
        if any("{" in arg for arg in args):
            self.draft.remark(one, "a certificate is a file: name it")
        elif len(args) == 2:
            self.certificate = (args[0], args[1])
        elif args == ("internal",):
            self.is_internal = True
            self.draft.remark(
                one,
                "Caddy signs a certificate of its own here; name one: "
                'listen = ["tls:443:privateKey=FILE:certKey=FILE"]',
            )
        elif len(args) == 1 and "@" in args[0]:
            self.draft.keys["acme-email"] = args[0]
        elif args or any(each.name != "client_auth" for each in one.block or ()):
            self.draft.remark(
                one, 'certificates: tls-auto, or listen = ["tls:443:privateKey=FILE:certKey=FILE"]'
            )

    def bind(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``bind``: where it listens."""
        self.binds += args

    def log(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``log``: the access log of the node."""
        for each in one.block or ():
            if (
                each.name == "output"
                and each.args[:1] == ("file",)
                and each.args[1:]
                and "{" not in each.args[1]
            ):
                known = self.draft.keys.setdefault("access-log", each.args[1])
                if known != each.args[1]:
                    self.draft.remark(each, f"a node has one access log, here {known}; it names the host")
            elif each.name == "output" and each.args[:1] in (("stdout",), ("stderr",)):
                self.draft.keys["access-log"] = "-"
            elif each.name == "format" and each.args[:1] == ("json",):
                pass  # it is so by itself
            elif each.name not in ("level", "roll_size", "roll_keep"):
                self.draft.remark(each, 'a line is "combined", "common" or "json": access-log-format')

    def handle(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``handle`` and ``route``: a block of their own."""
        if about.is_odd:
            self.hide(one, about, _ONLY_PATHS)
            return
        self._inside(one.block or (), scope._replace(about=about, is_route=one.name == "route"))

    def handle_path(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``handle_path``: the same, but what is inside sees a shorter path."""
        if about.is_odd or len(about.paths) != 1:
            self.hide(one, about, _ONLY_PATHS)
            return
        taken = about.paths[0].removesuffix("*").rstrip("/") or "/"
        self._inside(one.block or (), scope._replace(about=about, taken=taken, is_route=False))
        if about.is_of_paths and not any(each.covers(about) for each in self.claimed):
            self.close(one, about)  # no file of this name is shown

    def invoke(self, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
        """``invoke``: a named route."""
        route = self.routes.get(args[0] if args else "")
        if route is None or route.block is None or self.depth > 20:
            self.hide(one, about, "there is no such route")
            return
        self.handle(one._replace(name="route", block=route.block), (), about, scope)

    def _inside(self, statements: Sequence[Statement], scope: Scope) -> None:
        self.depth += 1
        self.take(statements, scope)
        self.depth -= 1

    # ---- the end ----

    def finish(self, own_files: Sequence[str]) -> None:
        """What is known when the last directive was taken; *own_files*: the configuration, hidden."""
        self.finish_files(any(table.values["at"] == "/" for table in self.site.tables.get("app", ())))
        root = self.site.keys.get("webroot", "")
        for name in own_files if root else ():
            last = name.rpartition("/")[2]
            if not root.startswith("/") or name.startswith(root.rstrip("/") + "/"):
                self.guards.append(Guard(last, [], [], Place(name, 1)))
        self._circles()
        tables = tables_of(self.guards)
        self._unlead(tables)
        if tables:
            self.site.tables["access"] = tables
        if auths := self.site.tables.get("auth"):
            auths.sort(key=lambda table: -len(Glob(table.values["path"]).prefix))

    def _unlead(self, tables: Sequence[Table]) -> None:
        """What leads to a file that is not for everybody is left out: here the address decides who may."""
        guarded = [
            Glob(table.values["path"])
            for table in (*tables, *self.site.tables.get("auth", ()))
            if table.values["path"] != "/**" and {"deny", "users"} & table.values.keys()
        ]
        gone = [
            rule
            for table in self.site.tables.get("redirect", ())
            if "to" not in table.values
            for rule in (AddressRule(table.values.get("from", ""), table.values.get("from-regex", "")),)
        ]
        for one, to in self.led:
            is_closed = any(glob.matches(to) for glob in guarded) or any(
                rule.pattern.match(to) is not None for rule in gone
            )
            rules = self.site.tables.get("rewrite", [])
            if not is_closed:
                continue
            self.draft.remark(
                one, f"{to} is not for everybody, and who may goes by the address that is asked for"
            )
            rules[:] = [table for table in rules if table.values["to"] != to]
            if not rules:
                self.site.tables.pop("rewrite", None)
            if self.site.keys.get("fallback") == to:
                del self.site.keys["fallback"]

    def _circles(self) -> None:
        """Redirects that lead round in a circle are named, and left out, all of them."""
        tables = self.site.tables.get("redirect", [])
        rules = AddressRules(
            tuple(
                AddressRule(
                    table.values.get("from", ""),
                    table.values.get("from-regex", ""),
                    table.values.get("to", ""),
                    table.values["status"],
                    place=str(table.place),
                )
                for table in tables
            )
        )
        if found := list(circles(rules)):
            for table in [table for table in tables if "to" in table.values]:
                if table.place is not None and any(str(table.place) in each for each in found):
                    self.draft.remarks.append(Remark(table.place, "redir", found[0]))
                    tables.remove(table)
                    source = table.values.get("from", "*")
                    self.guards.append(Guard(Matcher((source,)).globs[0], [], [], table.place))


def _by_order(
    ours: tuple[Statement, tuple[str, ...], Matcher], theirs: tuple[Statement, tuple[str, ...], Matcher]
) -> int:
    """Caddy's order: by directive, then the longer path first, and last what is about everything."""
    ranks = [ORDER.get(each[0].name, len(ORDER)) for each in (ours, theirs)]
    if ranks[0] != ranks[1]:
        return ranks[0] - ranks[1]
    one, other = ours[2], theirs[2]
    if len(one.paths) == len(other.paths) == 1:
        plain = [each.paths[0].removesuffix("*") for each in (one, other)]
        if plain[0] == plain[1]:
            return len(one.paths[0]) - len(other.paths[0])
        return len(other.paths[0]) - len(one.paths[0])
    return (one == ALL) - (other == ALL)


def _unknown_word(one: Statement) -> str:
    """A word of *one* that somebody else fills in; "": there is none."""
    own = one.block if one.name not in _BLOCKS else ()
    for text in (one.name, *one.args):
        if found := _FILLED_IN.search(text):
            return found[0]
    return next((word for each in own or () if (word := _unknown_word(each))), "")


def _status_of(one: Statement, args: tuple[str, ...]) -> int | None:
    """The status of an answer; None: it is not known."""
    if one.name == "abort":
        return 404
    if any("{" in arg for arg in args[-1:]):
        return 500 if one.name == "error" else None
    known = [number(arg) for arg in args if re.fullmatch("[1-9][0-9][0-9]", arg)]
    default = 500 if one.name == "error" else 200
    return (known[-1] if known else default) or default


def _meet(glob: str, other: str) -> bool:
    ours, theirs = Glob(glob), Glob(other)
    return ours.prefix.startswith(theirs.prefix) or theirs.prefix.startswith(ours.prefix)


def _source(path: str) -> dict[str, str]:
    """The pattern *path* as ``from``, or as a regular expression."""
    if re.fullmatch(r"/[A-Za-z0-9/._~-]*", path) or re.fullmatch(r"/(?:[A-Za-z0-9/._~-]*/)?\*", path):
        return {"from": path}
    begin = "" if path.startswith("*") else "^"
    body = "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", path.strip("*")))
    return {"from-regex": begin + body + ("" if path.endswith("*") else "$")}


def _at(path: str) -> str | None:
    """The tree of an application; None: it is none."""
    at = path.removesuffix("*").rstrip("/") or "/"
    return (
        at
        if re.fullmatch(r"/[A-Za-z0-9/._~-]*", at) and "//" not in at and not holds("/.edge/*", at + "/")
        else None
    )


def _upstream(place: str) -> str | None:
    if place.startswith("unix/"):
        return "http+unix:" + place.removeprefix("unix/")
    found = re.fullmatch(r"(?:http://)?([A-Za-z0-9._-]*|\[[0-9A-Fa-f:]+\]):?([0-9]{0,5})", place)
    if (
        found is None
        or not (found[1] or found[2])
        or found[2] == "443"
        or int(found[2] or 80) not in range(1, 65536)
    ):
        return None
    return f"http://{found[1] or '127.0.0.1'}:{found[2] or 80}"


_TAKERS = {
    "root": Site.root,
    "fs": Site.fs,
    "file_server": Site.file_server,
    "try_files": Site.try_files,
    "header": Site.header,
    "redir": Site.redir,
    "rewrite": Site.rewrite,
    "uri": Site.uri,
    "reverse_proxy": Site.reverse_proxy,
    "basicauth": Site.basic_auth,
    "basic_auth": Site.basic_auth,
    "forward_auth": Site.forward_auth,
    "tls": Site.tls,
    "bind": Site.bind,
    "log": Site.log,
    "php_fastcgi": Site.php,
    "php_server": Site.php,
    "respond": Site.respond,
    "error": Site.respond,
    "abort": Site.respond,
    "handle": Site.handle,
    "handle_path": Site.handle_path,
    "route": Site.handle,
    "invoke": Site.invoke,
}
