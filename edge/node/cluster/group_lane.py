"""The shell of cache groups: changes made here, told on stream lane 5, and the lease of stored answers.

A change comes from the answer to an unsafe method, from an application's own word, or from ``edgectl purge
--group``; never from a visitor.  :meth:`GroupLane.changed` puts it in force on this node before it returns,
and its Deferred fires when every connected node has settled, at the latest after
:data:`edge.gossip.invalidation.PATIENCE`.  A node alone settles at once.

Stored answers have a lease in shared memory (:mod:`edge.table.layout`), so that the fast path lets go by
itself when this node has lost touch with a member, also while this process hangs.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.cache.group_changes import Change
from edge.cache.group_fields import GroupsError, check_groups
from edge.gossip.group_messages import decode_group_message, encode_group_message
from edge.gossip.invalidation import PATIENCE, ChangeSettled, Tell
from edge.gossip.packet import DEAD, LEFT
from edge.node.process.counted_log import CountedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from edge.cache.group_changes import Stamp
    from edge.cache.groups import Groups
    from edge.gossip.invalidation import Apply, Invalidation

#: Times that settling took which are remembered.
_TIMES = 1024


class StoredAnswers(Protocol):
    """The answers of applications in the table: :class:`edge.node.supervisor.answers.AnswerStore`."""

    #: Seconds to which lifetimes are cut; None: they are not.
    longest: float | None

    def take_back(self, numbers: Iterable[int]) -> None:
        """Take these answers away at once: their groups have changed."""

    def hold(self, seconds: float | None) -> None:
        """Answers are fresh for so long at most; None: for as long as they say."""

    def doubt(self, application: str | None) -> None:
        """All answers of *application* are doubtful; None: of each."""

    def invalidate(self, address: bytes) -> None:
        """What is stored under this name goes, and what is being asked for it is not stored."""


def changes_to(groups: Groups, answers: StoredAnswers, told: Apply | None = None) -> Apply:
    """What puts changes in force: in *groups*, and on the *answers* that are stored; *told* of each then."""

    def apply(change: Change, origin: str, stamp: Stamp) -> None:
        gone = groups.apply(change, origin, stamp)
        if gone is None:
            answers.doubt(change.application)
        else:
            answers.take_back(gone)
        for address in change.addresses:
            answers.invalidate(address)
        if told is not None:
            told(change, origin, stamp)

    return apply


class GroupLane:
    """Cache groups of this node, and what other nodes say of theirs.

    *send*: (node, message) over a stream of it, if there is one.  *clock*: seconds that do not jump, as
    membership has them.
    """

    _log = Logger()

    def __init__(
        self,
        core: Invalidation,
        groups: Groups,
        answers: StoredAnswers,
        lease_seconds: float,
        send: Callable[[str, bytes], bool],
        clock: Callable[[], float],
        reactor: Any,
    ) -> None:
        self.core = core
        self._groups = groups
        self._answers = answers
        self._lease_seconds = lease_seconds
        self._send = send
        self._clock = clock
        self._reactor = reactor
        self._timer: Any = None
        self._waiting: dict[int, tuple[Deferred[int], float]] = {}
        #: Nodes that do not speak of groups.
        self._deaf: set[str] = set()
        self._counted = CountedLog(self._log, reactor)
        #: Seconds that the latest changes took until they were settled.
        self.times: deque[float] = deque(maxlen=_TIMES)
        #: Changes made here, and those that some connected node had not settled in time.
        self.made = self.unsettled = 0

    def changed(self, change: Change) -> Deferred[int]:
        """*change* is in force here when this returns.

        Fires with how many connected nodes had not settled in time.  A change that names more than is told is
        one of everything that the application has.
        """
        change = self._checked(change)
        now = self._clock()
        settled: Deferred[int] = Deferred()
        sequence = self.core.changed(change, now)
        self._waiting[sequence] = settled, now
        self.made += 1
        self._turn()
        return settled

    def _checked(self, change: Change) -> Change:
        try:
            check_groups(change.groups or frozenset())
        except GroupsError as error:
            told = (
                f"{change.application}: a change of cache groups cannot be told, so all that is stored of it"
            )
            self._counted.warn("groups", f"{told} is asked for anew: {error}")
            return Change(change.application, None)
        return change.as_told

    def start(self) -> None:
        """Renew the lease, and ask the others how far they are."""
        self._turn()

    def stop(self) -> None:
        """Do nothing more; who waits is answered."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        waiting, self._waiting = self._waiting, {}
        for settled, _ in waiting.values():
            settled.callback(0)

    def leave(self) -> None:
        """Say goodbye."""
        self.core.leave(self._clock())
        self._turn()

    # What happens to the others

    def up(self, name: str, speaks: bool) -> None:
        """A stream to *name* is open; *speaks*: of groups."""
        if speaks:
            self._deaf.discard(name)
            self.core.joined(name, self._clock())
            self.core.connected(name, self._clock())
        else:
            self._deaf.add(name)
            self.core.left(name, self._clock())
        self._turn()

    def down(self, name: str) -> None:
        """The last stream to *name* has ended."""
        self.core.disconnected(name, self._clock())
        self._turn()

    def see(self, name: str, state: int) -> None:
        """*name* is in this *state* as a member."""
        now = self._clock()
        if state == LEFT:
            self._deaf.discard(name)
            self.core.left(name, now)
        elif state == DEAD:
            self.core.died(name, now)
        elif name not in self._deaf:
            self.core.joined(name, now)
        self._turn()

    def keep(self, members: Collection[str]) -> None:
        """Only *members* are known any more: others were forgotten, or expelled."""
        known = self.core.neighbours.items()
        for name in [name for name, one in known if (one.required or one.dead) and name not in members]:
            self.core.left(name, self._clock())
        self._turn()

    def receive(self, name: str, payload: bytes) -> None:
        """A message came over a stream; :class:`~edge.gossip.schema.GossipError` if it is none."""
        self.core.receive(name, decode_group_message(payload), self._clock())
        self._turn()

    # Told to people

    def is_sure(self) -> bool:
        """Whether this node is in touch with all others: it may answer what is stored."""
        until = self.core.sure_until()
        return until is None or self._clock() < until

    def troubles(self) -> dict[str, str]:
        """Node -> a sentence: what makes stored answers live shorter."""
        return {
            name: f"{name} is dead and has not said goodbye: while it may come back, stored answers of "
            f"applications live {self._lease_seconds:g} s at most (start it, or wait until it is forgotten)"
            for name in self.core.dead
        }

    def metrics(self) -> dict[str, float]:
        """By what follows ``edge_gossip_``."""
        times = sorted(self.times)
        neighbours = self.core.neighbours.values()
        return {
            "groups_changed_total": float(self.made),
            "groups_unsettled_total": float(self.unsettled),
            "groups_applied_total": float(sum(one.applied for one in neighbours)),
            "groups_doubts_total": float(sum(one.doubts for one in neighbours)),
            "groups_settled_p50_seconds": times[len(times) // 2] if times else 0.0,
            "groups_settled_p99_seconds": times[int(len(times) * 0.99)] if times else 0.0,
        }

    # Inside

    def _turn(self) -> None:
        """Do what is due, send what there is to send, and come back in time."""
        now = self._clock()
        self.core.tick(now)
        for output in self.core.outputs():
            if isinstance(output, Tell):
                self._send(output.to, encode_group_message(output.message))
            elif isinstance(output, ChangeSettled):
                self._settle(output, now)
            else:
                self._groups.forget(output.name)
        self._renew(now)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._reactor.callLater(max(0.001, self.core.next_at - now), self._turn)

    def _renew(self, now: float) -> None:
        """The lease, as the fast path has it, and how long what is stored from now on may live."""
        self._answers.longest = self._lease_seconds if self.core.apart else None
        until = self.core.sure_until()
        self._answers.hold(None if until is None else until - now)

    def _settle(self, change: ChangeSettled, now: float) -> None:
        settled, began = self._waiting.pop(change.sequence, (None, now))
        self.times.append(now - began)
        if change.unsettled:
            self.unsettled += 1
            names = ", ".join(sorted(change.unsettled))
            self._counted.warn(
                "unsettled",
                f"a change of cache groups was not confirmed by {names} within {PATIENCE * 1000:g} ms: its "
                "writer was answered all the same; see the load of that node, and the network to it",
            )
        if settled is not None:
            settled.callback(len(change.unsettled))
