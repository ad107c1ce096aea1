"""What the supervisor and a worker say to each other, over a socket pair, in AMP.

The story of one worker::

    supervisor                          worker
        |  (spawn: fd 3 control, fd 4 table, fd 5 its own block, fd 6 folder of blobs,
        |   fd 7 its ring of the log, fd 8 eventfd that wakes who reads it,
        |   fd 9 buckets of rates, fd 10.. listeners, then its ring of spans if requests are traced)
        |  Start(settings)  ------------->|  attaches the table, does not accept yet
        |  Certificate(...), any number ->|  it reads no certificate, and no key, from a file
        |<--- answer: fast_path, confined |  it has given up what it does not need
        |  TicketKeys(keys) ------------->|  seals and opens session tickets with them; again when they change
        |  Users(...), any number ------->|  who may log in; again when that changes
        |  Accept(ready)    ------------->|  accepts connections; ready: the site is published
        |<--- Lookup(path), any number    |  a miss in a table that does not hold everything
        |<--- Fetch(path, etag)           |  a body that only other nodes have, as yet
        |<--- Connect(application, number)|  a connection to an application: it makes none itself
        |<--- Connected(token)            |  it has the descriptor
        |<--- Fills(asked, brought ...)   |  an application's answer is not in the table: who asks for it?
        |  Fills(told, kept ...) -------->|  here it is; or none is to be stored: fill_messages.py
        |  Refill(name, token) ---------->|  ask for it anew, it is over soon
        |  TellGroups(news) ------------->|  cache groups have changed: sockets that follow them are told
        |  Ping()           ------------->|  every few seconds: a worker that does not answer is killed
        |  Certificate(...), any number ->|  new connections are shown these from now on
        |  Drain(seconds)   ------------->|  stops accepting, finishes what runs, exits 0

Settings that a worker cannot change while it runs come into force with its successor: the supervisor
drains the workers one after the other and starts each anew.

Nothing here is trusted from outside, and nobody else reads it: the pair has no name in the file system.  When
the control connection ends, the supervisor has died: the worker drains and exits.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Any, ClassVar

from twisted.protocols import amp

from edge.node.process.writing import write_at_once

#: Descriptors that a worker inherits.
CONTROL_FD = 3
TABLE_FD = 4
BLOCK_FD = 5
BLOBS_FD = 6
LOG_FD = 7
WAKE_FD = 8
BUCKETS_FD = 9
FIRST_LISTENER_FD = 10
#: What a box of AMP with a message of fills begins with: lengths (16 bits), names and values.
_FILLS = b"\0\x08_command\0\x05Fills\0\x04said"
_LENGTH = Struct(">H")


Fields = list[tuple[bytes, Any]]


class NotPublishedYet(Exception):
    """What was asked for exists, or may exist, and is not published yet."""


class Refused(Exception):
    """The other side cannot do what it was asked; the text says why."""


class Start(amp.Command):
    """Prepare to serve with *settings* (JSON of :class:`edge.node.process.settings.WorkerSettings`).

    *confined*: JSON of :class:`edge.confinement.confine.Confined`.
    """

    arguments: ClassVar[Fields] = [(b"settings", amp.String())]
    response: ClassVar[Fields] = [(b"fast_path", amp.Unicode()), (b"confined", amp.String())]
    errors: ClassVar[dict[type[Exception], bytes]] = {Refused: b"REFUSED"}


class TicketKeys(amp.Command):
    """Seal session tickets with the first of *keys*, which :mod:`.ticket_keys` packs, open those of all."""

    arguments: ClassVar[Fields] = [(b"keys", amp.String())]


class Users(amp.Command):
    """A piece of the files of users who may log in (:mod:`edge.node.supervisor.user_files`).

    The pieces come one after the other; with the *last* they replace those that were.
    """

    arguments: ClassVar[Fields] = [(b"piece", amp.String()), (b"last", amp.Boolean())]


#: Bytes of a piece.
USERS_PIECE = 60_000


class Accept(amp.Command):
    """Accept connections from now on; until *ready*, what the table does not hold is answered 503."""

    arguments: ClassVar[Fields] = [(b"ready", amp.Boolean())]


class Certificate(amp.Command):
    """One certificate with its key (:class:`edge.tls.interface.Credential`) of the TLS listener *listener*.

    All of a listener come one after the other; with the *last* they replace those it had, unless OpenSSL
    refuses one of them: then :class:`Refused` says why.
    """

    arguments: ClassVar[Fields] = [
        (b"listener", amp.Integer()),
        (b"chain", amp.String()),
        (b"key", amp.String()),
        (b"where", amp.Unicode()),
        (b"last", amp.Boolean()),
    ]
    errors: ClassVar[dict[type[Exception], bytes]] = {Refused: b"REFUSED"}


class Drain(amp.Command):
    """Stop accepting, finish what runs within *seconds*, then exit."""

    arguments: ClassVar[Fields] = [(b"seconds", amp.Float())]


class Ping(amp.Command):
    """Is the worker's reactor alive?"""


class Lookup(amp.Command):
    """From the worker: what is published under *path*, which the table did not hold?

    *entries* is what :mod:`edge.node.process.lookup` packs, empty if nothing is published there.
    """

    arguments: ClassVar[Fields] = [(b"path", amp.String())]
    response: ClassVar[Fields] = [(b"entries", amp.String())]
    errors: ClassVar[dict[type[Exception], bytes]] = {NotPublishedYet: b"NOT_YET"}


class Fetch(amp.Command):
    """From the worker: have the body *etag* of *path* in the blob store; *found*: it is there now."""

    arguments: ClassVar[Fields] = [(b"path", amp.String()), (b"etag", amp.String())]
    response: ClassVar[Fields] = [(b"found", amp.Boolean())]


class Connect(amp.Command):
    """From the worker: a connection to place *number* of *application*; :class:`Connected` confirms it.

    Places are the targets of an application that is somewhere already, or the processes of one that the node
    runs.  :class:`Refused` says why there is none.
    """

    arguments: ClassVar[Fields] = [(b"application", amp.Unicode()), (b"number", amp.Integer())]
    response: ClassVar[Fields] = [(b"socket", amp.Descriptor()), (b"token", amp.Integer())]
    errors: ClassVar[dict[type[Exception], bytes]] = {Refused: b"REFUSED"}


class Connected(amp.Command):
    """From the worker: the descriptor of *token* has come; the supervisor closes its own."""

    arguments: ClassVar[Fields] = [(b"token", amp.Integer())]


class FillsConnection(amp.AMP):
    """One end of the connection: an AMP in which ``Fills`` goes past what is done for any other command.

    That would cost several times what is in such a message (:mod:`.fill_messages`), which nobody answers.
    """

    def say_of_fills(self, messages: Iterable[bytes]) -> None:
        """Say these together, at once: the other end is woken once.  Each: 64 KiB less one byte at most."""
        boxes = [part for said in messages for part in (_FILLS, _LENGTH.pack(len(said)), said, b"\0\0")]
        write_at_once(self.transport, b"".join(boxes))

    def hear_of_fills(self, said: bytes) -> None:
        """The other end has said that."""
        raise NotImplementedError

    def ampBoxReceived(self, box: amp.AmpBox) -> None:
        if box.get(amp.COMMAND) == b"Fills":
            self.hear_of_fills(box[b"said"])
        else:
            super().ampBoxReceived(box)


class StoreLargeAnswer(amp.Command):
    """From the worker: an answer that no message has room for; *packed* is a file in memory of *size* bytes.

    Otherwise as :class:`.fill_messages.Brought`.
    """

    arguments: ClassVar[Fields] = [
        (b"token", amp.Integer()),
        (b"application", amp.Unicode()),
        (b"size", amp.Integer()),
        (b"packed", amp.Descriptor()),
    ]
    response: ClassVar[Fields] = [(b"stored", amp.Boolean())]


class Changed(amp.Command):
    """From the worker: a request has changed what is stored (:func:`.answers.pack_change`).

    Answered when that is in force on all connected nodes, or has waited long enough; *unsettled*: on how many
    it is not.
    """

    arguments: ClassVar[Fields] = [(b"change", amp.String())]
    response: ClassVar[Fields] = [(b"unsettled", amp.Integer())]


class Refill(amp.Command):
    """Ask *application* the clean question of the key *name* under *token*; its answer comes as any other."""

    arguments: ClassVar[Fields] = [
        (b"application", amp.Unicode()),
        (b"name", amp.String()),
        (b"token", amp.Integer()),
    ]


class TellGroups(amp.Command):
    """Cache groups have changed, as :mod:`.group_news` packs it; the first of them says how things are."""

    arguments: ClassVar[Fields] = [(b"news", amp.String())]
