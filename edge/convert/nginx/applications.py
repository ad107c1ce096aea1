"""Applications that a server asks, and PHP, which is not run."""

from __future__ import annotations

import re

from edge.convert.networks import EVERYBODY
from edge.convert.nginx.guards import guard
from edge.convert.nginx.places import Location
from edge.convert.nginx.server import Server
from edge.convert.nginx.words import ALL_PATHS, ELSEWHERE, TOLD, VARIABLE
from edge.convert.statements import Statement
from edge.convert.telling import FORWARDED, NOT_TOLD

#: Where names of PHP's sources are, for whoever asks.
PHP = Location("~", r"\.php$", None, None)
WHOLE_PATH = "an application is asked with the whole path; let it expect that (a prefix, a mount point)"


def proxy_pass(server: Server, one: Statement, here: Location) -> None:
    """``proxy_pass``: an application at this tree."""
    _answers_whole(server, here)  # also where it is not understood: its folder was shown to nobody
    text = one.args[0] if one.args else ""
    found = re.fullmatch(r"(https?)://(?:unix:([^:]+)|([^/$]+))(:?/[^$]*)?", text)
    if found is None or VARIABLE.search(text):
        server.draft.remark(one, 'an application is at a known place: to = "http://HOST:PORT"')
        return
    if found[1] == "https":
        server.draft.remark(one, "applications are asked over plain HTTP; put a tunnel before it")
        return
    begins = ("/",) if here.kind == "server" else here.begins()
    if begins is None:
        server.draft.remark(one, 'an application has a tree: [[app]] at = "/PATH"')
        return
    if found[4] not in (None, *begins, *(":" + begin for begin in begins)):
        server.draft.remark(one, WHOLE_PATH)
    place = f"unix:{found[2]}" if found[2] else found[3]
    host = _told_host(server, place, here)
    urls = server.around.upstreams.get(place) or [url_of(place)]
    for begin in begins:
        at = begin.rstrip("/") or "/"
        same = [rule.values for rule in server.rules if rule.name == "app" and rule.values["at"] == at]
        if same and same[0]["to"] != (urls[0] if len(urls) == 1 else urls):
            server.draft.remark(one, f"there is an application at {at} already; a tree has one")
        elif not same:
            server.add("app", {"at": at, "to": urls[0] if len(urls) == 1 else urls, **host}, one, here)


def _answers_whole(server: Server, here: Location) -> None:
    """An application answers in *here*: perhaps everything that no other place takes."""
    is_whole = here.is_whole or (here.kind in ("~", "~*") and here.path in (*ALL_PATHS, "/", "."))
    server.is_proxied_whole |= is_whole and here.statement not in server.named.values()


def proxy_header(server: Server, one: Statement, here: Location) -> None:
    """``proxy_set_header``: what an application is told by itself needs no words."""
    name, value = (*one.args, "", "")[:2]
    if name.lower() == "host" and "$" not in value:
        return  # the table of the application says it
    if name.lower() == "host" and (name.lower(), value) not in TOLD:
        server.draft.remark(one, 'host = "NAME" in [[app]] says which host it is told')
    elif (name.lower(), value) not in TOLD and name.lower() not in FORWARDED:
        server.draft.remark(one, NOT_TOLD)


def _told_host(server: Server, place: str, here: Location) -> dict[str, str]:
    """Which host an application is told, where it is not the visitor's: nginx tells where it asks."""
    said = next((fields for each in here.around() if (fields := _told(each, "proxy_set_header"))), {})
    value = said.get("host", "$proxy_host")
    if value != "$proxy_host":
        return {"host": value} if value and "$" not in value else {}
    name = place.partition(":")[0]
    is_name = "." in name and not re.fullmatch(r"[0-9.]+", name) and place not in server.around.upstreams
    return {"host": place} if is_name else {}


def pass_on(server: Server, one: Statement, here: Location) -> None:
    """``fastcgi_pass`` and its like."""
    _answers_whole(server, here)
    if one.name == "fastcgi_pass":
        hide_php(server, one, here)
    else:
        server.draft.remark(one, ELSEWHERE.get(one.name, "an application is asked over HTTP/1.1"))


def hide_php(server: Server, one: Statement, here: Location | None = None) -> None:
    """PHP is not run, and what it is made of is shown to nobody."""
    server.draft.remark(one, ELSEWHERE["fastcgi_pass"])
    place = here if here is not None and here.kind in ("~", "~*") and here.globs() else PHP
    guard(server, "access", one, place, deny=list(EVERYBODY))


def _told(here: Location, directive: str) -> dict[str, str]:
    """Names, in lower case, and values that *directive* has in one place."""
    found = [one.args for one in here.lines if one.name == directive and len(one.args) == 2]
    return {name.lower(): value for name, value in found}


def url_of(place: str) -> str:
    """``to`` of ``[[app]]`` for a place: ``unix:PATH``, or a host with or without a port."""
    if place.startswith("unix:"):
        return "http+unix:" + place.removeprefix("unix:").rstrip(":")
    return f"http://{place}" if re.search(r":[0-9]+\Z", place) else f"http://{place}:80"
