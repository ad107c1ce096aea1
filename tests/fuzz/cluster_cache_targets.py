"""What is fuzzed of the lanes of cache groups and of stored answers, and the fields of groups."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from edge.cache.group_changes import Change, Stamp
from edge.cache.group_fields import GroupsError, groups_of
from edge.gossip.coalescing import Coalescing, Offer
from edge.gossip.entries import (
    PASS,
    STORED,
    Applications,
    Done,
    Entry,
    Fill,
    Hot,
    Told,
    Waits,
    Want,
    decode_entry_message,
    encode_entry_message,
)
from edge.gossip.group_messages import (
    Ask,
    Changed,
    Forgotten,
    Greeting,
    Position,
    Settled,
    decode_group_message,
    encode_group_message,
)
from edge.gossip.invalidation import Invalidation
from edge.gossip.packet import LogPosition
from edge.gossip.schema import GossipError

_ENTRY = Entry(b"/a", "shop", ("x",), 200, 5, 60_000, 1, 2, 1_700_000_000, b'"1"', b"",
               ((0, bytes(32), 5, b"Content-Type: text/html\r\n", b""),))  # fmt: skip
_VECTOR = (LogPosition("b", 1, 2),)


def groups(data: bytes) -> None:
    """A field of cache groups that an application sends."""
    with contextlib.suppress(GroupsError):
        for name in groups_of(data.split(b"\n")):
            assert 0 < len(name) <= 128 and name.isascii()


def group_message(data: bytes) -> None:
    """A message of cache groups of another node, into a live core."""
    try:
        found = decode_group_message(data)
    except GossipError:
        return

    def apply(change: Change, origin: str, stamp: Stamp) -> None:
        assert origin in ("a", "b")

    core = Invalidation("a", 5, 4, apply, 10.0, 0.0)
    core.joined("b", 0.0)
    core.connected("b", 0.0)
    core.changed(Change("shop", frozenset({"x"})), 0.5)
    core.receive("b", found, 1.0)
    for step in range(5):
        core.tick(1.0 + step)
        for output in core.outputs():
            sent = getattr(output, "message", None)
            if sent is not None:
                decode_group_message(encode_group_message(sent))


def entry_message(data: bytes) -> None:
    """A message of stored answers of another node, into a live core."""
    try:
        found = decode_entry_message(data)
    except GossipError:
        return
    core = Coalescing("a", lambda name: Offer(_ENTRY, _VECTOR, "a", (b"",)) if name == b"/a" else None)
    core.set_applications(["shop"])
    core.connected("b", 0.0)
    core.want("shop", b"/b", 0.5)
    for _ in range(2):
        core.receive("b", found, 1.0)
    for step in range(5):
        core.tick(1.0 + step)
        for output in core.outputs():
            sent = getattr(output, "message", None)
            if sent is not None:
                decode_entry_message(encode_entry_message(sent))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "groups": groups, "group message": group_message, "entry message": entry_message,
}  # fmt: skip
SEEDS: dict[str, list[bytes]] = {
    "groups": [b'"ranking", "glyph:41";since=4', b'"a"\n"b"', b'("a" "b")', b"token"],
    "group message": [
        encode_group_message(one)
        for one in (
            Greeting(1, 0, 5, 1), Changed(1, 3, "shop", ("x",), (b"/a",)), Changed(1, 4, None, None),
            Settled(5, 1), Forgotten(1, 9), Ask(4), Position(1, 1, 3, True, True),
        )
    ],
    "entry message": [
        encode_entry_message(one)
        for one in (
            Applications(("shop",)), Want(1, "shop", b"/a"), Want(2, "shop", b"/c"), Waits(1), Fill(1),
            Done(1, PASS), Done(1, STORED, _VECTOR, _ENTRY), Told(1, STORED, "b", _VECTOR, _ENTRY),
            Done(1, STORED, _VECTOR, _ENTRY, (b"12345",)), Told(1, STORED, "b", _VECTOR, _ENTRY, (b"12345",)),
            Hot(_VECTOR, (_ENTRY,)),
        )
    ],
}  # fmt: skip
