"""A million virtual users in one process: what each knows, in arrays.

For each user, with n nodes (151 bytes for four; the calendar and the wire add 12)::

    u8   active            in a session, or holding off
    u8   node              the one it stays with
    u16  pages_left        of the session
    u16  waiting           requests that it has no answer to
    u32  document          the load document it has read, a number; 0: none yet
    u32  learned           when it read that, tick
    u32  requests          so far: what budgets for retries and hedges grow with
    f32  floor             least latency it has seen, us
    f32  latency[n]        peak EWMA, us; 0: nothing observed
    u32  observed[n]       when that was, tick
    u8   slot              where in the ring the next page goes
    u32  ring_page[12]     pages it has kept, the page's number
    u32  ring_at[12]       when each was last fetched or confirmed, tick

Ticks are those of :mod:`loadgen.models.calendar`, counted so that the run begins at :data:`BEGIN`: what
was before it is positive, too.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.random import Generator

#: Pages that a user keeps.
RING = 12
NO_PAGE = 0xFFFFFFFF
#: The tick at which a run begins: 27 hours and more lie before it.
BEGIN = 1_000_000_000


class Users:
    """What each of very many virtual users knows, as arrays of one element for each."""

    def __init__(self, count: int, nodes: int) -> None:
        self.count = count
        self.nodes = nodes
        self.active = bytearray(count)
        self.node = bytearray(count)
        self.pages_left = array("H", bytes(2 * count))
        self.waiting = array("H", bytes(2 * count))
        self.document = array("I", bytes(4 * count))
        self.learned = array("I", bytes(4 * count))
        self.requests = array("I", bytes(4 * count))
        self.floor = array("f", bytes(4 * count))
        self.latency = array("f", bytes(4 * count * nodes))
        self.observed = array("I", bytes(4 * count * nodes))
        self.slot = bytearray(count)
        self.ring_page = array("I", b"\xff" * (4 * count * RING))
        self.ring_at = array("I", bytes(4 * count * RING))

    def memory(self) -> int:
        """Bytes of all arrays."""
        parts = (value for value in vars(self).values() if isinstance(value, (array, bytearray)))
        return sum(len(part) * (part.itemsize if isinstance(part, array) else 1) for part in parts)

    def warm(self, share: float, pages: int, weights: list[float], age_ticks: int, random: Generator) -> None:
        """Let a *share* of the users have seen *pages* pages before, at most *age_ticks* ago."""
        who = np.flatnonzero(random.random(self.count) < share)
        steps = np.cumsum(weights)
        page = np.frombuffer(self.ring_page, dtype=np.uint32).reshape(self.count, RING)
        at = np.frombuffer(self.ring_at, dtype=np.uint32).reshape(self.count, RING)
        for place in range(min(pages, RING)):
            page[who, place] = np.searchsorted(steps, random.random(len(who)) * steps[-1], side="right")
            at[who, place] = BEGIN - random.integers(1, max(2, age_ticks), len(who))
        np.frombuffer(self.slot, dtype=np.uint8)[who] = min(pages, RING) % RING

    def kept(self, user: int) -> list[int]:
        """The pages that *user* has kept, some perhaps twice; empty places hold NO_PAGE."""
        base = user * RING
        return self.ring_page[base : base + RING].tolist()

    def keep(self, user: int, page: int, tick: int) -> None:
        """*user* has *page* as it was at *tick*; a page that was kept before stays at its place."""
        base = user * RING
        try:
            place = self.ring_page.index(page, base, base + RING)
        except ValueError:
            slot = self.slot[user]
            self.slot[user] = (slot + 1) % RING
            place = base + slot
        self.ring_page[place] = page
        self.ring_at[place] = tick

    def forget(self, user: int, page: int) -> None:
        """*user* has *page* no longer."""
        base = user * RING
        for place, kept in enumerate(self.kept(user), base):
            if kept == page:
                self.ring_page[place] = NO_PAGE
