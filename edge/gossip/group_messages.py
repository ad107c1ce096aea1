"""What nodes tell each other of cache groups that have changed, on the wire (stream lane 5).

MessagePack arrays with a tag first, positions append-only.  Each node numbers its own changes; nobody passes
on what another one changed::

    ["greeting", generation, former, of, position]    whose log mine is, and how far I have yours
    ["changed", generation, sequence, application, groups, addresses]   a change; nil: all of them
    ["settled", generation, sequence]                 your change is in force here
    ["forgotten", generation, sequence, applications] my changes up to this one, as far as you lack them; nil:
                                                      nobody knows of which applications
    ["ask", number]                                   do I have everything?
    ["position", generation, number, sequence, leaves, apart]   you should have this much; and whether I go
                                                      now, or know of a node that is dead

A log begins anew with each life of its node, its *generation*, which every message about a log names: two
streams between two nodes may deliver in another order, and what a former life said may arrive after it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.cache.group_changes import MOST_ADDRESSES, Change
from edge.cache.group_fields import GROUP_LENGTH, GROUPS
from edge.cache.keys import LONGEST_ADDRESS
from edge.gossip.schema import Decoder
from edge.load.wire import Generation, Number, Word

#: Bytes of a message: all groups of the greatest length, and as many addresses as one change has.
MAX_MESSAGE = 64 * 1024

#: Applications of a node.
APPLICATIONS = 256

Group = Annotated[str, Meta(min_length=1, max_length=GROUP_LENGTH, pattern=r"^[ -~]*\Z")]
#: The name of an application (edge.config.applications).
ApplicationName = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*\Z")]
Address = Annotated[bytes, Meta(min_length=1, max_length=LONGEST_ADDRESS)]
Addresses = Annotated[tuple[Address, ...], Meta(max_length=MOST_ADDRESSES)]
GroupNames = Annotated[tuple[Group, ...], Meta(max_length=GROUPS)]


class Greeting(msgspec.Struct, frozen=True, array_like=True, tag="greeting"):
    """The first word of each side; again when something was missed."""

    #: The life of the sender, and the one before it; 0: there was none.
    generation: Generation
    former: Generation
    #: Up to where it has the changes of the receiver, and of which life; 0: it has met none.
    of: Generation
    position: Number


class Changed(msgspec.Struct, frozen=True, array_like=True, tag="changed"):
    """The sender's change number *sequence*: these groups of the application are not what they were."""

    generation: Generation
    sequence: Number
    application: ApplicationName | None
    groups: GroupNames | None
    addresses: Addresses = ()

    @property
    def change(self) -> Change:
        """What has changed."""
        groups = None if self.groups is None else frozenset(self.groups)
        return Change(self.application, groups, self.addresses)


class Settled(msgspec.Struct, frozen=True, array_like=True, tag="settled"):
    """The receiver's change is in force at the sender: it answers nothing any more that was before it."""

    generation: Generation
    sequence: Number


class Forgotten(msgspec.Struct, frozen=True, array_like=True, tag="forgotten"):
    """There were changes up to *sequence* that the sender cannot tell any more.

    Everything of *applications* is doubtful; None: of all.
    """

    generation: Generation
    sequence: Number
    applications: Annotated[tuple[ApplicationName, ...], Meta(max_length=APPLICATIONS)] | None = None


class Ask(msgspec.Struct, frozen=True, array_like=True, tag="ask"):
    """How far does the receiver's log go now?"""

    number: Word


class Position(msgspec.Struct, frozen=True, array_like=True, tag="position"):
    """The answer to the question of the same number; unasked, with 0, as goodbye."""

    generation: Generation
    number: Word
    sequence: Number
    leaves: bool = False
    #: The sender knows of a node that is dead without a goodbye; the receiver may never have met that.
    apart: bool = False


GroupMessage = Greeting | Changed | Settled | Forgotten | Ask | Position

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: Decoder[GroupMessage] = Decoder(GroupMessage, "message of cache groups", MAX_MESSAGE)


def encode_group_message(message: GroupMessage) -> bytes:
    """*message* in MessagePack."""
    return _ENCODER.encode(message)


def decode_group_message(data: bytes) -> GroupMessage:
    """The message in *data*; :class:`~edge.gossip.schema.GossipError`."""
    return _DECODER.decode(data)
