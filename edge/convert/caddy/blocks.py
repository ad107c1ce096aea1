"""The blocks of a site: directives in the order in which Caddy takes them, and what takes each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cmp_to_key

from edge.convert.caddy import addresses, applications, listeners, shown, who_may
from edge.convert.caddy.matchers import ALL, UNKNOWN, Matcher, named
from edge.convert.caddy.site import CLOSED, ONLY_PATHS, Scope, Site
from edge.convert.caddy.words import ELSEWHERE, LITERAL, NEEDLESS, ORDER, TERMINAL
from edge.convert.statements import TOO_LONG, Statement

#: What the environment, or whoever imports it, puts in.
_FILLED_IN = re.compile(r"\{\$[^{}]*\}|\{%[^{}]*%\}|\{(?:env|file|args|block|blocks)\b[^{}]*\}")
#: Directives whose lines are looked at one by one, or not at all.
_BLOCKS = frozenset(("handle", "handle_path", "route", "handle_errors", "basic_auth", "basicauth"))


def take(site: Site, statements: Sequence[Statement], scope: Scope | None = None) -> None:
    """All *statements* of a block, in the order in which they count."""
    scope = scope or Scope(ALL, {}, [""])
    names = named(statements, scope.names)
    scope = scope._replace(names=names, root=list(scope.root))
    taken = [_matched(one, scope) for one in statements if not one.name.startswith("@")]
    if not scope.is_route:
        taken.sort(key=cmp_to_key(_by_order))
    handled: list[Matcher] = []
    files = [about for one, _, about in taken if one.name in ("file_server", "php_server")]
    if any(one.name in ("route", "abort", "error", "respond", "reverse_proxy") for one, _, _ in taken):
        files = []  # which come before them
    for one, args, about in taken:
        if one.is_too_long:
            site.draft.remark(one, TOO_LONG + f"; {CLOSED}")
            site.close(one, ALL)
            continue
        if unknown := _unknown_word(one):
            _with_a_variable(site, one, about, scope, unknown)
            continue
        mine = about.below(scope.taken).within(scope.about) if scope.taken else about.within(scope.about)
        is_handle = one.name in ("handle", "handle_path")
        # Several "handle" of one matcher are one for Caddy.
        others = [each for each in handled if each != mine] if is_handle else []
        if one.name in TERMINAL and any(each.covers(mine) for each in (*site.claimed, *others)):
            if one.name not in ("handle", "handle_path", "route"):
                site.draft.remark(one, "what counts before it answers all that it is about")
            continue
        _take_one(site, one, args, mine, scope)
        if is_handle:
            handled.append(mine)
            if (
                not mine.is_odd
                and not _is_answered(site, mine)
                and not any(each.covers(about) for each in files)
            ):
                # no other handle is asked
                site.draft.remark(one, "what nothing in it answers is empty in Caddy, and nobody's here")
                site.close(one, mine if mine != ALL else Matcher(("/*",)))


def _is_answered(site: Site, about: Matcher) -> bool:
    return about in site.answered or any(each.covers(about) for each in site.claimed)


def _take_one(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    taker = _TAKERS.get(one.name)
    if one.name in TERMINAL and one.name not in _BLOCKS and one.name not in ("invoke", "php_fastcgi"):
        site.answered.append(about)
    if taker is not None:
        taker(site, one, args, about, scope)
    elif one.name in ELSEWHERE:
        site.draft.remark(one, ELSEWHERE[one.name])
    elif one.name not in NEEDLESS:
        site.draft.remark(
            one, f"there is nothing here that does this, and it may keep visitors out: {CLOSED}"
        )
        site.close(one, about)


def _with_a_variable(site: Site, one: Statement, about: Matcher, scope: Scope, word: str) -> None:
    """With a word of the environment it is not known what it says, but that it may close something."""
    site.draft.remark(one, f"{word} is not known here: write what it comes to")
    if one.name in NEEDLESS or one.name in ("header", "log", "tls", "bind", "encode"):
        site.is_internal |= one.name == "tls"
        if one.name == "bind":
            site.binds.append("127.0.0.1")
        return
    if one.name == "root":
        scope.root[0] = ""
        return
    site.close(
        one,
        about.within(scope.about) if not scope.taken else about.below(scope.taken).within(scope.about),
    )


def _matched(one: Statement, scope: Scope) -> tuple[Statement, tuple[str, ...], Matcher]:
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


def handle(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``handle`` and ``route``: a block of their own."""
    if about.is_odd:
        site.hide(one, about, ONLY_PATHS)
        return
    _inside(site, one.block or (), scope._replace(about=about, is_route=one.name == "route"))


def handle_path(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``handle_path``: the same, but what is inside sees a shorter path."""
    if about.is_odd or len(about.paths) != 1:
        site.hide(one, about, ONLY_PATHS)
        return
    taken = about.paths[0].removesuffix("*").rstrip("/") or "/"
    _inside(site, one.block or (), scope._replace(about=about, taken=taken, is_route=False))
    if about.is_of_paths and not any(each.covers(about) for each in site.claimed):
        site.close(one, about)  # no file of this name is shown


def invoke(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``invoke``: a named route."""
    route = site.routes.get(args[0] if args else "")
    if route is None or route.block is None or site.depth > 20:
        site.hide(one, about, "there is no such route")
        return
    handle(site, one._replace(name="route", block=route.block), (), about, scope)


def _inside(site: Site, statements: Sequence[Statement], scope: Scope) -> None:
    site.depth += 1
    take(site, statements, scope)
    site.depth -= 1


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


_TAKERS = {
    "root": shown.root,
    "fs": shown.fs,
    "file_server": shown.file_server,
    "try_files": shown.try_files,
    "header": shown.header,
    "redir": addresses.redir,
    "rewrite": addresses.rewrite,
    "uri": addresses.uri,
    "reverse_proxy": applications.reverse_proxy,
    "basicauth": who_may.basic_auth,
    "basic_auth": who_may.basic_auth,
    "forward_auth": who_may.forward_auth,
    "tls": listeners.tls,
    "bind": listeners.bind,
    "log": listeners.log,
    "php_fastcgi": applications.php,
    "php_server": applications.php,
    "respond": who_may.respond,
    "error": who_may.respond,
    "abort": who_may.respond,
    "handle": handle,
    "handle_path": handle_path,
    "route": handle,
    "invoke": invoke,
}
