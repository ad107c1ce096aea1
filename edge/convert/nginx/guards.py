"""Who may, and how often: passwords, networks, rates, and what somebody else decides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from edge.convert.networks import EVERYBODY, is_in
from edge.convert.nginx.places import Location, walk
from edge.convert.nginx.server import Server
from edge.convert.nginx.words import ELSEWHERE
from edge.convert.patterns import not_re2
from edge.convert.statements import Statement, number


def auth(server: Server, one: Statement, here: Location) -> None:
    """``auth_basic``: the realm of this place."""
    here.realm, here.guarded = (one.args[0] if one.args else ""), one


def auth_file(server: Server, one: Statement, here: Location) -> None:
    """``auth_basic_user_file``: who may log in here."""
    here.users, here.guarded = (one.args[0] if one.args else ""), here.guarded or one


def logins(server: Server) -> None:
    """Passwords of all places: what each says, or those around it."""
    for here in (server.http, *walk(server.root)):
        if here.guarded is None:
            continue
        realm, users = here.login()
        if realm == "off":
            server.opened.append((here.guarded, here))
        elif realm is not None and users is None:
            server.draft.remark(
                here.guarded,
                "a password needs a file of users: auth_basic_user_file; until then nobody is let in",
            )
            close(server, here.guarded, here)
        elif realm is not None:
            guard(server, "auth", here.guarded, here, realm=realm, users=users)


def guard(server: Server, name: str, one: Statement, here: Location, **values: object) -> None:
    """A rule ``[[name]]`` for the paths of *here*; what globs cannot say is closed, or named."""
    globs = here.globs()
    is_closed = name == "access" and values == {"deny": list(EVERYBODY)}
    closes = name == "auth" or (name == "access" and "deny" in values)
    is_said = globs is not None and here.kind != "~*"
    if not is_said and (is_closed or (closes and globs is None)) and not not_re2(here.path):
        server.add("redirect", {**here.source(), "status": 404}, one, here)
        is_said = is_closed
    if globs is None and not is_said:
        hint = "; until then nobody is let in" if closes and not not_re2(here.path) else ""
        server.draft.remark(one, f'name the paths: [[{name}]] path = "/PATH/**"{hint}')
    elif closes and not is_said:
        server.draft.remark(one, "~* takes names in any case, a glob as it is written: name the others, too")
    for glob in globs or ():
        server.add(name, {"path": glob, **values}, one, here)


def access(server: Server, rules: Sequence[Statement], here: Location) -> None:
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
            server.draft.remark(one, "networks are addresses; a Unix socket has the rights of its file")
        elif not any(is_in(network, other) for other in (*allow, *deny)):  # else that one counted
            (allow if one.name == "allow" else deny).append(network)
    if is_closed:
        values = {"allow": allow, "deny": [*deny, *EVERYBODY]} if allow else {"deny": list(EVERYBODY)}
        guard(server, "access", rules[0], here, **values)
    elif deny:  # with networks that are allowed, the others are not
        values = {"allow": [*allow, *EVERYBODY]} if allow else {}
        guard(server, "access", rules[0], here, **values, deny=deny)
    elif any(one.args[:1] == ("all",) for one in rules):
        if here.kind != "server":
            guard(server, "access", rules[0], here, allow=list(EVERYBODY))
    else:
        server.draft.remark(rules[0], "it keeps nobody out without deny all; write an [[access]]")


def ask_elsewhere(server: Server, one: Statement, here: Location) -> None:
    """``auth_request`` and certificates of visitors: nobody is let in, where somebody else decides."""
    if one.args[:1] == ("off",):
        if any(each is not one and each.name == one.name for place in here.around() for each in place.lines):
            server.draft.remark(one, "a part is open where an [[access]] before the others says so")
        return
    if one.name == "ssl_verify_client" and one.args != ("on",):  # who has none is let in
        server.draft.remark(one, ELSEWHERE[one.name])
        return
    server.draft.remark(one, ELSEWHERE[one.name] + "; until then nobody is let in")
    close(server, one, here)


def close(server: Server, one: Statement, here: Location) -> None:
    """Nobody is let in here, nor in what lies in it."""
    guard(server, "access", one, here, deny=list(EVERYBODY))
    server.nobodys.append(here)


def limit_req(server: Server, one: Statement, here: Location) -> None:
    """``limit_req``: how often an address may ask here; nginx lets one and the burst in."""
    zone = next((arg[5:] for arg in one.args if arg.startswith("zone=")), "")
    burst = next((arg[6:] for arg in one.args if arg.startswith("burst=")), "0")
    rate = re.fullmatch(r"([0-9]{1,9})r/([sm])", server.around.zones.get(zone, ""))
    if rate is None or number(burst) is None:
        server.draft.remark(one, "its zone has no rate by $binary_remote_addr; write a [[rate]]")
        return
    values = {"requests": int(rate[1]), "per": {"s": "second", "m": "minute"}[rate[2]]}
    guard(server, "rate", one, here, **values, burst=(number(burst) or 0) + 1)


def _network(text: str) -> str | None:
    """A network as it is written here, without bits behind its length; None: it is none."""
    try:
        return text if "/" not in text and ip_address(text) else str(ip_network(text, strict=False))
    except ValueError:
        return None
