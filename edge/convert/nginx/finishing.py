"""A server becomes a site: the rules of all its places in order, and what they change of one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edge.addresses import Glob
from edge.convert.draft import SiteDraft
from edge.convert.headers import CACHE_CONTROL, PlaceFields, rules_of
from edge.convert.networks import EVERYBODY
from edge.convert.nginx.applications import PHP
from edge.convert.nginx.guards import logins
from edge.convert.nginx.places import Location, dotfiles_asked_for, leads, walk, weakest_first
from edge.convert.nginx.server import Rule, Server
from edge.convert.patterns import not_re2
from edge.convert.statements import Place

_BROKEN = {"500", "502", "503", "504"}


def finish(server: Server) -> SiteDraft:
    """The site, with the rules and fields of all places."""
    logins(server)
    _hide_dotfiles(server)
    closed = {id(here) for here in server.nobodys}
    server.rules = [
        rule for rule in server.rules
        if rule.name != "access"
        or ("allow" not in rule.values and rule.values["deny"] == list(EVERYBODY))
        or not any(id(place) in closed for place in rule.here.around())
    ]  # fmt: skip
    order = {id(here): number for number, here in enumerate(weakest_first(server.root), 1)}

    def strength(rule: Rule) -> int:
        if rule.name == "app":
            return 0  # the longest path counts, wherever it stands
        if rule.name in ("redirect", "rewrite") and rule.here.kind == "server":
            return len(order) + 1  # a server's own come before its locations
        if rule.here is PHP or any(rule.here is one for one in server.dotfiles):
            return len(order) + 1
        return next((order[id(place)] for place in rule.here.around() if id(place) in order), 0)

    server.rules.sort(key=lambda rule: -strength(rule))  # of one place they stay in order
    _drop_needless(server, strength)
    _say_of_guards(server, order)
    for rule in server.rules:
        server.site.add(rule.name, rule.values, rule.place)
    _fields(server)
    _say_of_files(server)
    return server.site


def _hide_dotfiles(server: Server) -> None:
    """An application is not asked for names that begin with a dot, where nginx does not ask it."""
    if not any(rule.name == "app" for rule in server.rules):
        return
    stronger = [here.path for here in walk(server.root) if here.kind in ("^~", "=")]
    but_well_known = any(path.startswith("/.well-known") for path in stronger)
    for here in server.dotfiles:
        pattern = dotfiles_asked_for(here.path, but_well_known)
        values = {**Location(here.kind, pattern, None, None).source(), "status": 404}
        assert here.statement is not None
        if reason := not_re2(pattern):
            server.draft.remark(here.statement, f"{reason}; an application is asked for it")
        else:
            server.add("redirect", values, here.statement, here)


def _drop_needless(server: Server, strength: Callable[[Rule], int]) -> None:
    """Guards of weaker places for the same paths, and what is open anyway."""
    seen: dict[tuple[str, str], Location] = {}
    kept: list[Rule] = []
    for rule in server.rules:
        if rule.name in ("auth", "access", "rate"):
            owner = seen.setdefault((rule.name, rule.values["path"]), rule.here)
            if owner is not rule.here:
                continue
        kept.append(rule)
    closed = [rule for rule in kept if rule.name == "access" and "deny" in rule.values]
    server.rules = [
        rule for rule in kept
        if rule.name != "access" or "deny" in rule.values
        or any(strength(one) < strength(rule) and _reaches(one, rule) for one in closed)
    ]  # fmt: skip


def _say_of_guards(server: Server, order: dict[int, int]) -> None:
    """Places that nginx leaves open, and that are closed here by a rule around them."""
    auths = [rule for rule in server.rules if rule.name == "auth"]
    for one, here in server.opened:
        if any(rule.here is not here for rule in auths):
            server.draft.remark(
                one, "a part is open where no [[auth]] names it; narrow the path of the other one"
            )
    for here in walk(server.root):
        if here.statement is None or here.kind not in ("", "^~", "=") or here.realm is not None:
            continue
        inside = [rule for rule in auths if rule.here.is_prefix and rule.here not in here.around()
                  and not rule.here.is_whole and here.path.startswith(rule.here.path)]  # fmt: skip
        if inside:
            server.draft.remark(
                here.statement, f"the password of {inside[0].here.path} is asked for here, too"
            )
    rates = [rule for rule in server.rules if rule.name == "rate"]
    whole = [rule for rule in rates if rule.here.is_whole]
    for rule in rates:
        if whole and not rule.here.is_whole and rule.here.statement is not None:
            server.draft.remark(rule.here.statement, "the [[rate]] of all paths holds here, too")


def _fields(server: Server) -> None:
    places: list[PlaceFields] = []
    for here in weakest_first(server.root):
        fields, globs = here.all_fields(), here.globs()
        if globs is None:
            if (here.fields or here.expires) and here.statement is not None:
                server.draft.remark(here.statement, 'fields are set by glob: [[header]] path = "*.js"')
            continue
        if here.kind != "server" and here.adds_nothing(globs, places):
            continue
        places.append(PlaceFields(globs, fields, here.statement.place if here.statement else None))
    tables = rules_of(places)
    own = sum(table["path"] == "/**" for table, _ in tables[:2])
    by_type: list[tuple[dict[str, object], Place | None]] = [
        ({"path": glob, "set": {CACHE_CONTROL: value}}, place) for glob, value, place in server.lifetimes
    ]
    for table, place in [*tables[:own], *by_type, *tables[own:]]:
        server.site.add("header", table, place)


def _say_of_files(server: Server) -> None:
    """Where one answers from files and another one does not: what that changes."""
    redirects = [rule for rule in server.rules if rule.name == "redirect"]
    apps = [rule for rule in server.rules if rule.name == "app"]
    _say_what_redirects_take(server, redirects)
    _say_what_rewrites_miss(server, redirects, apps)
    is_guarded = any(rule.name == "access" for rule in server.rules)
    for one in server.error_pages:
        codes = set(one.args[:-1])
        if (apps and codes & _BROKEN) or (is_guarded and "403" in codes):
            server.draft.remark(
                one, "that somebody may not, or that an application fails, a node says itself"
            )
    if "webroot" in server.site.keys:
        _say_what_files_win_over(server, apps)


def _say_what_redirects_take(server: Server, redirects: Sequence[Rule]) -> None:
    """A redirect of all paths that stands in a location counts before the other locations."""
    of_all = (rule for rule in redirects if rule.values.get("from") == "/*")
    first = next((rule for rule in of_all if rule.values.get("force", True)), None)
    if first is None or first.here.kind == "server":
        return
    for here in walk(server.root):
        if here.statement is not None and here.path != "/" and not leads(here.statement):
            server.draft.remark(here.statement, '[[redirect]] from = "/*" counts for this, too')


def _say_what_rewrites_miss(server: Server, redirects: Sequence[Rule], apps: Sequence[Rule]) -> None:
    """A rewrite leads to files alone."""
    for one, to in server.rewritten:
        begin = to.partition(":")[0]
        at = next((rule.values["at"] for rule in apps if _is_below(begin, rule.values["at"])), "/")
        if at != "/" or any(_is_about(rule.values, begin) for rule in redirects):
            server.draft.remark(
                one,
                "a rewrite leads to a file; what an application or a redirect answers is asked for "
                "by its own address",
            )


def _say_what_files_win_over(server: Server, apps: Sequence[Rule]) -> None:
    """Files win over applications; where one may answer all paths, the folder was shown to nobody."""
    if not server.is_proxied_whole:
        for rule in apps:
            statement = rule.here.statement
            if statement is not None and statement not in server.named.values():
                server.draft.remark(
                    statement,
                    f"files of webroot below {rule.values['at']} win over the application, "
                    "nginx shows none of them: take out what nobody is to see",
                )
        return
    for here in walk(server.root):
        if here.statement is not None and not here.is_whole and here.serves_files():
            server.draft.remark(
                here.statement,
                "files win over an application wherever they are: make a folder of "
                "links to these alone, and name it by webroot, with follow-symlinks = true",
            )
    for key in ("webroot", "index", "fallback", "clean-urls", "listing"):
        server.site.keys.pop(key, None)  # nobody was shown the rest


def _reaches(weaker: Rule, rule: Rule) -> bool:
    """Whether the paths of *weaker* may be some of those of *rule*."""
    if rule.here.kind == "=":
        return Glob(weaker.values["path"]).matches(rule.here.path)
    return not weaker.here.is_prefix or rule.here.path.startswith(weaker.here.path)


def _is_below(path: str, at: str) -> bool:
    return at == "/" or path == at or path.startswith(at + "/")


def _is_about(redirect: dict[str, Any], path: str) -> bool:
    """Whether *redirect* leads who asks for *path* elsewhere, as far as its words tell."""
    source = redirect.get("from", "")
    if not redirect.get("force", True) or not source or source == "/*" or "status" not in redirect:
        return False
    return path == source or (source.endswith("/*") and path.startswith(source[:-1]))
