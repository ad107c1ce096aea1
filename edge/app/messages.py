"""The messages of edge-app/1: what each holds, and how it stands in a frame.

A frame is a u32 in network order, the bytes of the MessagePack array after it, and that array: a number for
the type, then the elements in the order of the fields below.  ``docs/reference/edge-app.md`` draws them byte
by byte.  Types and elements are append-only: a reader ignores types that it does not know, and elements after
those that it knows.

Everything that came from HTTP, and all text, is a byte string.  Fields are pairs (name, value) in their
order, names in lower case, without those of the connection (RFC 9110 section 7.6.1) and Content-Length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge.app import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Fields = list[tuple[bytes, bytes]]

#: The version that :class:`Ready` says.
VERSION = 1
#: Bytes of the array of one frame.
MAX_FRAME = 262_144
#: Bytes of names and values in one list of fields, and how many there may be: more than any server takes.
MAX_FIELDS_BYTES, MAX_FIELDS = 65_536, 256
#: Bytes of a body, or of messages, that may be on their way in one exchange and direction.
WINDOW = 65_536
#: Bytes of the target, and of all other byte strings that are neither a body nor fields.
MAX_TARGET, MAX_TEXT = 65_536, 8_192
#: Groups in one :class:`Changed`, and bytes of one (RFC 9875 section 2: at least 32 and 32).
MAX_GROUPS, MAX_GROUP = 64, 128
#: Heads that come before that of one answer, and changes of one connection that are not settled yet.
MAX_INTERIM, MAX_CHANGES = 16, 64
#: The greatest number of an exchange, or of a change.
MAX_NUMBER = (1 << 53) - 1


class Ask(NamedTuple):
    """From the node: a request."""

    number: int
    method: bytes
    #: Path and query, the exact bytes.
    target: bytes
    fields: Fields
    #: What stood in Host.
    host: bytes
    secure: bool
    #: The visitor's address; b"": unknown.
    peer: bytes
    #: The path that the application is at, without a slash at the end; b"": the root.
    at: bytes
    body: bytes
    #: More of the body follows in :class:`Data`.
    more: bool
    #: Bytes of the whole body; None: nobody knows yet.
    length: int | None
    #: Milliseconds that are left until the answer has to begin.
    deadline: int | None
    #: The token of the lease under which the answer is to be stored for everybody; None: for one visitor.
    fill: int | None


class Answer(NamedTuple):
    """From the application: the head of the answer; with 100 to 199 one that comes before it."""

    number: int
    status: int
    fields: Fields
    #: Bytes of the whole body, or those that Content-Length would say where there is none; None: unknown.
    length: int | None
    body: bytes
    #: More of the body follows in :class:`Data`.
    more: bool


class Data(NamedTuple):
    """From either side: more of a body."""

    number: int
    body: bytes
    more: bool
    #: Fields after the last piece, like Cache-Groups; else empty.
    trailers: Fields


class Credit(NamedTuple):
    """From either side: so many bytes were taken, and may be sent on top."""

    number: int
    size: int


class Cancel(NamedTuple):
    """From the node: nobody waits any more.  From the application: there will be no (whole) answer."""

    number: int
    #: For a log.
    reason: bytes


class Changed(NamedTuple):
    """From the application: what has these groups is not true any more."""

    #: Counted by the application.
    number: int
    #: None: everything that is the application's.
    groups: list[bytes] | None


class Settled(NamedTuple):
    """From the node: all nodes that are connected know it, but *unsettled*."""

    number: int
    unsettled: int


class Ready(NamedTuple):
    """From the application, first of all: what it speaks, and how much it takes."""

    version: int
    #: Exchanges at once on this connection.
    at_once: int


class Drain(NamedTuple):
    """From the application: it wants to end; ask elsewhere, and close when all is answered."""


class Open(NamedTuple):
    """From the node: a WebSocket is to be opened (RFC 6455); elements as of :class:`Ask`."""

    number: int
    target: bytes
    fields: Fields
    host: bytes
    secure: bool
    peer: bytes
    at: bytes
    #: The subprotocols that the visitor speaks.
    protocols: list[bytes]


class Opened(NamedTuple):
    """From the application: it is open; an :class:`Answer` refuses it."""

    number: int
    fields: Fields
    #: The subprotocol that is spoken; b"": none.
    protocol: bytes


class Message(NamedTuple):
    """From either side: a message of a WebSocket, or a piece of it."""

    number: int
    body: bytes
    #: The pieces together are UTF-8 text.
    text: bool
    #: More of this message follows.
    more: bool


class Close(NamedTuple):
    """From either side: the WebSocket is over, which is the last of its exchange."""

    number: int
    #: RFC 6455 section 7.4; 1005: none was said, 1006: the connection was lost.
    code: int
    reason: bytes


AnyMessage = (
    Ask
    | Answer
    | Data
    | Credit
    | Cancel
    | Changed
    | Settled
    | Ready
    | Drain
    | Open
    | Opened
    | Message
    | Close
)


class Malformed(ValueError):
    """A message is not what it should be; str() says which, and what."""


def _number(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_NUMBER


def _size(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_NUMBER


def _maybe_size(value: object) -> bool:
    return value is None or _size(value)


def _flag(value: object) -> bool:
    return value is True or value is False


def _text(value: object) -> bool:
    return type(value) is bytes and len(value) <= MAX_TEXT


def _target(value: object) -> bool:
    return type(value) is bytes and 0 < len(value) <= MAX_TARGET


def _body(value: object) -> bool:
    return type(value) is bytes and len(value) <= WINDOW


def _status(value: object) -> bool:
    return type(value) is int and 100 <= value <= 599 and value != 101


def _fields(value: object) -> bool:
    if type(value) is not list or len(value) > MAX_FIELDS:
        return False
    size = 0
    for pair in value:
        if type(pair) is not tuple:
            return False
        size += len(pair[0]) + len(pair[1])
    return size <= MAX_FIELDS_BYTES


def check_head(status: int, fields: Fields) -> None:
    """:class:`Malformed`: an answer of this *status* with these *fields* would break the connection."""
    if not _status(status):
        raise Malformed(f"status {status}; 200 to 599 are possible")
    if not _fields(fields):
        raise Malformed(f"more than {MAX_FIELDS} fields, or than {MAX_FIELDS_BYTES} bytes in them")


def _texts(value: object) -> bool:
    return (
        type(value) is list
        and len(value) <= MAX_GROUPS
        and all(type(one) is bytes and 0 < len(one) <= MAX_GROUP and one.isascii() for one in value)
    )


def _groups(value: object) -> bool:
    return value is None or _texts(value)


_ASK = (_number, _text, _target, _fields, _text, _flag, _text, _text, _body, _flag)

#: Type -> the message, and what each of its elements has to be.
Table = dict[int, "tuple[Callable[..., AnyMessage], Sequence[Callable[[object], bool]]]"]

FROM_NODE: Table = {
    1: (Ask, (*_ASK, _maybe_size, _maybe_size, _maybe_size)),
    3: (Data, (_number, _body, _flag, _fields)),
    4: (Credit, (_number, _size)),
    5: (Cancel, (_number, _text)),
    7: (Settled, (_number, _size)),
    10: (Open, (_number, _target, _fields, _text, _flag, _text, _text, _texts)),
    11: (Message, (_number, _body, _flag, _flag)),
    12: (Close, (_number, _size, _text)),
}
FROM_APPLICATION: Table = {
    2: (Answer, (_number, _status, _fields, _maybe_size, _body, _flag)),
    3: (Data, (_number, _body, _flag, _fields)),
    4: (Credit, (_number, _size)),
    5: (Cancel, (_number, _text)),
    6: (Changed, (_number, _groups)),
    8: (Ready, (_size, _number)),
    9: (Drain, ()),
    10: (Opened, (_number, _fields, _text)),
    11: (Message, (_number, _body, _flag, _flag)),
    12: (Close, (_number, _size, _text)),
}
#: Message -> its type.
TYPES = {kind: number for table in (FROM_NODE, FROM_APPLICATION) for number, (kind, _) in table.items()}


def encode(message: AnyMessage) -> bytes:
    """The frame of *message*."""
    array = codec.encode((TYPES[type(message)], *message))
    return len(array).to_bytes(4, "big") + array


def decode(array: bytes, table: Table) -> AnyMessage | None:
    """The message in *array*; None: of a type that a later version may have added.

    :class:`Malformed`: it is none of those in *table*, or its elements are not what they should be.
    """
    try:
        items = codec.decode(array)
    except ValueError as error:
        raise Malformed(f"what came is no message ({error})") from None
    kind = items[0] if items else None
    if type(kind) is not int:
        raise Malformed("what came is no message: it does not begin with a type")
    if kind not in table:
        if kind in TYPES.values():
            raise Malformed(f"a message of type {kind} came from the wrong side")
        return None
    make, checks = table[kind]
    elements = items[1 : len(checks) + 1]
    if len(elements) < len(checks):
        raise Malformed(f"{make.__name__.lower()} has {len(elements)} elements of {len(checks)}")
    for check, element in zip(checks, elements, strict=True):
        if not check(element):
            raise Malformed(_wrong(make, checks, elements))
    return make(*elements)


def _wrong(
    make: Callable[..., AnyMessage], checks: Iterable[Callable[[object], bool]], elements: list[object]
) -> str:
    names: Sequence[str] = make._fields  # type: ignore[attr-defined]
    wrong = next(name for name, check, one in zip(names, checks, elements, strict=True) if not check(one))
    return f"{make.__name__.lower()}: {wrong} is not what it should be, or too large"


class Frames:
    """Bytes as they come, to the arrays of whole frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def split(self, data: bytes) -> Iterable[bytes]:
        """The arrays that are whole with *data*; :class:`Malformed`, after those, if a length cannot be.

        To be iterated to the end.
        """
        rest = self._rest
        if rest:
            rest += data
        given: bytes | bytearray = rest or data
        at, end = 0, len(given)
        while end - at >= 4:
            length = int.from_bytes(given[at : at + 4], "big")
            if not 0 < length <= MAX_FRAME:
                raise Malformed(f"a frame of {length} bytes; 1 to {MAX_FRAME} are possible")
            if end - at < 4 + length:
                break
            yield bytes(given[at + 4 : at + 4 + length])
            at += 4 + length
        if given is rest:
            del rest[:at]
        else:
            rest += given[at:]
