"""Two processes of the same name: whoever is there keeps it, the other gets in nowhere, both are told of.

A copied virtual machine, a container started twice, a node that was thought dead: two processes with the
same certificate.  If both were let in, each would speak for the other; members, load, and what is published
would be now those of one, now those of the other.  So a node knows the *life* behind each name, a random
number that a process says in its hello, and takes a name from nobody who has it:

1. Another life knocks.  Has this node heard of the one that it knows within :data:`HEARD` seconds, it refuses
   the newcomer, and says to both, and to everybody, who and where they are.
2. If not, it asks (a ping), and sends the newcomer away for now; newcomers come back.
3. Who has not answered within :data:`ANSWER` seconds is gone, and the name is the newcomer's.  A process that
   ended closed its streams: then nobody has to be waited for.

While a cluster is split, either part may have another one; then both parts refuse the other's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from edge.gossip.packet import NODES

#: Seconds for which a sign of life counts, and a refusal is told of.
HEARD, TOLD = 3.0, 5.0
#: Seconds to answer.
ANSWER = 1.5


class Address(NamedTuple):
    """Where the gossip port of a process is."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Admission(Enum):
    """What becomes of who says a name."""

    #: It is who is known, or has the name from now on.
    KNOWN = "known"
    NEW = "new"
    #: Another process has the name.
    REFUSED = "refused"
    #: Another process may have it: that one is to be pinged.
    ASKED = "asked"


@dataclass
class _Holder:
    life: int
    address: Address
    heard: float
    #: When it was asked whether it is there; None: it has said something since.
    asked: float | None = None


class Namesakes:
    """The lives behind all names, and the names that two bear.  *now*: seconds of a steady clock."""

    def __init__(self) -> None:
        self._holders: dict[str, _Holder] = {}
        self._gone: dict[str, int] = {}  # name -> its last life; who went last comes last
        self._told: dict[str, tuple[Address, Address, float, bool]] = {}

    def admit(self, name: str, life: int, address: Address, now: float) -> Admission:
        """The process *life*, at *address*, says that it is *name*."""
        holder = self._holders.get(name)
        if holder is not None and holder.life != life:
            if now - holder.heard < HEARD:
                self.tell(name, holder.address, address, now)
                return Admission.REFUSED
            if holder.asked is None or now - holder.asked < ANSWER:
                holder.asked = now if holder.asked is None else holder.asked
                return Admission.ASKED
        was = holder.life if holder is not None else self._gone.pop(name, life)
        self._holders[name] = _Holder(life, address, now)
        return Admission.KNOWN if was == life else Admission.NEW

    def heard(self, name: str, now: float) -> None:
        """Something came from who has *name*."""
        holder = self._holders.get(name)
        if holder is not None:
            holder.heard, holder.asked = now, None

    def gone(self, name: str) -> None:
        """Its last stream has ended: it has ended, or will be back before others are."""
        holder = self._holders.pop(name, None)
        if holder is not None:
            self._gone[name] = holder.life
            if len(self._gone) > NODES:
                del self._gone[next(iter(self._gone))]

    def holder(self, name: str) -> Address | None:
        """Where who has *name* is."""
        holder = self._holders.get(name)
        return holder.address if holder is not None else None

    def tell(self, name: str, one: Address, other: Address, now: float, hearsay: bool = False) -> None:
        """*name* is borne by two; *hearsay*: another node says so."""
        known = self._told.get(name)
        if hearsay and known is not None and not known[3] and now - known[2] < TOLD:
            return  # seen by ourselves
        self._told[name] = min(one, other), max(one, other), now, hearsay

    def witnessed(self, now: float) -> list[tuple[str, Address, Address]]:
        """(name, address, address) of those that this node itself has seen lately."""
        return [
            (name, one, other)
            for name, (one, other, at, hearsay) in self._told.items()
            if now - at < TOLD and not hearsay
        ]

    def sentences(self, now: float) -> dict[str, str]:
        """The names that two processes bear now -> a sentence with the remedy."""
        self._told = {name: told for name, told in self._told.items() if now - told[2] < TOLD}
        return {
            name: f"two processes are called {name}, at {one} and at {other}: stop one, or give it a name "
            "and a certificate of its own (edgectl cluster cert NAME)"
            for name, (one, other, _, _) in self._told.items()
        }
