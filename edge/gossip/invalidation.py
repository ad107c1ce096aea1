"""Invalidation in a cluster: each node tells all others which cache groups changed, and waits for them.

Sans-IO: messages and the time go in, :meth:`Invalidation.outputs` come out.  One change::

    a  changed(groups)      in force at a; number 8 of a's log; "changed 8" to everybody connected
    b  "changed 8"          in force at b, at once; "settled 8" back
    c  "changed 8"          likewise
    a  settled by all, or PATIENCE is over, or whoever is left has lost its stream: a's writer is answered

**Whoever misses something knows.**  Changes are numbered.  A node that connects says how far it has the
other's log, and is told the rest; what is not kept any more (:data:`KEPT`) makes everything that is cached of
the applications in question *doubtful* here: it is confirmed by the application before it is answered again.
A life of the other whose former life is not the one whose goodbye was heard here makes everything so: nobody
can tell what was changed in between.

**Whoever hears nothing knows, too.**  A node asks every other one how far its log is, every quarter of a
lease; the answer says that nothing is missing as of the moment at which it was *asked*, so that an answer
which waited in some buffer renews nothing.  :meth:`Invalidation.sure_until` is when the first of these leases
ends: from then on nothing cached may be answered unconfirmed.  When a member is declared dead the others go
on without it: everything is doubted once, and as long as it may come back what is cached lives no longer than
a lease (:attr:`Invalidation.apart`); likewise after the start, until one of those that are expected was met,
and while one that is met knows of a dead one.  So an answer of a node that was cut off is at most a lease
older than a change.

A node speaks of its own changes alone, over streams that are authenticated, so none can be forged or kept
back by a third one.  What a member with evil intent can do is to have caches emptied; ``doubts`` and
``applied`` count by whom.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from edge.cache.group_changes import EVERYTHING, Change, Stamp
from edge.gossip.group_messages import (
    APPLICATIONS,
    Ask,
    Changed,
    Forgotten,
    Greeting,
    GroupMessage,
    Position,
    Settled,
)
from edge.gossip.packet import NODES

#: Seconds for which a writer waits for the other nodes, at most.
PATIENCE = 0.1
#: Own changes that are kept for who connects later, and characters of their groups.
KEPT, KEPT_CHARACTERS = 1024, 256 * 1024
#: Questions of one lease: one may be lost, or late.
QUESTIONS = 4
#: Changes that arrived before one that is missing; more are forgotten, and told again.
AHEAD = 1024
#: Seconds after which a node that has left is not vouched for any more.
FORGET = 60.0
#: Seconds between two times that one node is told everything again.
REPEAT = 0.25

#: Called with a change, who made it, and its position: in force when it returns.
Apply = Callable[[Change, str, Stamp], None]


class Tell(NamedTuple):
    """Send *message* to the node *to* over its stream; it may be lost with the stream."""

    to: str
    message: GroupMessage


class ChangeSettled(NamedTuple):
    """Own change number *sequence* is in force at all connected nodes, but for *unsettled*."""

    sequence: int
    unsettled: frozenset[str]


class NodeForgotten(NamedTuple):
    """*name* has left a while ago: its changes are not compared any more."""

    name: str


Output = Tell | ChangeSettled | NodeForgotten


class Neighbour:
    """Another node, as far as its log of changes goes."""

    def __init__(self, now: float) -> None:
        #: A stream is open.
        self.connected = False
        #: It is a member, alive as far as is known; it is dead, and has not said goodbye.
        self.required = self.dead = False
        #: Which life of it; 0: unknown.
        self.generation = 0
        #: Everything up to here has been applied; beyond it these.
        self.position = 0
        self.ahead: set[int] = set()
        #: It knows of a node that is dead.
        self.apart = False
        #: It has said goodbye at its present position.
        self.left = False
        #: When it was no member any more; None: it is one, or is forgotten.
        self.gone_at: float | None = None
        #: As of when nothing of it was missing here.
        self.complete_at = now
        #: Questions on their way: number -> when it was asked.
        self.asked: dict[int, float] = {}
        #: When it was told again what it lacks.
        self.told_at = -REPEAT
        #: Changes applied, and times at which it made everything doubtful.
        self.applied = self.doubts = 0

    def has(self, sequence: int) -> bool:
        """Whether its change *sequence* is in force here."""
        return sequence <= self.position or sequence in self.ahead

    def take(self, sequence: int) -> None:
        """Its change *sequence* is in force here from now on."""
        self.ahead.add(sequence)
        while self.position + 1 in self.ahead:
            self.position += 1
            self.ahead.remove(self.position)
        if len(self.ahead) > AHEAD:
            self.ahead.remove(max(self.ahead))

    def take_all(self, sequence: int) -> None:
        """As :meth:`take`, of everything up to *sequence*."""
        self.position = max(self.position, sequence)
        self.ahead = {one for one in self.ahead if one > self.position}
        while self.position + 1 in self.ahead:
            self.position += 1
            self.ahead.remove(self.position)


class Invalidation:
    """The changes of cache groups of the node *name*, in its life *generation*, and those of the others.

    *former*: the life before it, 0 if there was none.  *apply* puts a change in force on this node; *lease*:
    seconds.
    """

    def __init__(
        self,
        name: str,
        generation: int,
        former: int,
        apply: Apply,
        lease: float,
        now: float,
        kept: int = KEPT,
    ) -> None:
        self.name = name
        self.generation = generation
        #: There are other nodes, none of which has said yet how far it is.
        self.expects = False
        self._former = former
        self.sequence = 0
        self.neighbours: dict[str, Neighbour] = {}
        self._apply = apply
        self._lease = lease
        self._now = now
        self._kept: deque[Changed] = deque()
        self._most_kept = kept
        self._characters = 0
        #: Application -> the last of its changes that are not kept any more.
        self._dropped: dict[str | None, int] = {}
        #: Own changes that are being settled: who is waited for, and until when.
        self._settling: dict[int, tuple[set[str], float]] = {}
        #: Who of a change had lost its stream.
        self._lost: dict[int, set[str]] = {}
        self._number = 0
        self._ask_at = now
        self._out: list[Output] = []

    # What this node does

    def changed(self, change: Change, now: float) -> int:
        """*change* is in force here when it returns; its number, which ChangeSettled will bear."""
        self._now = max(self._now, now)
        self.sequence += 1
        groups = None if change.groups is None else tuple(sorted(change.groups))
        message = Changed(self.generation, self.sequence, change.application, groups, change.addresses)
        self._keep(message)
        self._apply(change, self.name, Stamp(self.generation, self.sequence))
        waits = {name for name, one in self.neighbours.items() if one.connected}
        self._out += [Tell(name, message) for name in sorted(waits)]
        self._settling[self.sequence] = waits, self._now + PATIENCE
        self._look(self.sequence)
        return self.sequence

    def leave(self, now: float) -> None:
        """Say goodbye: nothing will be changed here any more."""
        self._now = max(self._now, now)
        self._out += [
            Tell(name, Position(self.generation, 0, self.sequence, True))
            for name, one in self.neighbours.items()
            if one.connected
        ]

    def outputs(self) -> list[Output]:
        """What is to be done since the last call."""
        out, self._out = self._out, []
        return out

    # What is known of the others

    def vector(self) -> dict[str, Stamp]:
        """How far this node has the changes of each: what its cached answers are true as of."""
        others = {
            name: Stamp(one.generation, one.position)
            for name, one in self.neighbours.items()
            if one.required or one.dead or one.gone_at is not None
        }
        return {**others, self.name: Stamp(self.generation, self.sequence)}

    def sure_until(self) -> float | None:
        """Until when cached answers may be given unconfirmed; None: nobody could make one old."""
        return min(
            (one.complete_at + self._lease for one in self.neighbours.values() if one.required), default=None
        )

    @property
    def dead(self) -> list[str]:
        """Nodes that are dead without a goodbye, as far as is known here."""
        return [name for name, one in self.neighbours.items() if one.dead]

    @property
    def apart(self) -> bool:
        """Whether a node may be answering, and changing, where this one hears nothing of it."""
        others = self.neighbours.values()
        return self.expects or any(one.dead or (one.connected and one.apart) for one in others)

    # What happens to the others

    def joined(self, name: str, now: float) -> None:
        """*name* is a member, and not known to be dead."""
        self._now = max(self._now, now)
        neighbour = self._neighbour(name)
        if neighbour is not None and not neighbour.required:
            neighbour.required, neighbour.dead, neighbour.gone_at = True, False, None
            neighbour.complete_at = max(neighbour.complete_at, self._now)

    def died(self, name: str, now: float) -> None:
        """*name* is declared dead: what it has changed since it was heard of is not known here."""
        self._now = max(self._now, now)
        neighbour = self.neighbours.get(name)
        if neighbour is None or not neighbour.required:
            return
        if neighbour.left:
            self.left(name, now)
            return
        neighbour.required, neighbour.dead = False, True
        self._doubt(name, neighbour)

    def left(self, name: str, now: float) -> None:
        """*name* has said goodbye to the cluster, or is forgotten."""
        self._now = max(self._now, now)
        neighbour = self.neighbours.get(name)
        if neighbour is not None:
            self._lose(name)
            if neighbour.required and not neighbour.left:
                self._doubt(name, neighbour)
            neighbour.connected = neighbour.required = neighbour.dead = False
            neighbour.gone_at = self._now

    def connected(self, name: str, now: float) -> None:
        """A stream to *name* is open."""
        self._now = max(self._now, now)
        neighbour = self._neighbour(name)
        if neighbour is not None:
            neighbour.connected = True
            neighbour.asked.clear()
            neighbour.told_at = -REPEAT
            self._greet(name, neighbour)
            self._ask(name, neighbour)

    def disconnected(self, name: str, now: float) -> None:
        """The last stream to *name* has ended."""
        self._now = max(self._now, now)
        if name in self.neighbours:
            self.neighbours[name].connected = False
            self._lose(name)

    def receive(self, sender: str, message: GroupMessage, now: float) -> None:
        """*message* from the authenticated *sender*."""
        self._now = max(self._now, now)
        neighbour = self._neighbour(sender)
        if neighbour is None:
            return
        if isinstance(message, Greeting):
            self._hear_greeting(sender, neighbour, message)
        elif isinstance(message, Changed):
            self._hear_change(sender, neighbour, message)
        elif isinstance(message, Settled):
            if message.generation == self.generation and message.sequence in self._settling:
                self._settling[message.sequence][0].discard(sender)
                self._look(message.sequence)
        elif isinstance(message, Forgotten):
            if message.generation == neighbour.generation and message.sequence > neighbour.position:
                neighbour.take_all(message.sequence)
                self._doubt(sender, neighbour, message.applications)
        elif isinstance(message, Ask):
            apart = bool(self.dead)
            position = Position(self.generation, message.number, self.sequence, apart=apart)
            self._out.append(Tell(sender, position))
        else:
            self._hear_position(sender, neighbour, message)

    # Time

    @property
    def next_at(self) -> float:
        """When :meth:`tick` is wanted."""
        return min([self._ask_at, *(until for _, until in self._settling.values())])

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._now = max(self._now, now)
        for sequence, (_, until) in list(self._settling.items()):
            if until > self._now:
                break  # they are in the order of time
            self._look(sequence, late=True)
        if self._now >= self._ask_at:
            self._ask_at = self._now + self._lease / QUESTIONS
            for name, neighbour in self.neighbours.items():
                if neighbour.connected:
                    self._ask(name, neighbour)
                if neighbour.gone_at is not None and self._now >= neighbour.gone_at + FORGET:
                    neighbour.gone_at = None
                    self._out.append(NodeForgotten(name))

    # Inside

    def _neighbour(self, name: str) -> Neighbour | None:
        found = self.neighbours.get(name)
        if found is None and name != self.name and self._has_room():
            found = self.neighbours[name] = Neighbour(self._now)
        return found

    def _has_room(self) -> bool:
        """Whether one node more is kept; one that has left makes room."""
        if len(self.neighbours) < NODES:
            return True
        for name, one in self.neighbours.items():
            if not (one.connected or one.required or one.dead or one.gone_at is not None):
                del self.neighbours[name]
                return True
        return False

    def _keep(self, message: Changed) -> None:
        self._kept.append(message)
        self._characters += _characters(message)
        while len(self._kept) > self._most_kept or self._characters > KEPT_CHARACTERS:
            dropped = self._kept.popleft()
            self._characters -= _characters(dropped)
            self._dropped[dropped.application] = dropped.sequence

    def _greet(self, name: str, neighbour: Neighbour) -> None:
        greeting = Greeting(self.generation, self._former, neighbour.generation, neighbour.position)
        self._out.append(Tell(name, greeting))

    def _ask(self, name: str, neighbour: Neighbour) -> None:
        self._number += 1
        neighbour.asked[self._number] = self._now
        while len(neighbour.asked) > QUESTIONS:
            del neighbour.asked[next(iter(neighbour.asked))]
        self._out.append(Tell(name, Ask(self._number)))

    def _hear_greeting(self, name: str, neighbour: Neighbour, greeting: Greeting) -> None:
        if neighbour.generation != greeting.generation:
            heard = greeting.former == neighbour.generation and (neighbour.left or not neighbour.generation)
            neighbour.generation, neighbour.position, neighbour.left = greeting.generation, 0, False
            neighbour.ahead.clear()
            if not heard:
                self._doubt(name, neighbour)
        if greeting.of != self.generation:
            self._greet(name, neighbour)  # it has not met this life yet
        known = greeting.position if greeting.of == self.generation else 0
        if known < self.sequence and self._now >= neighbour.told_at + REPEAT:
            neighbour.told_at = self._now
            self._tell_again(name, known)

    def _tell_again(self, name: str, known: int) -> None:
        """Every change after *known*, as far as they are kept."""
        missing = [one for one in self._kept if one.sequence > known]
        oldest = missing[0].sequence - 1 if missing else self.sequence
        if oldest > known:
            self._out.append(Tell(name, Forgotten(self.generation, oldest, self._dropped_since(known))))
        self._out += [Tell(name, one) for one in missing]

    def _dropped_since(self, known: int) -> tuple[str, ...] | None:
        """The applications whose changes after *known* are not kept any more; None: they cannot be told."""
        dropped = [application for application, last in self._dropped.items() if last > known]
        named = tuple(sorted(application for application in dropped if application is not None))
        return named if len(named) == len(dropped) <= APPLICATIONS else None

    def _hear_change(self, name: str, neighbour: Neighbour, change: Changed) -> None:
        stamp = Stamp(change.generation, change.sequence)
        if change.generation != neighbour.generation:
            # Its greeting was overtaken, or it is of a former life: what was before it is not known.
            self._apply(change.change, name, stamp)
            return
        if not neighbour.has(change.sequence):
            neighbour.applied += 1
            self._apply(change.change, name, stamp)
            neighbour.take(change.sequence)
        self._out.append(Tell(name, Settled(change.generation, change.sequence)))

    def _hear_position(self, name: str, neighbour: Neighbour, position: Position) -> None:
        asked_at = neighbour.asked.pop(position.number, None)
        if (neighbour.generation, neighbour.position) < (position.generation, position.sequence):
            if asked_at is not None:
                self._greet(name, neighbour)  # something was lost: tell it again
        elif neighbour.generation != position.generation:
            pass  # of a former life
        elif position.leaves:
            neighbour.left = True
        elif asked_at is not None:
            neighbour.complete_at = max(neighbour.complete_at, asked_at)
            neighbour.apart = position.apart
            self.expects = False

    def _doubt(self, name: str, neighbour: Neighbour, applications: Iterable[str] | None = None) -> None:
        """What *name* has changed may be unknown: everything of *applications*, None: of all, is doubtful."""
        neighbour.doubts += 1
        changes = [EVERYTHING] if applications is None else [Change(one, None) for one in applications]
        for change in changes:
            self._apply(change, name, Stamp(neighbour.generation, neighbour.position))

    def _lose(self, name: str) -> None:
        """*name* is not connected any more: nobody waits for it."""
        for sequence, (waits, _) in list(self._settling.items()):
            if name in waits:
                waits.remove(name)
                self._lost.setdefault(sequence, set()).add(name)
                self._look(sequence)

    def _look(self, sequence: int, late: bool = False) -> None:
        """Whether own change *sequence* is settled, or has to be, since it is *late*."""
        if sequence not in self._settling:
            return
        waits, _ = self._settling[sequence]
        if not waits or late:
            del self._settling[sequence]
            lost = self._lost.pop(sequence, set())
            self._out.append(ChangeSettled(sequence, frozenset(waits | lost)))


def _characters(message: Changed) -> int:
    return 100 + sum(map(len, message.groups or ())) + sum(map(len, message.addresses))
