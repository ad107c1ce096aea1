"""The replicated table of one node: change logs, a version vector, anti-entropy.  Last writer wins.

A node has its own change log, and those of the others as far as they have come.  A change is named by
(node, generation, sequence) and dated by a hybrid logical clock; under each path the newest clock counts, the
name of the node breaks a tie.  So the order in which changes arrive does not matter, and all nodes end with
the same table.  What a node has of each log is one number, its position; all positions together are its
*version vector*.  Who has less asks for what is missing by sequence, from anybody who has more.

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
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edge.gossip.buckets import Buckets
from edge.gossip.changes import (
    BUCKET_ENTRIES,
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
    encode_message,
    unpack,
)
from edge.gossip.clock import HybridClock, ahead, latest_believed
from edge.gossip.packet import LogPosition
from edge.gossip.published import PublishedRecord
from edge.gossip.rows import Rows

#: Sequence numbers reserved at a time.
RESERVED = 10_000
#: Milliseconds for which a purge is remembered.
TOMBSTONE_MS = 24 * 3600 * 1000
#: Milliseconds until a request for changes counts as lost.
WANT_MS = 5000
#: Times that others are asked for what they have of our own log: who answers none has nothing.
OWN_ASKS = 5
#: Milliseconds until a log is read again of which something was not taken.
DOUBT_MS = 60_000
#: Buckets whose entries are sent in one repair.
REPAIR_BUCKETS = 16
#: Tombstones forgotten in one step.
_STEP = 100


class Received(NamedTuple):
    """What follows from one message."""

    #: For its sender.
    replies: list[Message]
    #: What counts from now on, in this order.
    applied: list[Change]


class Replica:
    """The replica of the node *node*; *now_ms* everywhere: Unix milliseconds."""

    def __init__(self, node: str, rows: Rows, now_ms: int, tombstone_ms: int = TOMBSTONE_MS) -> None:
        #: Its name.
        self.node = node
        self._rows = rows
        self._tombstone_ms = tombstone_ms
        self.counters: Counter[str] = Counter()
        #: Of what this node itself has published.
        self.published = PublishedRecord(node, rows)
        self._buckets = Buckets()
        self._refused: dict[str, tuple[int, int]] = {}  # origin -> (milliseconds too far ahead, when)
        self._doubted: set[str] = set()  # origins of which something was refused since reading began
        self._doubts: dict[str, int] = {}  # origin -> when something of it was refused
        self._wants: dict[str, tuple[str, int]] = {}  # origin -> (peer, asked at)
        self._rest: dict[str, Want] = {}  # origin -> where reading its log was broken off
        self._pushed: dict[str, int] = {}  # peer -> sequence
        self._urgent_from = 0
        #: Whether our log was begun now: what others have of an earlier one was lost.
        self._is_new = False
        self._own_asks = 0  # how often others are still to be asked for what they have of our own log
        for path, clock, origin in rows.all_clocks():
            self._buckets.toggle(path, clock, origin)
        self._clock = HybridClock(rows.meta("clock"))
        self._positions = rows.positions()
        if node not in self._positions:
            self._begin_log(max(now_ms, rows.meta("generation") + 1), 0)
        else:
            # Numbers up to the reserved one may have been used before a kill.
            self._positions[node] = (self._positions[node][0], rows.meta("reserved"))
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
        change = Change(path, self.node, sequence, self._clock.tick(now_ms), modified, records)
        self._take([change], self._rows.clocks([path]))
        return change

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

    # Version vector and logs

    def version_vector(self) -> tuple[LogPosition, ...]:
        """How far this node has each log."""
        return tuple(LogPosition(origin, *position) for origin, position in self._positions.items())

    def notice(self, peer: str, version_vector: Sequence[LogPosition], now_ms: int) -> list[Message]:
        """*peer* has the logs up to *version_vector*: what to ask it for."""
        messages: list[Message] = []
        for theirs in version_vector:
            ours = self._positions.get(theirs.origin, (0, 0))
            if theirs.sequence == 0:
                continue  # it has published nothing: burst nodes come and go without a trace
            if theirs.origin == self.node:
                self._recover(theirs, now_ms)
                if not self._own_asks:
                    continue
            elif (theirs.generation, theirs.sequence) <= ours:
                continue
            asked = self._wants.get(theirs.origin)
            if asked is not None and _within(WANT_MS, asked[1], now_ms):
                continue
            if _within(DOUBT_MS, self._doubts.get(theirs.origin), now_ms):
                continue
            self._wants[theirs.origin] = (peer, now_ms)
            self._own_asks -= theirs.origin == self.node
            self.counters["wants"] += 1
            after = ours[1] if ours[0] == theirs.generation and theirs.origin != self.node else 0
            rest = self._rest.get(theirs.origin)
            if rest is None or (rest.generation, rest.after) != (theirs.generation, after):
                rest = Want(theirs.origin, theirs.generation, after)
                self._doubted.discard(theirs.origin)
            messages.append(rest)
        return messages

    def _recover(self, theirs: LogPosition, now_ms: int) -> None:
        """If somebody has more of our log than we wrote, our state is lost, or an old copy."""
        generation, sequence = self._positions[self.node]
        is_earlier = theirs.generation < generation
        has_more = (theirs.generation, theirs.sequence) > (generation, sequence)
        if not has_more and not (is_earlier and self._is_new):
            return
        self.counters["generations"] += 1
        sequence = max(sequence, theirs.sequence if theirs.sequence < 1 << 62 else 0)
        self._begin_log(max(now_ms, theirs.generation + 1, generation + 1), sequence)
        self._is_new = False
        self._own_asks = OWN_ASKS

    @property
    def recovers(self) -> bool:
        """Whether others may have something of our own log that is not here again."""
        return self._own_asks > 0

    def refused(self, now_ms: int) -> dict[str, int]:
        """Origins of which something is not taken now: milliseconds by which it is dated too far ahead."""
        return {
            origin: excess
            for origin, (excess, at) in self._refused.items()
            if _within(10 * DOUBT_MS, at, now_ms)
        }

    def peer_gone(self, peer: str) -> None:
        """What *peer* was asked for will not come."""
        self._pushed.pop(peer, None)
        for origin in [origin for origin, asked in self._wants.items() if asked[0] == peer]:
            del self._wants[origin]

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
            believed = self._believed(unpack(message.heads, message.items), now_ms)
            return Received([], self._merge(believed, now_ms))
        if isinstance(message, Root) and any(_within(WANT_MS, at, now_ms) for _, at in self._wants.values()):
            return Received([], [])  # what is on its way is no silent difference
        return Received(self._compare(message), [])

    def _answer(self, want: Want) -> list[Message]:
        position = self._positions.get(want.origin)
        if position is None or position[0] < want.generation:
            return []
        generation, newest = position
        fresh = generation == want.generation
        head = want.head if fresh and 0 < want.head <= newest else newest
        cursor = (min(want.rank, 4), want.sequence) if fresh else (0, 0)
        self.counters["chunks_sent"] += 1
        return [self._chunk(want.origin, generation, want.after if fresh else 0, head, cursor)]

    def _chunk(self, origin: str, generation: int, after: int, head: int, cursor: tuple[int, int]) -> Changes:
        found = self._rows.read(origin, after, head, cursor, CHUNK)
        packer = Packer()
        items: list[Item] = []
        last = cursor
        for level, change in found:
            items.append(packer.pack(change))
            last = (level, change.sequence)
            if packer.size >= CHUNK_BYTES:
                break
        done = len(items) == len(found) < CHUNK
        return Changes(origin, generation, after, head, *last, done, tuple(packer.heads), tuple(items))

    def _receive_changes(self, peer: str, chunk: Changes, now_ms: int) -> Received:
        origin, generation = chunk.origin, chunk.generation
        mine = self._positions.get(origin, (0, 0))
        asked = self._wants.get(origin, ("", 0))[0] == peer
        own = origin == self.node
        follows = chunk.after <= mine[1] if generation == mine[0] else chunk.after == 0
        if not own and not asked and not (follows and generation >= mine[0]):
            # Unasked, and not the next: what is before it first.
            return Received(self.notice(peer, [LogPosition(origin, generation, chunk.head)], now_ms), [])
        self.counters["chunks"] += 1
        believed = self._believed(unpack(chunk.heads, [(origin, item) for item in chunk.items]), now_ms)
        if len(believed) < len(chunk.items):
            self._doubted.add(origin)
        applied = self._merge(believed, now_ms)
        if not chunk.done:
            self._wants[origin] = (peer, now_ms)
            more = Want(origin, generation, chunk.after, chunk.head, chunk.rank, chunk.sequence)
            self._rest[origin] = more
            return Received([more], applied)
        if asked:
            del self._wants[origin]
            self._rest.pop(origin, None)
        if own:
            self._own_asks = 0 if asked else self._own_asks
        elif origin in self._doubted:
            self._doubted.discard(origin)
            self._doubts[origin] = now_ms
        elif follows and (generation, chunk.head) > mine:
            self._doubts.pop(origin, None)
            self._refused.pop(origin, None)
            self._positions[origin] = (generation, chunk.head)
            self._rows.set_position(origin, generation, chunk.head)
        return Received([], applied)

    def _merge(self, changes: list[Change], now_ms: int) -> list[Change]:
        """Those of *changes*, all believed, that win against what is here, taken."""
        if not changes:
            return []
        self._clock.hear(max(change.clock for change in changes))
        oldest = self._forgotten_before(now_ms)
        known = self._rows.clocks([change.path for change in changes])
        winners: dict[bytes, Change] = {}
        for change in changes:
            version = (change.clock, change.origin)
            before = known.get(change.path)
            if version <= before if before else (change.is_tombstone and change.clock < oldest):
                self.counters["superseded"] += 1
                continue
            if change.path in winners and version <= _version(winners[change.path]):
                continue
            winners.pop(change.path, None)
            winners[change.path] = change
        applied = list(winners.values())
        self._take(applied, known)
        self.counters["applied"] += len(applied)
        return applied

    def _believed(self, changes: list[Change], now_ms: int) -> list[Change]:
        """Those of *changes* that are not dated too far ahead; what is refused is told of."""
        latest = latest_believed(now_ms)
        if all(change.clock <= latest for change in changes):
            return changes
        for change in changes:
            if change.clock > latest:
                self.counters["future_refused"] += 1
                self._refused[change.origin] = ahead(change.clock, now_ms), now_ms
        return [change for change in changes if change.clock <= latest]

    def _take(self, changes: list[Change], known: dict[bytes, tuple[int, str]]) -> None:
        for change in changes:
            before = known.get(change.path)
            if before is not None:
                self._buckets.toggle(change.path, *before)
            self._buckets.toggle(change.path, change.clock, change.origin)
        self._rows.put(changes)

    # Repair

    def repair_round(self) -> Message:
        """Are our tables equal?  Begins an exchange with some node."""
        self.counters["repairs"] += 1
        return Root(self._buckets.root)

    def _compare(self, message: Root | Hashes | Entries | Paths) -> list[Message]:
        if isinstance(message, Root):
            return [] if message.hash == self._buckets.root else [Hashes(self._buckets.to_bytes())]
        if isinstance(message, Hashes):
            differing = list(self._buckets.differing(message.hashes))[:REPAIR_BUCKETS]
            self.counters["differing_buckets"] += len(differing)
            replies: list[Message] = [
                Entries(number, tuple(self._rows.bucket(number)[:BUCKET_ENTRIES])) for number in differing
            ]
            # More may differ than one round takes: go on as long as something does.
            return [*replies, self.repair_round()] if len(differing) == REPAIR_BUCKETS else replies
        if isinstance(message, Paths):
            return self._repairs(message.paths)
        ours = {path: (clock, origin) for path, clock, origin in self._rows.bucket(message.bucket)}
        theirs = {path: (clock, origin) for path, clock, origin in message.entries}
        ahead = [path for path, version in ours.items() if version > theirs.get(path, (-1, ""))]
        behind = [path for path, version in theirs.items() if version > ours.get(path, (-1, ""))]
        messages = self._repairs(ahead[:CHUNK])
        return [*messages, Paths(tuple(behind[:CHUNK]))] if behind else messages

    def _repairs(self, paths: Iterable[bytes]) -> list[Message]:
        packer = Packer()
        found = [change for path in paths if (change := self._rows.get(path)) is not None]
        items = tuple((change.origin, packer.pack(change)) for change in found)
        return [Repair(tuple(packer.heads), items)] if items else []

    # Time

    def contact(self, now_ms: int) -> None:
        """Another node was there."""
        if not _within(60_000, self._contact, now_ms):
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
        self._buckets = Buckets()
        self._positions = {}
        self._rest.clear()
        self._contact = 0
        self._begin_log(max(now_ms, generation + 1), 0)
        self._rows.commit()

    def save(self, now_ms: int) -> None:
        """Forget old tombstones, write down clock and position, commit."""
        self._date_anew(now_ms)
        expired = self._rows.expired(self._forgotten_before(now_ms), _STEP)
        for path, clock, origin in expired:
            self._buckets.toggle(path, clock, origin)
        if expired:
            self._rows.delete(path for path, _, _ in expired)
        if self._rows.meta("clock") != self._clock.newest:
            self._rows.set_meta("clock", self._clock.newest)
        self._rows.commit()

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


def _within(milliseconds: int, since: int | None, now_ms: int) -> bool:
    """Whether *since* is less than so long ago; not when it is yet to come: the date was set back."""
    return since is not None and 0 <= now_ms - since < milliseconds


def _version(change: Change) -> tuple[int, str]:
    return change.clock, change.origin
