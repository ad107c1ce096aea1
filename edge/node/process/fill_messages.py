"""Messages of a worker and the supervisor about fills, as many in one as a turn of the reactor brings.

One MessagePack array of messages, each an array that begins with its type.  A worker *asks* what is to be
done for a key, has an answer *stored*, or *ends* a question; asks and stores have a number, by which the
supervisor *tells* what became of them, in any order.  A message of AMP costs several times what is in it, so
each carries as many of ours as fit.

The supervisor believes nothing of what comes: :func:`said_by_worker` refuses what is none of these.
"""

from __future__ import annotations

import msgspec

from edge.node.process.answers import MalformedAnswer

#: Bytes that one value of a message of AMP has room for (16 bits), less what else is in it.
ROOM = 60_000
#: Bytes of one of our messages beside the name of its key, its answer and its reason, at most.
AROUND = 256


class Asked(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """What is to be done for the key *name* of *application*; *share*: the first answer may fill."""

    number: int
    application: str
    name: bytes
    share: bool


class Brought(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """The answer to what was asked under *token*, as :func:`.answers.pack` has it."""

    number: int
    token: int
    application: str
    packed: bytes


class Ended(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """What was asked under *token* is not to be stored (:class:`.answers.Outcome`).

    *why*: the name of the :class:`edge.cache.policy.Refusal`, if that is the reason.
    """

    token: int
    outcome: int
    why: str


class Told(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """What to do for what was asked with this *number* (:class:`.answers.Verdict`)."""

    number: int
    kind: int
    token: int


class Kept(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Whether what was brought with this *number* is stored."""

    number: int
    stored: bool


OfWorker = Asked | Brought | Ended
OfSupervisor = Told | Kept

_ENCODER = msgspec.msgpack.Encoder()
_OF_WORKER = msgspec.msgpack.Decoder(list[OfWorker])
_OF_SUPERVISOR = msgspec.msgpack.Decoder(list[OfSupervisor])


def packed(messages: list[OfWorker] | list[OfSupervisor]) -> bytes:
    """*messages* as one."""
    return _ENCODER.encode(messages)


def said_by_worker(data: bytes) -> list[OfWorker]:
    """The messages in *data*; :exc:`MalformedAnswer`."""
    try:
        return _OF_WORKER.decode(data)
    except msgspec.MsgspecError as error:
        raise MalformedAnswer(str(error)) from None


def said_by_supervisor(data: bytes) -> list[OfSupervisor]:
    """The messages in *data*, which the supervisor has packed."""
    return _OF_SUPERVISOR.decode(data)
