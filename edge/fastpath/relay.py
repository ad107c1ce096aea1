"""The relay of the native fast path: requests passed on to applications, and answers passed back, in C.

``src/edge_relay.h`` tells how.  Here are its calls; what it says to Python comes as :class:`News`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from edge._native import ffi, lib
from edge.fastpath.interface import Held, HeldEnd, News, NewsKind, Waited
from edge.networks import MAPPED, mapped
from edge.shares import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_KINDS = {
    lib.EDGE_NEWS_LOST: NewsKind.LOST,
    lib.EDGE_NEWS_FRAME: NewsKind.FRAME,
    lib.EDGE_NEWS_FAILED: NewsKind.FAILED,
    lib.EDGE_NEWS_ANSWERED: NewsKind.ANSWERED,
    lib.EDGE_NEWS_ROOM: NewsKind.ROOM,
}
_WAITED = {
    Waited.HIT: lib.EDGE_WAITED_HIT,
    Waited.FILLED: lib.EDGE_WAITED_FILLED,
    Waited.COLLAPSED: lib.EDGE_WAITED_COLLAPSED,
}
_ENDS = {
    lib.EDGE_HELD_GONE: HeldEnd.GONE,
    lib.EDGE_HELD_ANSWERED: HeldEnd.ANSWERED,
    lib.EDGE_HELD_HANDED: HeldEnd.HANDED,
    lib.EDGE_HELD_LATER: HeldEnd.LATER,
}


def _texts(texts: Collection[bytes]) -> bytes:
    """As ``edge_passed_rules`` has them."""
    return b"".join(text + b"\0" for text in sorted(texts)) + b"\0"


class NativeRelay:
    """The relay of one fast path; implements :class:`~edge.fastpath.interface.Relay`."""

    def __init__(
        self,
        loop: Callable[[], Any],
        names: Collection[bytes],
        prefixes: Collection[bytes],
        suffixes: Collection[bytes],
    ) -> None:
        """*loop*: the ``edge_loop *``; None: it is closed.

        What visitors may not say to applications: *names*, and what names begin and end with.
        """
        self._of = loop
        self._count = ffi.new("uint32_t *")
        lists = [_texts(texts) for texts in (names, prefixes, suffixes)]
        _number(lib.edge_loop_relay(self._loop, *(part for one in lists for part in (one, len(one)))))

    @property
    def _loop(self) -> Any:
        return self._of()

    def application(self, host: bytes, at: bytes, timeout: float, queue: int) -> int:
        return _number(lib.edge_loop_application(self._loop, host, at, int(timeout * 1000), queue))

    def member(self, speaks_http: bool, at_once: int) -> int:
        return _number(lib.edge_loop_member(self._loop, speaks_http, at_once))

    def carry(self, member: int, fd: int, seconds: float = 0.0) -> int:
        if self._loop is None:
            raise OSError("this fast path is closed")
        return _number(lib.edge_loop_carry(self._loop, member, fd, int(seconds)))

    def wants(self, member: int) -> bool:
        return self._loop is not None and bool(lib.edge_loop_member_wants(self._loop, member))

    def use(self, member: int, used: bool) -> None:
        loop = self._of()
        if loop is not None:
            lib.edge_loop_member_use(loop, member, used)

    def retire(self, carrier: int) -> None:
        if self._loop is not None:
            lib.edge_loop_carrier_retire(self._loop, carrier)

    def retire_all(self, member: int) -> None:
        if self._loop is not None:
            lib.edge_loop_member_retire(self._loop, member)

    def say(self, carrier: int, frame: bytes) -> None:
        if self._loop is not None:
            lib.edge_loop_carrier_say(self._loop, carrier, frame, len(frame))

    def others(self, application: int, unanswered: int, waiting: int) -> None:
        loop = self._of()
        if loop is not None:
            lib.edge_loop_others(loop, application, unanswered, waiting)

    def unanswered(self, application: int) -> int:
        loop = self._of()
        return 0 if loop is None else int(lib.edge_loop_unanswered(loop, application))

    def others_from(self, application: int, network: bytes, unanswered: int) -> None:
        loop = self._of()
        if loop is not None:
            lib.edge_loop_others_from(loop, application, mapped(network), unanswered)

    def unanswered_from(self, application: int, network: bytes) -> int:
        loop = self._of()
        return 0 if loop is None else int(lib.edge_loop_unanswered_from(loop, application, mapped(network)))

    def others_of(self, member: int, unanswered: int) -> None:
        loop = self._of()
        if loop is not None:
            lib.edge_loop_member_others(loop, member, unanswered)

    def unanswered_of(self, member: int) -> int:
        loop = self._of()
        return 0 if loop is None else int(lib.edge_loop_member_unanswered(loop, member))

    def pass_on(self, application: int, name: bytes, sequence: int, seconds: float, secure: bool) -> None:
        if self._loop is not None:
            milliseconds = int(seconds * 1000)
            lib.edge_loop_pass(self._loop, application, name, len(name), sequence, milliseconds, secure)

    def hold(self, holds: bool) -> None:
        if self._loop is not None:
            lib.edge_loop_hold(self._loop, holds)

    def held(self) -> list[Held]:
        loop = self._of()
        if loop is None:
            return []
        told = lib.edge_loop_held(loop, self._count)
        held = []
        for number in range(self._count[0]):
            one = told[number]
            target = ffi.unpack(ffi.cast("char *", one.target), one.length)
            network = bytes(one.network).removeprefix(MAPPED) if one.told_apart else NOBODY
            held.append(Held(one.ticket, one.site, target[: one.path_length], target, network))
        return held

    def is_held(self, ticket: int) -> bool:
        loop = self._of()
        return loop is not None and bool(lib.edge_loop_is_held(loop, ticket))

    def head_of(self, ticket: int) -> bytes:
        loop, length = self._of(), ffi.new("uint64_t *")
        head = ffi.NULL if loop is None else lib.edge_loop_held_head(loop, ticket, length)
        return b"" if head == ffi.NULL else bytes(ffi.buffer(head, length[0]))

    def look(self, ticket: int, waited: Waited) -> HeldEnd:
        loop = self._of()
        return HeldEnd.GONE if loop is None else _ENDS[lib.edge_loop_look(loop, ticket, _WAITED[waited])]

    def let_go(self, ticket: int) -> HeldEnd:
        loop = self._of()
        return HeldEnd.GONE if loop is None else _ENDS[lib.edge_loop_let_go(loop, ticket)]

    def news(self) -> list[News]:
        if self._loop is None:
            return []
        count = ffi.new("uint32_t *")
        told = lib.edge_loop_news(self._loop, count)
        if not count[0]:
            return []
        news = []
        for one in (told[i] for i in range(count[0])):
            data = bytes(ffi.buffer(one.data, one.length)) if one.length else b""
            news.append(News(_KINDS[one.kind], one.member, one.carrier, one.status, data))
        lib.edge_loop_news_taken(self._loop)
        return news


def _number(result: int) -> int:
    """*result*, unless it says what went wrong."""
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result
