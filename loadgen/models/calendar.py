"""When each user acts next: a calendar of a million users at 8 bytes each.

Two levels, as in a timing wheel (Varghese and Lauck, 1987): lists for each second, and for each
:data:`FINE` ticks within the present second.  A list is a chain through one array, so that a
waiting user costs no Python object.
"""

from __future__ import annotations

from array import array

#: Ticks of a second: 100 us each.
TICKS = 10_000
#: Ticks of a fine list: 2 ms.
FINE = 20

_NOBODY = 0xFFFFFFFF
#: The last tick that an entry can hold, days after the longest run has ended.
_LAST = 0xFFFFFFFF


class Calendar:
    """Each user is in it once or not at all.  Times are whole ticks."""

    def __init__(self, users: int, begin: int = 0) -> None:
        """*begin*: the first tick, a whole second."""
        self._due = array("I", bytes(4 * users))
        self._next = array("I", bytes(4 * users))
        #: First user of each second's chain.
        self._seconds: dict[int, int] = {}
        #: The same within the seconds that have begun, by fine lists.
        self._fine: dict[int, int] = {}
        self._second = begin // TICKS - 1
        self._list = begin // FINE

    def memory(self) -> int:
        """Bytes of the arrays."""
        return (len(self._due) + len(self._next)) * self._due.itemsize

    def add(self, user: int, tick: int) -> None:
        """Have *user* act at *tick*; what is past counts as now, what is beyond all runs as never."""
        self._due[user] = tick = min(tick, _LAST)
        second = tick // TICKS
        if second > self._second:
            chains, key = self._seconds, second
        else:
            chains, key = self._fine, max(tick // FINE, self._list)
        self._next[user] = chains.get(key, _NOBODY)
        chains[key] = user

    def pop(self, tick: int) -> list[tuple[int, int]]:
        """(tick, user) of all who are due before *tick*, rounded up to a fine list; by time."""
        last = -(-tick // FINE)
        found: list[tuple[int, int]] = []
        while self._list < last:
            if self._list * FINE // TICKS > self._second:
                self._second += 1
                for user in self._chain(self._seconds, self._second):
                    self.add(user, self._due[user])
            found += [(self._due[user], user) for user in self._chain(self._fine, self._list)]
            self._list += 1
        found.sort()
        return found

    def _chain(self, chains: dict[int, int], key: int) -> list[int]:
        users = []
        user = chains.pop(key, _NOBODY)
        while user != _NOBODY:
            users.append(user)
            user = self._next[user]
        return users
