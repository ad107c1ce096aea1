"""Stored answers of applications, taken away by hand: by cache group, or by address; on all nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.cache.group_changes import Change
from edge.cache.group_fields import check_groups
from edge.cache.keys import KeyMaker
from edge.config.applications import answering
from edge.errors import EdgeError
from edge.sites import Hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.defer import Deferred

    from edge.config.applications import Application


class NoSuchApplication(EdgeError):
    """Somebody names an application that is not configured."""


class AnswerPurging:
    """*configured*: the applications of this node; *changed*: puts a change in force on all nodes."""

    def __init__(
        self,
        configured: Callable[[], Sequence[Application]],
        changed: Callable[[Change], Deferred[int]],
        hosts: Callable[[], Hosts] = Hosts,
    ) -> None:
        """*hosts*: which hosts are of which site."""
        self._hosts = hosts
        self._configured = configured
        self._changed = changed

    async def groups(self, names: list[str], application: str | None) -> dict[str, Any]:
        """Take away what *application* has said to be in the groups *names*; None: every application."""
        check_groups(frozenset(names))
        known = [one.name for one in self._configured()]
        if not known or application not in (None, *known):
            listed = f"it has {', '.join(known)}" if known else "--app and [[app]] give it some"
            raise NoSuchApplication(f"this node has no application {application or 'at all'}; {listed}")
        meant = known if application is None else [application]
        unsettled = await self._tell([Change(one, frozenset(names)) for one in meant])
        return {"groups": names, "applications": meant, "unsettled": unsettled}

    async def address(self, address: str) -> bool:
        """Take away what is stored of a path and query, in all variants; whether an application has it."""
        prefix, target = site_of(address, self._hosts())
        path, mark, query = target.partition(b"?")
        application = answering(self._configured(), path, prefix) if prefix is not None else None
        if application is None:
            return False
        stored = key_maker(application).address(path, query if mark else None)
        if stored is not None:
            await self._tell([Change(application.name, frozenset(), (stored,))])
        return True

    async def _tell(self, changes: list[Change]) -> int:
        told = [self._changed(change) for change in changes]
        return max([await one for one in told], default=0)


def site_of(address: str, hosts: Hosts) -> tuple[bytes | None, bytes]:
    """(prefix of the site, or None: nobody's; path and query) of an address like ``blog.example.org/a?b``.

    Without a host it is the default site's; a scheme and ``//`` may stand before it.
    """
    text = address.partition("//")[2] if address.startswith(("http://", "https://")) else address
    host, slash, rest = text.encode("utf-8", "surrogateescape").partition(b"/")
    number = hosts.find(host) if host else hosts.default
    return None if number is None else hosts.prefix(number), slash + rest


def key_maker(application: Application) -> KeyMaker:
    """What makes the keys of *application*."""
    vary = [
        (field.encode("ascii"), [one.encode("ascii") for one in values]) for field, values in application.vary
    ]
    return KeyMaker(application.ignore_query, vary, application.site.encode("ascii"))
