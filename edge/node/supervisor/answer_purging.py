"""Stored answers of applications, taken away by hand: by cache group, or by address; on all nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.cache.group_changes import Change
from edge.cache.group_fields import check_groups
from edge.cache.keys import KeyMaker
from edge.config.applications import answering
from edge.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.defer import Deferred

    from edge.config.applications import Application


class NoSuchApplication(EdgeError):
    """Somebody names an application that is not configured."""


class AnswerPurging:
    """*configured*: the applications of this node; *changed*: puts a change in force on all nodes."""

    def __init__(
        self, configured: Callable[[], Sequence[Application]], changed: Callable[[Change], Deferred[int]]
    ) -> None:
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
        target = address.encode("utf-8", "surrogateescape")
        path, mark, query = target.partition(b"?")
        application = answering(self._configured(), path)
        if application is None:
            return False
        names = key_maker(application).names(path, query if mark else None)
        await self._tell([Change(application.name, frozenset(), tuple(names))])
        return True

    async def _tell(self, changes: list[Change]) -> int:
        told = [self._changed(change) for change in changes]
        return max([await one for one in told], default=0)


def key_maker(application: Application) -> KeyMaker:
    """What makes the keys of *application*."""
    vary = [
        (field.encode("ascii"), [one.encode("ascii") for one in values]) for field, values in application.vary
    ]
    return KeyMaker(application.ignore_query, vary)
