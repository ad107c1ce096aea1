"""Coalescing in a cluster: of all nodes that miss a key one asks the application, the others wait for it.

Sans-IO.  Each key has an *owner*, by rendezvous hashing over the nodes that are connected and have the
application.  The owner does not fill: it gives the lease, as a node's own leases do among its readers::

    b  want /ranking  ---> owner: nobody fills it: "fill"       b asks the application, stores the answer
    c  want /ranking  ---> owner: "waits"                       c's readers wait
    b  done, entry    ---> owner: "told, entry, held by b" --->  c takes the entry, and its bodies

Small bodies ride along with the entry, the others are pulled from who holds them.

So it is always a node with a reader that asks, and an owner that dies takes nothing with it: who has waited
asks the next one.  A filler that dies, is slow (:data:`FILL_SECONDS`), or whose answer a change has spoiled
loses the lease to the next who waits.  Who waits asks again now and then, since an owner may have forgotten
it with a stream.  What was filled, and whose bodies are still on their way to the owner, is told to who comes
meanwhile, too.

An owner that says nothing for :data:`OWNER_SECONDS` may be gone, or have too much to do, which is when it
matters most that not every node asks the application.  So the next one is asked, the owner among those that
are left, which is the same for all.  Only when that one is silent as well, a node does without.  Silence is
what two looks in a row find: a node that was itself held up has read what had come when it looks again.

What is told is checked by who takes it against the changes that it knows
(:meth:`edge.cache.groups.Groups.spoils_from`): so neither a slow owner nor a late message makes a reader see
what was before a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from edge.gossip.entries import (
    AGAIN,
    FAILED,
    PASS,
    STORED,
    Applications,
    Bodies,
    Done,
    Entry,
    EntryMessage,
    Fill,
    Told,
    Vector,
    Waits,
    Want,
)
from edge.gossip.rendezvous import owner_of

#: Seconds that a filler has, whatever its application is given.
FILL_SECONDS = 40.0
#: Seconds within which an owner says what becomes of a key, and after which who waits asks again.
OWNER_SECONDS, ASK_AGAIN = 1.0, 2.0
#: Owners that are waited for, one after the other, before a node does without.
OWNERS_TRIED = 2
#: Seconds between two looks for who is late.
TICK_SECONDS = 0.25
#: Keys for which leases are kept for the others, and how many one node may want at a time.
LEASES, WANTS = 65_536, 16_384


class Send(NamedTuple):
    """Send *message* to the node *to* over its stream; it may be lost with the stream."""

    to: str
    message: EntryMessage


class FillHere(NamedTuple):
    """This node asks the application for *name*; :meth:`Coalescing.done` is to be called."""

    application: str
    name: bytes


class Offer(NamedTuple):
    """*holder* has the bodies of *entry*, vouched for as of *vector*; *bodies*: those that may ride."""

    entry: Entry
    vector: Vector
    holder: str
    bodies: Bodies = ()


class TakeEntry(NamedTuple):
    """*holder* has the bodies of *entry*, vouched for as of *vector*; *wanted*: readers here wait for it.

    *bodies*: what came along and claims to be those.
    """

    entry: Entry
    holder: str
    vector: Vector
    wanted: bool
    bodies: Bodies = ()


class NotShared(NamedTuple):
    """The answer for *name* is not to be shared, or (*failed*) there was none: who waits asks for itself."""

    name: bytes
    failed: bool


Output = Send | FillHere | TakeEntry | NotShared


@dataclass(slots=True)
class _Want:
    """A key that this node wants."""

    application: str
    name: bytes
    number: int
    owner: str
    #: Until when the owner has to say something; None: this node fills it.
    until: float | None = None
    #: The owner has said that somebody fills it.
    waits: bool = False
    #: The last look found that the time of a silent owner was over.
    late: bool = False
    #: Owners that have said nothing in time.
    silent: tuple[str, ...] = ()

    @property
    def fills(self) -> bool:
        """Whether this node asks the application."""
        return self.until is None


@dataclass(slots=True)
class _Lease:
    """A key of this owner that a node fills."""

    key: bytes
    holder: str
    number: int
    until: float
    #: Node -> the number of its question.
    waiters: dict[str, int] = field(default_factory=dict)


class Coalescing:
    """The wants of the node *name*, and the leases that it gives to all.

    *have*: what there is of a key, if it is fresh; None: nothing.
    """

    def __init__(
        self,
        name: str,
        have: Callable[[bytes], Offer | None],
        fill_seconds: float = FILL_SECONDS,
    ) -> None:
        self.name = name
        #: Fills without a lease, since owners said nothing: more than one node may ask for the same then.
        self.alone = 0
        #: Connected node -> its applications.
        self.nodes: dict[str, frozenset[str]] = {}
        self._applications: frozenset[str] = frozenset()
        self._have = have
        self._fill_seconds = fill_seconds
        self._wants: dict[bytes, _Want] = {}
        self._by_number: dict[int, _Want] = {}
        self._leases: dict[bytes, _Lease] = {}
        #: Of each node: the keys that it fills or waits for here, by the numbers of its questions.
        self._asked: dict[str, dict[int, bytes]] = {}
        self._number = 0
        self._now = 0.0
        self._out: list[Output] = []

    def set_applications(self, names: Iterable[str]) -> None:
        """What this node can fill."""
        self._applications = frozenset(names)
        for node in self.nodes:
            self._send(node, Applications(tuple(sorted(self._applications))))

    def want(self, application: str, name: bytes, now: float) -> None:
        """Readers here wait for *name*: one of FillHere, TakeEntry, NotShared will come of it."""
        self._now = max(self._now, now)
        if name not in self._wants:
            self._number += 1
            want = _Want(application, name, self._number, "")
            self._wants[name] = self._by_number[want.number] = want
            self._ask(want)

    def done(
        self,
        name: bytes,
        outcome: int,
        now: float,
        entry: Entry | None = None,
        vector: Vector = (),
        bodies: Bodies = (),
    ) -> None:
        """The fill of *name* that FillHere asked for is over."""
        self._now = max(self._now, now)
        want = self._wants.get(name)
        if want is not None and want.fills:
            self._forget(want)
            self._send(want.owner, Done(want.number, outcome, vector, entry, bodies))

    def outputs(self) -> list[Output]:
        """What is to be done since the last call."""
        out, self._out = self._out, []
        return out

    # What happens to the others

    def connected(self, node: str, now: float) -> None:
        """A stream to *node* is open."""
        self._now = max(self._now, now)
        self.nodes.setdefault(node, frozenset())
        self._send(node, Applications(tuple(sorted(self._applications))))

    def disconnected(self, node: str, now: float) -> None:
        """The last stream to *node* has ended."""
        self._now = max(self._now, now)
        self.nodes.pop(node, None)
        for key in list(self._asked.pop(node, {}).values()):
            lease = self._leases.get(key)
            if lease is not None:
                lease.waiters.pop(node, None)
                if lease.holder == node:
                    self._hand_on(lease)
        for want in list(self._wants.values()):
            if want.owner == node and not want.fills:
                self._ask(want)

    def receive(self, sender: str, message: EntryMessage, now: float) -> None:
        """*message* from the authenticated *sender*."""
        self._now = max(self._now, now)
        if isinstance(message, Applications):
            if sender in self.nodes:
                self.nodes[sender] = frozenset(message.names)
        elif isinstance(message, Want):
            self._hear_want(sender, message)
        elif isinstance(message, Done):
            self._hear_done(sender, message)
        elif isinstance(message, Waits | Fill | Told):
            want = self._by_number.get(message.number)
            if want is not None and (want.owner == sender or _is_late_entry(want, sender, message)):
                self._hear_owner(want, message)
            elif isinstance(message, Fill):
                self._send(sender, Done(message.number, AGAIN))  # nobody here wants it any more

    # Time

    def tick(self, now: float) -> None:
        """Do what is due; to be called every :data:`TICK_SECONDS` or so."""
        self._now = max(self._now, now)
        for want in [one for one in self._wants.values() if one.until is not None and one.until <= self._now]:
            if want.waits:
                self._ask(want)
            elif not want.late:
                want.late = True
            else:
                self._do_without(want)
        for lease in [one for one in self._leases.values() if one.until <= self._now]:
            self._hand_on(lease)

    # Who wants

    def _do_without(self, want: _Want) -> None:
        """The owner says nothing: ask the next one, or nobody any more."""
        want.silent += (want.owner,)
        if len(want.silent) < OWNERS_TRIED:
            self._ask(want)
        else:
            self.alone += 1
            self._fill(want)

    def _ask(self, want: _Want) -> None:
        able = [
            node
            for node, applications in self.nodes.items()
            if want.application in applications and node not in want.silent
        ]
        want.owner = owner_of(want.name, [self.name, *able])
        want.until, want.waits, want.late = self._now + OWNER_SECONDS, False, False
        self._send(want.owner, Want(want.number, want.application, want.name))

    def _hear_owner(self, want: _Want, message: Waits | Fill | Told) -> None:
        if want.fills:
            return
        if isinstance(message, Waits):
            want.until, want.waits = self._now + ASK_AGAIN, True
        elif isinstance(message, Fill):
            self._fill(want)
        elif message.outcome == AGAIN:
            self._ask(want)
        else:
            self._forget(want)
            if message.entry is not None and message.entry.name == want.name:
                self._out.append(
                    TakeEntry(message.entry, message.holder, message.vector, True, message.bodies)
                )
            else:
                self._out.append(NotShared(want.name, message.outcome != PASS))

    def _fill(self, want: _Want) -> None:
        want.until = None
        self._out.append(FillHere(want.application, want.name))

    def _forget(self, want: _Want) -> None:
        del self._wants[want.name], self._by_number[want.number]

    # Who owns

    def _hear_want(self, node: str, want: Want) -> None:
        asked = self._asked.setdefault(node, {})
        key = _key(want.name)
        lease = self._leases.get(key)
        found = self._have(want.name) if lease is None else None
        if found is not None and found.holder != node:
            entry, vector, holder, bodies = found
            self._send(node, Told(want.number, STORED, holder, vector, entry, bodies))
        elif len(asked) >= WANTS or len(self._leases) >= LEASES:
            self._send(node, Told(want.number, FAILED))
        elif lease is None:
            asked[want.number] = key
            self._give(_Lease(key, node, want.number, 0.0))
        elif (lease.holder, lease.number) == (node, want.number):
            self._send(node, Fill(want.number))
        else:
            asked[want.number] = key
            lease.waiters[node] = want.number
            self._send(node, Waits(want.number))

    def _give(self, lease: _Lease) -> None:
        lease.until = self._now + self._fill_seconds
        self._leases[lease.key] = lease
        self._send(lease.holder, Fill(lease.number))

    def _hand_on(self, lease: _Lease) -> None:
        """Its holder has gone, is slow, or has nothing: the next who waits fills."""
        self._asked.get(lease.holder, {}).pop(lease.number, None)
        if not lease.waiters:
            del self._leases[lease.key]
            return
        lease.holder = next(iter(lease.waiters))
        lease.number = lease.waiters.pop(lease.holder)
        self._give(lease)

    def _hear_done(self, node: str, done: Done) -> None:
        key = self._asked.get(node, {}).get(done.number)
        lease = self._leases.get(key) if key is not None else None
        if lease is None or (lease.holder, lease.number) != (node, done.number):
            return  # too late: another one fills it
        if done.outcome == AGAIN or (done.entry is not None and _key(done.entry.name) != key):
            self._hand_on(lease)
            return
        del self._leases[lease.key]
        self._asked[node].pop(done.number, None)
        for waiter, number in lease.waiters.items():
            self._asked.get(waiter, {}).pop(number, None)
            self._send(waiter, Told(number, done.outcome, node, done.vector, done.entry, done.bodies))
        if done.entry is not None and self.name not in (node, *lease.waiters):
            self._out.append(TakeEntry(done.entry, node, done.vector, False, done.bodies))

    def _send(self, to: str, message: EntryMessage) -> None:
        if to == self.name:
            self.receive(to, message, self._now)
        else:
            self._out.append(Send(to, message))


def _is_late_entry(want: _Want, sender: str, message: EntryMessage) -> bool:
    """Whether an owner that was silent for too long has what is wanted after all."""
    return sender in want.silent and isinstance(message, Told) and message.outcome == STORED


def _key(name: bytes) -> bytes:
    """What stands for a name of up to 16 KiB, so that who wants ever new keys costs no more for long ones."""
    return blake2b(name, digest_size=16).digest()
