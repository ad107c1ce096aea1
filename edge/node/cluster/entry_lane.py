"""The shell of stored answers among nodes: one node fills a key, the others take what it stored (lane 6).

The way of an answer that this node takes from another one::

    "told" or "hot" --> is a change known here that it does not know of? --> its bodies: those that came
    along, or by digest from who has them --> has anything changed meanwhile? --> the table

Small bodies ride along with "done" and "told" (:mod:`edge.gossip.riding`): readers wait for them, and a
trip for each variant takes longest when a change has everything filled anew.  They are what the entry's
digests say, or are pulled like all others.

What this node has filled, and is asked for, is told to the others once, as much as :data:`HOT_BYTES` a
second; they take it while it is fresh, so that any node confirms it without asking the application, also one
that nobody has asked for it yet.  Nothing of it is written down: what is lost is asked for again.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote_from_bytes

from msgspec.structs import replace
from treq import collect
from twisted.internet.defer import Deferred, DeferredSemaphore, maybeDeferred
from twisted.logger import Logger

from edge.cache.group_changes import Stamp
from edge.cache.record import SUFFIXES, AnswerRecord
from edge.errors import EdgeError
from edge.gossip.coalescing import TICK_SECONDS, FillHere, NotShared, Offer, Output, Send, TakeEntry
from edge.gossip.entries import (
    AGAIN,
    FAILED,
    HOT_BYTES,
    HOT_ENTRIES,
    STORED,
    Entry,
    Hot,
    can_be_told,
    decode_entry_message,
    encode_entry_message,
)
from edge.gossip.packet import LogPosition
from edge.gossip.riding import Riding, riding, without_bodies
from edge.node.cluster.group_lane import StoredAnswers
from edge.node.process.answers import LONGEST_BODY, FilledAnswer, pack, unpack
from edge.node.process.counted_log import CountedLog
from edge.node.process.periodic import Periodic
from edge.resource import Representation, etag_of
from edge.table.layout import OWN_CORS, OWN_ETAG

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.python.failure import Failure

    from edge.cache.groups import Groups
    from edge.gossip.coalescing import Coalescing
    from edge.gossip.entries import Bodies, EntryMessage, Vector
    from edge.gossip.invalidation import Invalidation
    from edge.node.cluster.peer_endpoints import BodyClient

#: Seconds between two messages of hot entries to all others, and how many entries are looked at for one.
HOT_SECONDS, HOT_LOOKED_AT = 1.0, 256
#: Answers whose bodies are pulled at once, and those that may wait for it; of those for which readers wait
#: as many again.
PULLS, PULLS_WAITING = 16, 4096
#: Names that wait to be told of.
UNTOLD = 65_536
#: Seconds for one body; for all of an answer for which readers wait, their place included.
PULL_SECONDS, WANTED_SECONDS = 5.0, 10.0


class Answers(Protocol):
    """What is filled and taken: of :class:`edge.node.supervisor.answers.AnswerStore`."""

    def put(self, application: str, answer: FilledAnswer) -> bool:
        """Put an answer into the table; whether there is room."""

    def is_being_filled(self, name: bytes) -> bool:
        """Whether this node asks, or waits, for that key now."""

    def fill_here(self, name: bytes) -> None:
        """A worker of this node is to ask the application for *name*."""

    def taken(self, name: bytes) -> None:
        """What was wanted is in the table."""

    def not_shared(self, name: bytes) -> None:
        """What was wanted is not to be shared."""

    def told_of(self, name: bytes, lasting: bool = False) -> tuple[str, FilledAnswer] | None:
        """(application, what is stored of *name* with its bodies), if it is fresh; *lasting*: for a while."""

    def was_asked_for(self, name: bytes) -> bool:
        """Whether what is stored of *name* was asked for since it was looked at last."""


class Filling(Protocol):
    """Who fills a key, and who waits for another node."""

    def want(self, application: str, name: bytes) -> None:
        """Readers here wait for *name*."""

    def done(self, name: bytes, outcome: int) -> None:
        """The fill of *name* is over."""


class ClusterAnswers(Answers, StoredAnswers, Protocol):
    """The store of answers as a cluster has it: :class:`edge.node.supervisor.answers.AnswerStore`."""

    #: Whom to ask who fills.
    cluster: Filling | None

    def body_of(self, name: bytes, variant: int, digest: bytes) -> bytes | None:
        """The body of a variant of what is stored under *name*; None: it is not that, or not here."""


class NotThere(EdgeError):
    """What a node has told of has been changed, or has left, since: nothing is wrong with anybody."""


class Puller:
    """Bodies of answers, by digest, from the node that has them."""

    def __init__(self, client: BodyClient, reactor: Any) -> None:
        self._client = client
        self._reactor = reactor

    async def pull(self, holder: str, name: bytes, variant: int, digest: bytes, length: int) -> bytes:
        """The body of *length* bytes; :class:`~edge.errors.EdgeError` if *holder* does not give it."""
        if not length:
            return b""
        path = quote_from_bytes(name, "")
        target = f"/.edge/body/{digest.hex()}?path={path}&variant={variant}"
        pulling = Deferred.fromCoroutine(self._get(holder, target, length))
        body = await pulling.addTimeout(PULL_SECONDS, self._reactor)
        if sha256(body).digest() != digest:
            raise EdgeError(f"{holder} has sent other bytes than those of the answer")
        return body

    async def _get(self, holder: str, target: str, length: int) -> bytes:
        answer = await self._client.get(holder, target, {})
        if answer.code != 200:
            await collect(answer, lambda piece: None)  # so that the connection can be used again
            raise NotThere(f"{holder} does not have the answer any more")
        pieces: list[bytes] = []
        size = 0

        def take(piece: bytes) -> None:
            nonlocal size
            size += len(piece)
            if size > length:
                raise EdgeError(f"{holder} has sent more than the answer")
            pieces.append(piece)

        await collect(answer, take)
        return b"".join(pieces)


class EntryLane:
    """Stored answers of this node, and what other nodes say of theirs.

    *owns*: (application, name of a key) -> whether this node would answer it by that application.  *now_ms*:
    CLOCK_MONOTONIC in milliseconds, what lifetimes are counted by.
    """

    _log = Logger()

    def __init__(
        self,
        core: Coalescing,
        groups: Groups,
        changes: Invalidation,
        answers: Answers,
        puller: Puller,
        owns: Callable[[str, bytes], bool],
        send: Callable[[str, bytes], bool],
        is_full: Callable[[str], bool],
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        reactor: Any,
    ) -> None:
        self.core = core
        self._groups = groups
        self._changes = changes
        self._answers = answers
        self._puller = puller
        self._owns = owns
        self._send = send
        self._is_full = is_full
        self._clock = clock
        self._now_ms = now_ms
        self._reactor = reactor
        self._counted = CountedLog(self._log, reactor)
        #: For the bodies of answers that readers wait for, and for those of all others.
        self._wanted_places, self._places = DeferredSemaphore(PULLS), DeferredSemaphore(PULLS)
        self._stopped = False
        #: Name -> what is on its way here: what was told, when, and the position then.
        self._coming: dict[bytes, tuple[TakeEntry, int, int]] = {}
        #: Names of what this node has filled and the others have not been told of.
        self._untold: dict[bytes, None] = {}
        #: Answers taken from other nodes, and those that were not: older than a change, or without a body.
        self.taken = self.refused = 0
        #: Of those taken, the ones whose bodies came along.
        self.ridden = 0
        #: Answers that other nodes were told of.
        self.told = 0
        self._riding = Riding()
        self._periodic = (
            Periodic(self._tick, TICK_SECONDS, reactor),
            Periodic(self.tell_hot, HOT_SECONDS, reactor),
        )

    def start(self) -> None:
        """Look for who is late, and tell what is hot."""
        for one in self._periodic:
            one.start(now=False)

    def stop(self) -> None:
        """Do nothing more."""
        self._stopped = True
        for one in self._periodic:
            one.stop()

    # What this node wants: edge.node.supervisor.answers.ClusterFills

    def want(self, application: str, name: bytes) -> None:
        """Readers here wait for *name*: the store will be told what to do, or that it is there."""
        self.core.want(application, name, self._clock())
        self._put_out()

    def done(self, name: bytes, outcome: int) -> None:
        """The fill of *name* that was begun by ``fill_here`` is over."""
        found: Offer | None = None
        if outcome == STORED:
            found = self.have(name)
            if found is None:
                # It cannot be told: each node asks for itself.  Or it is over: one after the other does.
                outcome = FAILED if self._answers.told_of(name) is not None else AGAIN
            else:
                self._untold[name] = None
                if len(self._untold) > UNTOLD:
                    del self._untold[next(iter(self._untold))]
        if found is None:
            self.core.done(name, outcome, self._clock())
        else:
            self.core.done(name, outcome, self._clock(), found.entry, found.vector, found.bodies)
        self._put_out()

    # What happens to the others

    def up(self, name: str, speaks: bool) -> None:
        """A stream to *name* is open; *speaks*: of stored answers."""
        if speaks:
            self.core.connected(name, self._clock())
            self._put_out()

    def down(self, name: str) -> None:
        """The last stream to *name* has ended."""
        self._riding.forget(name)
        self.core.disconnected(name, self._clock())
        self._put_out()

    def receive(self, name: str, payload: bytes) -> None:
        """A message came over a stream; :class:`~edge.gossip.schema.GossipError` if it is none."""
        message = decode_entry_message(payload)
        if isinstance(message, Hot):
            for entry in message.entries:
                self._take(TakeEntry(entry, name, message.vector, False))
        else:
            self.core.receive(name, message, self._clock())
            self._put_out()

    # What this node has

    def have(self, name: bytes) -> Offer | None:
        """What is stored here of *name*, if it is fresh for a while."""
        found = self._answers.told_of(name, lasting=True)
        if found is None or not self._is_sure():
            return None
        entry = entry_of(*found, self._now_ms())
        if not can_be_told(entry):
            return None
        bodies = riding(one.body for one in found[1].representations)
        return Offer(entry, self._vector(), self.core.name, bodies)

    def offer(self, name: bytes) -> Offer | None:
        """What there is of *name* for another node, and who has it: this one, or who it comes from."""
        found = self.have(name)
        if found is not None:
            return found
        coming = self._coming.get(name)
        if coming is None or not self._is_sure():
            return None
        told, told_ms, token = coming
        entry = told.entry
        if self._groups.spoils(entry.application, entry.groups, token, name):
            return None
        aged = replace(entry, age_ms=entry.age_ms + self._now_ms() - told_ms)
        # Nothing of it has changed since it was told: this node vouches for it as if it were here.
        return Offer(aged, self._vector(), told.holder) if aged.age_ms < aged.fresh_ms else None

    def tell_hot(self) -> None:
        """Tell the others of what this node has filled and is asked for; of each answer once."""
        nodes = [node for node in self.core.nodes if not self._is_full(node)]
        if not nodes or not self._is_sure():
            return
        entries: list[Entry] = []
        room = HOT_BYTES
        for _ in range(min(HOT_LOOKED_AT, len(self._untold))):
            name = next(iter(self._untold))
            del self._untold[name]
            found = self._answers.told_of(name)
            if found is None:
                continue
            if not self._answers.was_asked_for(name):
                self._untold[name] = None  # later, perhaps
                continue
            entry = entry_of(*found, self._now_ms())
            room -= len(encode_entry_message(Hot((), (entry,))))
            if room < 0 or len(entries) == HOT_ENTRIES:
                self._untold[name] = None
                break
            entries.append(entry)
        if entries:
            payload = encode_entry_message(Hot(self._vector(), tuple(entries)))
            self.told += len(entries)
            for node in nodes:
                self._send(node, payload)

    def metrics(self) -> dict[str, float]:
        """By what follows ``edge_gossip_``."""
        return {
            "answers_taken_total": float(self.taken),
            "answers_ridden_total": float(self.ridden),
            "answers_refused_total": float(self.refused),
            "answers_told_total": float(self.told),
            "answers_alone_total": float(self.core.alone),
        }

    # Inside

    def _tick(self) -> None:
        self.core.tick(self._clock())
        self._put_out()

    def _put_out(self) -> None:
        for output in self.core.outputs():
            try:
                self._do(output)
            except Exception:
                self._log.failure("what is to be done for an answer of an application cannot be")

    def _do(self, output: Output) -> None:
        if isinstance(output, Send):
            self._send_to(output.to, output.message)
        elif isinstance(output, FillHere):
            self._answers.fill_here(output.name)
        elif isinstance(output, TakeEntry) and output.holder != self.core.name:
            self._take(output)
        elif isinstance(output, TakeEntry):
            self._answers.fill_here(output.entry.name)  # it has come meanwhile, or may not be answered here
        elif isinstance(output, NotShared) and not output.failed:
            self._answers.not_shared(output.name)
        elif isinstance(output, NotShared):
            self._answers.fill_here(output.name)  # there it failed

    def _send_to(self, node: str, message: EntryMessage) -> None:
        """Bodies ride to who takes what it is sent, within the rate."""
        if self._is_full(node):
            message = without_bodies(message)
        self._send(node, encode_entry_message(self._riding.fit(node, message, self._clock())))

    def _is_sure(self) -> bool:
        until = self._changes.sure_until()
        return until is None or self._clock() < until

    def _vector(self) -> Vector:
        stamps = self._changes.vector().items()
        return tuple(LogPosition(name, *stamp) for name, stamp in stamps if stamp.generation)

    # What others have

    def _take(self, told: TakeEntry) -> None:
        entry = told.entry
        vector = {one.origin: Stamp(one.generation, one.sequence) for one in told.vector}
        is_good = (
            self._owns(entry.application, entry.name)
            and _is_sound(entry)
            and not self._groups.spoils_from(entry.application, entry.groups, vector, entry.name)
        )
        if self._is_unneeded(told, self._now_ms()):
            return
        bodies, told = self._split(told)
        places = self._wanted_places if told.wanted else self._places
        if not is_good or (not bodies and len(places.waiting) >= PULLS_WAITING) or self._stopped:
            self._not_taken(told)
            return
        # From here on a change spoils it, also while it waits for a place.
        token, told_ms = self._groups.begin(), self._now_ms()
        if bodies:
            taking = maybeDeferred(self._put, told, bodies, token, told_ms)
            taking.addCallback(self._count_ridden)
            taking.addErrback(self._not_pulled, told)
            return
        coming = self._coming[entry.name] = told, told_ms, token
        pulling = places.run(lambda: Deferred.fromCoroutine(self._pull(told, token, told_ms)))
        if told.wanted:
            pulling.addTimeout(WANTED_SECONDS, self._reactor)
        pulling.addBoth(self._has_come, entry.name, coming)
        pulling.addErrback(self._not_pulled, told)

    def _has_come(self, result: object, name: bytes, coming: tuple[TakeEntry, int, int]) -> object:
        """What was under way under *name* is over: the pull is here, or does not come; pass *result* on."""
        if self._coming.get(name) is coming:
            del self._coming[name]
        return result

    def _is_unneeded(self, told: TakeEntry, told_ms: int) -> bool:
        """Whether nobody waits for it, and what is stored here is as new, or is being asked for."""
        if told.wanted:
            return False
        found = self._answers.told_of(told.entry.name)
        is_known = found is not None and found[1].born_ms >= told_ms - told.entry.age_ms - 1000
        return is_known or self._answers.is_being_filled(told.entry.name)

    def _split(self, told: TakeEntry) -> tuple[Bodies, TakeEntry]:
        """The bodies that came along, if they are those that *told* tells of; and *told* without them.

        So that nothing which waits for a place holds bodies of anybody.
        """
        bodies, told = told.bodies, told._replace(bodies=())
        records = told.entry.records
        if not bodies:
            return (), told
        if [(sha256(one).digest(), len(one)) for one in bodies] == [record[1:3] for record in records]:
            return bodies, told
        self._counted.warn(
            "riding",
            f"with an answer that {told.holder} has came bytes that are not its own: it is pulled",
        )
        return (), told

    async def _pull(self, told: TakeEntry, token: int, told_ms: int) -> None:
        entry, holder = told.entry, told.holder
        bodies = []
        for variant, digest, length, _, _ in entry.records:
            if length > LONGEST_BODY:
                raise EdgeError(f"{holder} tells of an answer of {length} bytes, more than is stored")
            bodies.append(await self._puller.pull(holder, entry.name, variant, digest, length))
        if not self._stopped and not self._is_unneeded(told, told_ms):
            self._put(told, bodies, token, told_ms)

    def _put(self, told: TakeEntry, bodies: Sequence[bytes], token: int, told_ms: int) -> bool:
        """Put what was told into the table, with its *bodies*; whether it is there."""
        entry = told.entry
        representations = tuple(
            Representation(variant, etag_of(digest), digest, length, lines_200, lines_304, body)
            for (variant, digest, length, lines_200, lines_304), body in zip(
                entry.records, bodies, strict=True
            )
        )
        spoiled = self._groups.spoils(entry.application, entry.groups, token, entry.name)
        # What is said of another node's answer is believed no more than what a worker says of its own.
        answer = unpack(pack(answer_of(entry, representations, told_ms)))
        if spoiled or not self._answers.put(entry.application, answer):
            self._not_taken(told)
            return False
        self.taken += 1
        self._untold.pop(entry.name, None)
        if told.wanted:
            self._answers.taken(entry.name)
        return True

    def _count_ridden(self, is_taken: bool) -> None:
        self.ridden += is_taken

    def _not_pulled(self, failure: Failure, told: TakeEntry) -> None:
        if failure.check(NotThere):
            self._not_taken(told)
            return
        is_said = failure.check(EdgeError)
        why = (
            failure.getErrorMessage() if is_said else "its body has not come in time, or the connection broke"
        )
        self._counted.warn("pull", f"an answer that {told.holder} has could not be had from there: {why}")
        self._not_taken(told)

    def _not_taken(self, told: TakeEntry) -> None:
        self.refused += 1
        if told.wanted and not self._stopped:
            self._answers.fill_here(told.entry.name)


def _is_sound(entry: Entry) -> bool:
    """Whether its variants are such as answers have: identity, and codings of it."""
    variants = [record[0] for record in entry.records]
    possible = set(range(len(SUFFIXES)))
    return variants[0] == 0 and len(set(variants)) == len(variants) and set(variants) <= possible


def entry_of(application: str, answer: FilledAnswer, now_ms: int) -> Entry:
    """What is told of *answer*."""
    record = answer.record
    age_ms = max(0, now_ms - answer.born_ms)
    return Entry(
        record.name,
        application,
        answer.groups,
        record.status,
        age_ms,
        record.fresh * 1000,
        record.stale_while_revalidate,
        record.stale_if_error,
        record.date,
        record.etag,
        record.modified,
        tuple(
            (one.variant, one.digest, one.length, one.lines_200, one.lines_304)
            for one in answer.representations
        ),
        answer.flags,
    )


def answer_of(entry: Entry, representations: tuple[Representation, ...], told_ms: int) -> FilledAnswer:
    """The answer that *entry* tells of, as it is stored here; *told_ms*: when it was told."""
    groups = ", ".join('"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in entry.groups)
    record = AnswerRecord(
        entry.name,
        entry.status,
        entry.date,
        entry.fresh_ms // 1000,
        entry.stale_while_revalidate,
        entry.stale_if_error,
        entry.etag,
        entry.last_modified,
        groups.encode("ascii"),
    )
    flags = entry.flags & (OWN_ETAG | OWN_CORS)
    return FilledAnswer(record, told_ms - entry.age_ms, told_ms, flags, entry.groups, representations)
