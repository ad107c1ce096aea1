"""The fields of cache groups: ``Cache-Groups`` and ``Cache-Group-Invalidation`` (RFC 9875).

Both are a List of Strings (structured fields, RFC 9651); parameters mean nothing.  Group names are compared
character by character and belong to one application: no application names another one's.

RFC 9875 section 2 asks for at least 32 groups of 32 characters; :data:`GROUPS` and :data:`GROUP_LENGTH` allow
more.  What goes beyond them, or is no such list, is not guessed at: :class:`GroupsError` says what is wrong.
An answer whose groups cannot be read could not be taken back, so it is not shared; an invalidation that
cannot be read takes back everything of its application.
"""

from __future__ import annotations

from collections.abc import Sequence

from http_sfv.list import List

from edge.errors import EdgeError

CACHE_GROUPS = b"cache-groups"
CACHE_GROUP_INVALIDATION = b"cache-group-invalidation"

#: Groups of one answer.
GROUPS = 64
#: Characters of one group's name.
GROUP_LENGTH = 128
#: Bytes of all lines of one field: what is read in 2 ms, and as much per byte whatever it holds.
FIELD_BYTES = 4096


class GroupsError(EdgeError):
    """A field of cache groups cannot be read, or names more than is kept."""


def groups_of(values: Sequence[bytes]) -> frozenset[str]:
    """The groups in *values*, the values of all lines of one field; empty: there is none.

    >>> sorted(groups_of([b'"ranking", "glyph:41";since=4', b'"ranking"']))
    ['glyph:41', 'ranking']
    """
    value = b", ".join(values)
    if len(value) > FIELD_BYTES:
        raise GroupsError(f"it has {len(value)} bytes, more than {FIELD_BYTES}: name fewer groups")
    if not value.strip(b" \t,"):
        return frozenset()
    members = List()
    try:
        members.parse(value)
    except (ValueError, IndexError) as error:
        raise GroupsError(f"it is no list of strings in double quotes (RFC 9875): {str(error)!a}") from None
    groups = frozenset(_name(member) for member in members)
    check_groups(groups)
    return groups


def check_groups(groups: frozenset[str]) -> None:
    """Raise :class:`GroupsError` for *groups* beyond the limits, wherever they were named."""
    if len(groups) > GROUPS:
        raise GroupsError(f"it names {len(groups)} groups, more than {GROUPS}")
    for group in groups:
        if not 0 < len(group) <= GROUP_LENGTH:
            raise GroupsError(f"the name of a group has 1 to {GROUP_LENGTH} characters, not {len(group)}")
        if not (group.isascii() and group.isprintable()):
            raise GroupsError(f"the name of a group is printable ASCII (RFC 9651), which {group!a} is not")


def _name(member: object) -> str:
    value = getattr(member, "value", None)
    if type(value) is not str:
        raise GroupsError('it names something that is no string: write "ranking", in double quotes')
    return value
