"""What an application says of the answer that it is making: :func:`share`, :func:`tag`.

Both only write standard fields into the head of the answer, ``CDN-Cache-Control`` (RFC 9213) and
``Cache-Groups`` (RFC 9875): whatever server runs the application, they do no harm.  For that they have to
know the answer: in an application that the node runs they always do, elsewhere where a middleware of
:mod:`.middleware` is around it.  Outside of an answer they do nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Fields = list[tuple[bytes, bytes]]

#: Characters of the name of a group.
MAX_GROUP = 128
_CDN_CACHE_CONTROL, _GROUPS = b"cdn-cache-control", b"cache-groups"
_INVALIDATION = b"cache-group-invalidation"

_current: ContextVar[Marks | None] = ContextVar("edge.app.marks", default=None)


class Marks:
    """What was said of one answer."""

    __slots__ = ("_told", "groups", "invalidated", "sharing")

    def __init__(self) -> None:
        #: Value of CDN-Cache-Control; b"": none.
        self.sharing = b""
        self.groups: dict[bytes, None] = {}
        #: Groups that changed, where no node can be told of it.
        self.invalidated: dict[bytes, None] = {}
        #: Groups that stand in the head.
        self._told: frozenset[bytes] = frozenset()

    def put_in_force(self) -> None:
        """Have :func:`share` and :func:`tag` mean this answer, for the rest of this task."""
        _current.set(self)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Have :func:`share` and :func:`tag` mean this answer."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def add_to(self, fields: Fields) -> None:
        """Write into *fields*, with names in lower case, what was said."""
        if self.sharing:
            fields[:] = [field for field in fields if field[0] != _CDN_CACHE_CONTROL]
            fields.append((_CDN_CACHE_CONTROL, self.sharing))
        if self.groups:
            fields.append((_GROUPS, _list(self.groups)))
            self._told = frozenset(self.groups)
        if self.invalidated:
            fields.append((_INVALIDATION, _list(self.invalidated)))

    def late(self) -> Fields:
        """Trailers with the groups that were named since the head left, which the edge takes as those before.

        So an answer may begin before it is known what it will be made of.
        """
        late = {group: None for group in self.groups if group not in self._told}
        return [(_GROUPS, _list(late))] if late else []


def share(edge: int, stale: int = 0, error: int = 0) -> None:
    """Let the edge give this answer to everybody, for *edge* seconds.

    For *stale* further seconds it may still do so while it asks anew, for *error* seconds if the application
    fails.  An answer that sets a cookie is never shared.  Browsers go by Cache-Control, as ever.
    """
    marks = _current.get()
    if marks is None:
        return
    said = f"max-age={int(edge)}"
    if stale:
        said += f", stale-while-revalidate={int(stale)}"
    if error:
        said += f", stale-if-error={int(error)}"
    marks.sharing = said.encode("ascii")


def tag(*groups: str) -> None:
    """Say that this answer has *groups*: when one of them changes, it is not true any more."""
    marks = _current.get()
    for group in map(group_name, groups):
        if marks is not None:
            marks.groups[group] = None


def current() -> Marks | None:
    """What is said of the answer that is being made here; None: there is none."""
    return _current.get()


def group_name(group: str) -> bytes:
    """The name of a group as bytes; :class:`ValueError` if it cannot be one."""
    if not group or len(group) > MAX_GROUP or not group.isascii() or not group.isprintable():
        raise ValueError(f"a group has 1 to {MAX_GROUP} printable ASCII characters, not {group[:200]!r}")
    return group.encode("ascii")


def _list(groups: dict[bytes, None]) -> bytes:
    """A list of strings (RFC 9651 section 3.1)."""
    return b", ".join(b'"%b"' % group.replace(b"\\", b"\\\\").replace(b'"', b'\\"') for group in groups)
