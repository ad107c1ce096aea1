"""Hostile messages of a node with a valid certificate: which of their effects last, and what they leave."""

from __future__ import annotations

from typing import NamedTuple

from tests.gossip.siege import Siege

#: Messages of one siege: what follows it is looked at each time.
EACH = 10_000


class Effects(NamedTuple):
    """What *sent* messages have led to."""

    sent: int
    decoded: int
    #: Sentences about what was not as before.
    lasting: list[str]
    #: Memory and database of a victim at the end of a siege, as a share of what they were after a quarter
    #: of it.
    growth: float


def measure(messages: int) -> Effects:
    """Send *messages* in sieges of :data:`EACH`."""
    outcomes = [Siege(seed).run(min(EACH, messages)) for seed in range(max(1, messages // EACH))]
    return Effects(
        sum(one.sent for one in outcomes),
        sum(one.decoded for one in outcomes),
        [sentence for one in outcomes for sentence in one.lasting],
        max(one.late / one.early for one in outcomes),
    )
