"""The replicated table of one node: change logs, a version vector, anti-entropy.  Last writer wins.

A node has its own change log, and those of the others as far as they have come.  A change is named by
(node, generation, sequence) and dated by a hybrid logical clock; under each path the newest clock counts, the
name of the node breaks a tie.  So the order in which changes arrive does not matter, and all nodes end with
the same table.  What a node has of each log is one number, its position; all positions together are its
*version vector*.  Who has less asks for what is missing by sequence, from anybody who has more.

Whatever comes from a peer proves itself: each change is one of a batch that its origin signed, and so is
how far the log of an origin is (:mod:`edge.gossip.batches`).  So nobody speaks for another node, and who
was away for good is still believed, through anybody.  What a peer merely *says* of a log (in a version
vector) is a reason to ask it, no more (:mod:`edge.gossip.requests`).

A log's *generation* stays while its state directory is sound.  Sequence numbers are reserved in blocks, so
that a kill never leads to one being used twice.  When others have more of a node's own log than it wrote
itself, or something of it and it has none - its state is a restored copy, or was lost - it begins a new
generation above the others' and takes back what it lost; all others then read its log from the beginning.

**Dates.**  A change that is dated further ahead than any mistake explains (:mod:`edge.gossip.clock`) is not
taken, and :meth:`Replica.refused` says so; everything beside it is, and the log is asked for again.  A node
whose own date was that wrong dates its changes anew once it is right.  No wait is measured by the date alone:
it may be set back by a year at any moment.

Sans-IO but for the database: messages and the time (Unix milliseconds) go in, messages and changes come out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edge.gossip.batches import BATCH, Batch, statement
from edge.gossip.changes import (
    CHUNK,
    CHUNK_BYTES,
    URGENT_BYTES,
    Change,
    Changes,
    Entries,
    Hashes,
    Item,
    Message,
    Packer,
    Paths,
    Record,
    Repair,
    Root,
    VersionVector,
    Want,
    change_hash,
    encode_message,
    unpack,
)
from edge.gossip.clock import HybridClock, ahead, latest_believed
from edge.gossip.packet import VECTOR, LogPosition
from edge.gossip.proving import Proving
from edge.gossip.published import PublishedRecord
from edge.gossip.repair import TableRepair
from edge.gossip.requests import LogRequests, within
from edge.gossip.rows import Rows

#: Sequence numbers reserved at a time.
RESERVED = 10_000
#: Milliseconds for which a purge is remembered.
TOMBSTONE_MS = 24 * 3600 * 1000
#: Times that others are asked for what they have of our own log: who answers none has nothing.
OWN_ASKS = 5
#: Milliseconds until a log is read again of which something was not taken.
DOUBT_MS = 60_000
#: Tombstones forgotten in one step; milliseconds between two looks for them.
_STEP, _MINUTE = 100, 60_000


class Received(NamedTuple):
    """What follows from one message."""

    #: For its sender.
    replies: list[Message]
    #: What counts from now on, in this order.
    applied: list[Change]
    #: Why something of it was not taken, a sentence for the log.
    refused: str = ""


class Replica:
    """The replica of the node *node*; *now_ms* everywhere: Unix milliseconds."""

    def __init__(self, node: str, rows: Rows, now_ms: int, tombstone_ms: int = TOMBSTONE_MS) -> None:
        #: Its name.
        self.node = node
        self._rows = rows
        self._keyring = rows.keyring
        self._tombstone_ms = tombstone_ms
        self.counters: Counter[str] = Counter()
        #: Logs that others are asked for.
        self.requests = LogRequests(self.counters)
        self._proving = Proving(self._keyring)
        #: Of what this node itself has published.
        self.published = PublishedRecord(node, rows)
        self._repair = TableRepair(rows, self._proving, self.seal)
        self._refused: dict[str, tuple[int, int]] = {}  # origin -> (milliseconds too far ahead, when)
        self._doubted: set[str] = set()  # origins of which something was refused since reading began
        self._doubts: dict[str, int] = {}  # origin -> when something of it was refused
        self._pushed: dict[str, int] = {}  # peer -> sequence
        self._urgent_from = 0
        #: Whether our log was begun now: what others have of an earlier one was lost.
        self._is_new = False
        self._met = False  # whether anybody has told how far it has all logs, in this life
        #: Paths that were put before others had told what they have of our own log: they are newer than that.
        self._alone: set[bytes] = set()
        self._disowns = False  # whether what others have of our own log beyond these has no files any more
        #: Whether a life before, without a record of what it had published, may have met nobody.
        self.may_have_more = bool(rows.meta("disowns"))
        self._own_asks = 0  # how often others are still to be asked for what they have of our own log
        self._open: list[bytes] = []  # hashes of own changes that are not signed yet
        self._open_id = 0
        #: Milliseconds that this node has been there, in all its lives; when it looks for old removals again.
        rows.age = self._look_age = rows.meta("age")
        self._saved_ms = now_ms
        self._signed_with = b""  # the certificate that signed all own changes
        self._clock = HybridClock(rows.meta("clock"))
        self._positions = rows.positions()
        self._proofs = {
            origin: proof for origin in self._positions if (proof := rows.proof(origin)) is not None
        }
        if node not in self._positions:
            self._begin_log(max(now_ms, rows.meta("generation") + 1), 0)
        else:
            # Numbers up to the reserved one may have been used before a kill.
            self._positions[node] = (self._positions[node][0], rows.meta("reserved"))
        #: (generation, first, last) of own changes that nobody has, unless the state is an old copy.
        generation, sequence = self._positions[node]
        self._unwritten = generation, rows.meta("written", sequence), sequence
        self._limit = rows.meta("reserved")
        self._urgent_from = self._positions[node][1]
        self._contact = rows.meta("contact")
        self._date_anew(now_ms)
        rows.commit()

    def _begin_log(self, generation: int, sequence: int) -> None:
        self._rows.set_position(self.node, generation, sequence)
        self._positions[self.node] = (generation, sequence)
        self._is_new = True
        self._limit = sequence
        self._rows.set_meta("reserved", sequence)

    # Own changes

    def put(self, path: bytes, modified: int, records: tuple[Record, ...], now_ms: int) -> Change:
        """This node publishes *records* under *path*."""
        generation, sequence = self._positions[self.node]
        sequence += 1
        if sequence > self._limit:
            self._limit = sequence + RESERVED
            self._rows.set_meta("reserved", self._limit)
            self._rows.set_position(self.node, generation, sequence)
        self._positions[self.node] = (generation, sequence)
        if not self._met or self.recovers:
            self._alone.add(path)
        change = Change(path, self.node, sequence, self._clock.tick(now_ms), modified, records)
        if not self._open:
            self._open_id = self._rows.begin_batch()
        self._open.append(change_hash(change))
        self._take([(change, self._open_id)], self._rows.clocks([path]))
        if len(self._open) == BATCH:
            self.seal()
        return change

    def seal(self) -> Batch:
        """Sign what was changed here since the last time, and how far the log is now."""
        generation, sequence = self._positions[self.node]
        last = self._proofs.get(self.node)
        if last is not None and (last.generation, last.head) == (generation, sequence) and not self._open:
            return last
        hashes = b"".join(self._open)
        signature = self._keyring.sign(statement(self.node, generation, sequence, hashes))
        batch = Batch(self.node, self._keyring.own, generation, sequence, hashes, signature)
        if self._open:
            self._rows.finish_batch(self._open_id, batch)
            self._open = []
        self._proofs[self.node] = batch
        return batch

    def remove(self, path: bytes, now_ms: int) -> Change | None:
        """This node takes *path* away, whoever published it; None: nothing is there."""
        known = self._rows.get(path)
        if known is None or known.is_tombstone:
            return None
        return self.put(path, 0, (), now_ms)

    def get(self, path: bytes) -> Change | None:
        """What counts under *path*; may be a tombstone."""
        return self._rows.get(path)

    def paths(self, after: bytes, limit: int) -> list[Change]:
        """A slice of everything, by path."""
        return self._rows.slice(after, limit)

    def push(self, peer: str) -> Message | None:
        """Own changes that *peer* was not sent yet, or, when they are many, only how many there are."""
        generation, head = self._positions[self.node]
        after = self._pushed.get(peer, self._urgent_from)
        self._pushed[peer] = head
        if head == after:
            return None
        chunk = self._chunk(self.node, generation, after, head, (0, 0))
        return chunk if chunk.done else VersionVector(self.version_vector())

    def urgent(self) -> list[bytes]:
        """Own changes since the last call, for datagrams, if they are small enough."""
        generation, head = self._positions[self.node]
        after, self._urgent_from = self._urgent_from, head
        if not 0 < head - after <= 4:
            return []
        chunk = self._chunk(self.node, generation, after, head, (0, 0))
        data = encode_message(chunk)
        return [data] if chunk.done and len(data) <= URGENT_BYTES else []

    def sign_anew(self, limit: int, now_ms: int) -> bool:
        """Publish again, up to *limit* changes, what an earlier certificate of this node signed; whether any.

        So it outlives the authority of that certificate, and its revocation.
        """
        signer = self._keyring.own
        if self._signed_with == signer:
            return False
        found = self._rows.signed_by_others(self.node, signer, limit)
        for change in found:
            self.counters["signed_anew"] += 1
            self.put(change.path, change.modified, change.records, now_ms)
        if not found:
            self._signed_with = signer
        return bool(found)

    # Version vector and logs

    def version_vector(self) -> tuple[LogPosition, ...]:
        """How far this node has each log; of very many, those that were begun last, and its own."""
        positions = list(self._positions.items())
        if len(positions) > VECTOR:
            positions = [(self.node, self._positions[self.node]), *positions[1 - VECTOR :]]
            positions = list(dict(positions).items())
        return tuple(LogPosition(origin, *position) for origin, position in positions)

    @property
    def positions(self) -> dict[str, tuple[int, int]]:
        """The same by origin: (generation, sequence)."""
        return dict(self._positions)

    def notice(self, peer: str, version_vector: Sequence[LogPosition], now_ms: int) -> list[Message]:
        """*peer* says that it has the logs up to *version_vector*: what it is asked for, to prove it."""
        self._met = True
        messages: list[Message] = []
        self.requests.give_up_waiting(now_ms)
        for theirs in version_vector:
            ours = self._positions.get(theirs.origin, (0, 0))
            if theirs.sequence == 0:
                continue  # it has published nothing: burst nodes come and go without a trace
            if theirs.origin == self.node:
                if not (self._own_asks or self._is_lost(theirs.generation, theirs.sequence)):
                    continue
            elif (theirs.generation, theirs.sequence) <= ours:
                continue
            if within(DOUBT_MS, self._doubts.get(theirs.origin), now_ms):
                continue
            if not self.requests.may_ask(theirs.origin, peer, now_ms):
                continue
            self.requests.ask(theirs.origin, peer, now_ms)
            self._own_asks -= self._own_asks > 0 and theirs.origin == self.node
            after = ours[1] if ours[0] == theirs.generation and theirs.origin != self.node else 0
            rest = self.requests.rest(theirs.origin, theirs.generation, after)
            if rest is None:
                rest = Want(theirs.origin, theirs.generation, after)
                self._doubted.discard(theirs.origin)
            messages.append(rest)
        return messages

    def _is_lost(self, generation: int, sequence: int) -> bool:
        """Whether our state is lost, or an old copy, if somebody has our log as far as that."""
        ours = self._positions[self.node]
        known, written, reserved = self._unwritten
        is_unwritten = generation == known and written < sequence <= reserved
        return (generation, sequence) > ours or (generation < ours[0] and self._is_new) or is_unwritten

    def _recover(self, theirs: Batch, now_ms: int) -> None:
        """Somebody has more of our log than we wrote, and we signed it."""
        self.counters["generations"] += 1
        generation, sequence = self._positions[self.node]
        self._begin_log(max(now_ms, theirs.generation + 1, generation + 1), max(sequence, theirs.head))
        self._is_new, self._unwritten = False, (0, 0, 0)
        self._own_asks = OWN_ASKS

    @property
    def recovers(self) -> bool:
        """Whether others may have something of our own log that is not here again."""
        asked = self.requests.peer_of(self.node)
        return self._own_asks > 0 or (asked != "" and not self.requests.is_distrusted(asked))

    def compared(self, had_record: bool) -> None:
        """All that this node publishes has been put, and what it published before and has no file is removed.

        Without a record of that (*had_record*), what else of a life before comes back is to go; the next life
        has none either, if this one met nobody.
        """
        self._disowns = not had_record
        self._rows.set_meta("disowns", int(not had_record and not (self._met and not self.recovers)))

    def refused(self, now_ms: int) -> dict[str, int]:
        """Origins of which something is not taken now: milliseconds by which it is dated too far ahead."""
        return {
            origin: excess
            for origin, (excess, at) in self._refused.items()
            if within(10 * DOUBT_MS, at, now_ms)
        }

    def peer_gone(self, peer: str) -> None:
        """What *peer* was asked for will not come."""
        self._pushed.pop(peer, None)
        self.requests.peer_gone(peer)

    def receive(self, peer: str, message: Message, now_ms: int) -> Received:
        """*message* came from *peer*; GossipError only from decoding, never from here."""
        if isinstance(message, Changes):
            return self._receive_changes(peer, message, now_ms)
        if isinstance(message, VersionVector):
            return Received(self.notice(peer, message.positions, now_ms), [])
        if isinstance(message, Want):
            return Received(self._answer(message), [])
        if isinstance(message, Repair):
            self.counters["repaired"] += len(message.items)
            self._proving.learn(message.chains)
            proved, refused = self._proved(unpack(message.heads, message.batches, message.items))
            return Received([], self._merge(self._believed(proved, now_ms), now_ms), refused)
        if isinstance(message, Root) and self.requests.are_under_way(now_ms):
            return Received([], [])  # what is on its way is no silent difference
        return Received(self._compare(message), [])

    # Proofs

    def _proved(self, pairs: list[tuple[Change, Batch]]) -> tuple[list[tuple[Change, Batch]], str]:
        """Those of *pairs* that are of their origin, and what is said of one that is not."""
        proved = self._proving.of_origin(pairs)
        if len(proved) == len(pairs):
            return pairs, ""
        self.counters["unproved"] += len(pairs) - len(proved)
        return proved, "a change is not signed by its origin"

    def _counts(self, change: Change, batch: Batch, beside: int) -> bool:
        """Whether a change of its origin is to be taken, as far as that is this node's own decision.

        *beside*: so many are taken with it.
        """
        if change.clock >> 16 > self._keyring.until(batch.signer):
            self.counters["revoked"] += 1
            return False
        if not self._rows.has_room(change, beside):
            self.counters["no_room"] += 1
            return False
        return True

    def proof(self, origin: str) -> Batch | None:
        """What proves this node's position in the log of *origin*."""
        return self.seal() if origin == self.node else self._proofs.get(origin)

    def revoke(self, revoked: Mapping[bytes, int]) -> list[bytes]:
        """Certificates are revoked as of a time (Unix ms): the paths of what was dated later, and is gone.

        Nor does what they signed prove any more how far a log has come.
        """
        for origin, proof in list(self._proofs.items()):
            if proof.signer in revoked and origin != self.node:
                del self._proofs[origin], self._positions[origin]
                self._rows.forget_position(origin)
        gone = [path for signer, since in revoked.items() for path in self._rows.dated_after(signer, since)]
        for at in range(0, len(gone), CHUNK):
            for path, version in self._rows.clocks(gone[at : at + CHUNK]).items():
                self._repair.buckets.toggle(path, *version)
        self._rows.delete(gone)
        self.counters["revoked"] += len(gone)
        return gone

    # Reading logs

    def _answer(self, want: Want) -> list[Message]:
        position = self._positions.get(want.origin)
        if position is None or position[0] < want.generation:
            return []
        generation, newest = position
        fresh = generation == want.generation
        head = want.head if fresh and 0 < want.head <= newest else newest
        cursor = (want.rank, want.sequence) if fresh else (0, 0)
        self.counters["chunks_sent"] += 1
        return [self._chunk(want.origin, generation, want.after if fresh else 0, head, cursor)]

    def _chunk(self, origin: str, generation: int, after: int, head: int, cursor: tuple[int, int]) -> Changes:
        proof = self.proof(origin)
        found = self._rows.read(origin, after, head, cursor, CHUNK)
        packer = Packer()
        items: list[Item] = []
        last, read = cursor, 0
        for level, change, number in found:
            batch = self._rows.batch(number)
            if batch is not None:  # which is missing only in a file that was damaged meanwhile
                items.append(packer.pack(change, batch))
            last, read = (level, change.sequence), read + 1
            if packer.size >= CHUNK_BYTES:
                break
        done = read == len(found) < CHUNK
        proved = proof is not None and (proof.generation, proof.head) == (generation, head)
        at = packer.add(proof) if proved and proof is not None else None
        batches = tuple(packer.batches)
        return Changes(
            origin, generation, after, head, *last, done, tuple(packer.heads), tuple(items),
            batches, at, self._proving.chains_of(batches),
        )  # fmt: skip

    def _receive_changes(self, peer: str, chunk: Changes, now_ms: int) -> Received:
        origin, generation = chunk.origin, chunk.generation
        self._proving.learn(chunk.chains)
        proof = self._proof_of(chunk, now_ms)
        mine = self._positions.get(origin, (0, 0))
        asked = self.requests.peer_of(origin) == peer
        own = origin == self.node
        follows = chunk.after <= mine[1] if generation == mine[0] else chunk.after == 0
        if not own and not asked and not (follows and generation >= mine[0]):
            # Unasked, and not the next: what is before it first.
            return Received(self.notice(peer, [LogPosition(origin, generation, chunk.head)], now_ms), [])
        self.counters["chunks"] += 1
        pairs, refused = self._proved(
            unpack(chunk.heads, chunk.batches, [(origin, item) for item in chunk.items])
        )
        if proof is None:
            refused = refused or f"that the log of {origin} has come so far is not signed by {origin}"
        believed = self._believed(pairs, now_ms)
        if len(believed) < len(pairs):
            self._doubted.add(origin)
        applied = self._merge(believed, now_ms)
        if refused or proof is None:
            self.requests.fail(origin, peer, now_ms)
            return Received([], applied, refused)
        self.requests.trust(peer)
        if not chunk.done:
            more = Want(origin, generation, chunk.after, chunk.head, chunk.rank, chunk.sequence)
            self.requests.go_on(peer, more, proof, now_ms)
            return Received([more], applied)
        if asked:
            self.requests.end(origin)
        if own:
            self._own_asks = 0 if asked else self._own_asks
        elif origin in self._doubted:
            self._doubted.discard(origin)
            self._doubts[origin] = now_ms
        elif follows and (generation, chunk.head) > mine:
            self._reach(proof)
        return Received([], applied)

    def _proof_of(self, chunk: Changes, now_ms: int) -> Batch | None:
        """What proves the head of *chunk*: comes with it, or came with one before; None: nothing."""
        proof = None if chunk.proof is None else chunk.batches[chunk.proof]
        if proof is not None and self._proving.is_head(proof, chunk.origin, chunk.generation, chunk.head):
            if chunk.origin == self.node and self._is_lost(chunk.generation, chunk.head):
                self._recover(proof, now_ms)
            return proof
        target = self.requests.target(chunk.origin)
        is_same = target is not None and (target.generation, target.head) == (chunk.generation, chunk.head)
        return target if is_same else None

    def _reach(self, proof: Batch) -> None:
        """Everything of a log is here, as far as *proof* says."""
        origin, position = proof.origin, (proof.generation, proof.head)
        self._doubts.pop(origin, None)
        self._refused.pop(origin, None)
        self._positions[origin], self._proofs[origin] = position, proof
        self._rows.set_position(origin, *position, proof)

    def _merge(self, pairs: list[tuple[Change, Batch]], now_ms: int) -> list[Change]:
        """Those of *pairs*, all proved and believed, that win against what is here, taken."""
        if not pairs:
            return []
        self._clock.hear(max(change.clock for change, _ in pairs))
        oldest = self._forgotten_before(now_ms)
        known = self._rows.clocks([change.path for change, _ in pairs])
        winners: dict[bytes, tuple[Change, Batch]] = {}
        again: set[bytes] = set()
        gone: set[bytes] = set()
        for change, batch in pairs:
            version = (change.clock, change.origin)
            before = known.get(change.path)
            if version <= before if before else (change.is_tombstone and change.clock < oldest):
                self.counters["superseded"] += 1
                continue
            if not self._counts(change, batch, len(winners)):
                continue
            if change.path in winners and version <= _version(winners[change.path][0]):
                continue
            if (
                change.origin == self.node
                and change.path in self._alone
                and before
                and before[1] == self.node
            ):
                again.add(change.path)  # it was dated ahead, in a life before this one
                continue
            if change.origin == self.node and self._disowns and before is None and change.records:
                gone.add(change.path)
                continue
            winners.pop(change.path, None)
            winners[change.path] = change, batch
        taken = [(change, self._rows.batch_id(batch)) for change, batch in winners.values()]
        self._take(taken, known)
        for present in filter(None, map(self._rows.get, sorted(again))):
            self.put(present.path, present.modified, present.records, now_ms)
        for path in sorted(gone):
            self.put(path, 0, (), now_ms)
        self.counters["applied"] += len(taken)
        return [change for change, _ in taken]

    def _believed(self, pairs: list[tuple[Change, Batch]], now_ms: int) -> list[tuple[Change, Batch]]:
        """Those of *pairs* that are not dated too far ahead; what is refused is told of."""
        latest = latest_believed(now_ms)
        if all(change.clock <= latest for change, _ in pairs):
            return pairs
        for change, _ in pairs:
            if change.clock > latest:
                self.counters["future_refused"] += 1
                self._refused[change.origin] = ahead(change.clock, now_ms), now_ms
        return [pair for pair in pairs if pair[0].clock <= latest]

    def _take(self, changes: list[tuple[Change, int]], known: dict[bytes, tuple[int, str]]) -> None:
        for change, _ in changes:
            before = known.get(change.path)
            if before is not None:
                self._repair.buckets.toggle(change.path, *before)
            self._repair.buckets.toggle(change.path, change.clock, change.origin)
        self._rows.put(changes)

    # Repair

    def repair_round(self) -> Message:
        """Are our tables equal?  Begins an exchange with some node (:mod:`edge.gossip.repair`)."""
        self.counters["repairs"] += 1
        return self._repair.begin()

    def _compare(self, message: Root | Hashes | Entries | Paths) -> list[Message]:
        replies = self._repair.compare(message)
        self.counters["differing_buckets"] += sum(isinstance(reply, Entries) for reply in replies)
        return replies

    # Time

    def contact(self, now_ms: int) -> None:
        """Another node was there."""
        if not within(60_000, self._contact, now_ms):
            self._contact = now_ms
            self._rows.set_meta("contact", now_ms)

    def too_old(self, now_ms: int) -> bool:
        """Whether deletions may have been forgotten since this node last met another."""
        return 0 < self._contact < now_ms - self._tombstone_ms

    def drop(self, now_ms: int) -> None:
        """Forget everything and begin a new log."""
        generation = self._positions[self.node][0]
        self._rows.clear()
        self._rows.set_meta("generation", generation)
        self._repair.clear()
        self._positions = {}
        self._proofs = {}
        self._open = []
        self.requests.clear()
        self._proving.clear()
        self._contact = 0
        self._begin_log(max(now_ms, generation + 1), 0)
        self._rows.commit()

    def save(self, now_ms: int) -> None:
        """Forget old tombstones, sign, write down clock and position, commit."""
        self._date_anew(now_ms)
        if self._open:
            self.seal()
        if self._grow_older(now_ms):
            self._forget_removals(now_ms)
        if self._rows.meta("clock") != self._clock.newest:
            self._rows.set_meta("clock", self._clock.newest)
        if self._rows.meta("written", -1) != self._positions[self.node][1]:
            self._rows.set_meta("written", self._positions[self.node][1])
        self._rows.commit()

    def _grow_older(self, now_ms: int) -> bool:
        """Count the time that this node has been there, whatever its date; whether a minute of it is over."""
        step, self._saved_ms = now_ms - self._saved_ms, now_ms
        self._rows.age += min(max(step, 0), _MINUTE)
        if self._rows.age < self._look_age:
            return False
        self._look_age = self._rows.age + _MINUTE
        self._rows.set_meta("age", self._rows.age)
        return True

    def _forget_removals(self, now_ms: int) -> None:
        """Those of a day ago: by their date, and by the time that this node has known of them."""
        age = self._rows.age - self._tombstone_ms
        expired = self._rows.expired(self._forgotten_before(now_ms), age, _STEP)
        for path, clock, origin in expired:
            self._repair.buckets.toggle(path, clock, origin)
        if expired:
            self._rows.delete([path for path, _, _ in expired])
            self._look_age = self._rows.age  # there may be more

    def _forgotten_before(self, now_ms: int) -> int:
        """The clock before which deletions are forgotten: a day ago, by the date and by what was heard."""
        return min(now_ms, self._clock.newest >> 16) - self._tombstone_ms << 16

    def _date_anew(self, now_ms: int) -> None:
        """What was dated while this node's own date was further ahead than others believe, is dated now."""
        latest = latest_believed(now_ms)
        if self._clock.newest <= latest:
            return
        self._clock.newest = self._rows.newest(latest)
        for change in self._rows.later_than(latest):
            self.counters["dated_anew"] += 1
            self.put(change.path, change.modified, change.records, now_ms)


def _version(change: Change) -> tuple[int, str]:
    return change.clock, change.origin
