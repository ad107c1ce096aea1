"""At which state of the site something is current that was read from the table (:mod:`edge.http.changes`).

The state stands in an entry of the table, which says :data:`~edge.http.changes.UNKNOWN` from before the first
change of a step is put until the step has ended (:class:`StateEntry`).  So a reader that finds the same state
before and after a look-up has found what belongs to it.

Whoever may be confirmed at all is told by leases: the entry bears the number of an origin whose lease is the
shortest of all (:data:`EVERYTHING`), and while it is unknown, of one that has none (:data:`NOTHING`).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from edge.http.changes import PATH, PUBLISHERS, UNKNOWN, state_of, tag_of, without
from edge.resource import Representation, Resource
from edge.table.reader import Entry, Reader

#: Origins, by their numbers in the table: of all that is published, and of what is never confirmed.
EVERYTHING, NOTHING = 254, 255

#: Bytes of a state.
_STATE_BYTES = PUBLISHERS * 18


def find_state(reader: Reader) -> Entry | None:
    """The entry that says the state of the site, with the history; None: this node knows no states."""
    entry = reader.find(PATH)
    return None if entry is None or entry.template or entry.body is None else entry


def state_since(reader: Reader, before: Entry | None) -> bytes | None:
    """The state at which everything is current that was looked up since :func:`find_state` gave *before*.

    :data:`~edge.http.changes.UNKNOWN`: there is no such state.  None: this node knows no states.
    """
    now = find_state(reader)
    if now is None and before is None:
        return None
    if now is None or before is None or now.etag != before.etag:
        return UNKNOWN
    state = state_of(before.body or b"")
    return state if len(state) <= _STATE_BYTES else UNKNOWN


class EntryTable(Protocol):
    """Where the entry goes: a :class:`edge.table.writer.Writer`."""

    def put(self, resource: Resource, *, counts: bool, origin: int) -> object:
        """Publish *resource* as that of *origin*; without *counts* it is no change of the site."""


class StateEntry:
    """The entry that says the state of the site, as its writer keeps it."""

    def __init__(
        self,
        table: EntryTable,
        date: Callable[[], float] = lambda: 0.0,
        is_hidden: Callable[[bytes], bool] = lambda name: False,
    ) -> None:
        """*date*: Unix seconds; *is_hidden*: whether nobody is told that the entry of a name has changed."""
        self._is_hidden = is_hidden
        self._table = table
        self._date = date
        self._lines_200 = self._lines_304 = b""
        self._history = b""
        self._origin = NOTHING
        self._modified = 0
        #: Whether the table is in the middle of a step.
        self.is_open = True

    def show(self, lines_200: bytes, lines_304: bytes) -> None:
        """Answer with these header lines from now on."""
        self._lines_200, self._lines_304 = lines_200, lines_304
        self._put()

    def open(self) -> None:
        """A change is about to be put that is part of a step."""
        if self.is_open:
            return
        self.is_open, self._history, self._origin = True, UNKNOWN + b"\n", NOTHING
        self._put()

    def settle(self, history: bytes, origin: int) -> None:
        """The table is at the state that *history* begins with, as long as the lease of *origin* says."""
        history = without(history, self._is_hidden)
        if not self.is_open and history == self._history:
            return
        self.is_open, self._history, self._origin = False, history, origin
        self._modified = int(self._date())
        self._put()

    def _put(self) -> None:
        """There is no entry before the first state: nobody is to wait for it."""
        if not self._history:
            return
        state = state_of(self._history)
        one = Representation(
            0,
            tag_of(state),
            sha256(self._history).digest(),
            len(self._history),
            self._lines_200,
            self._lines_304,
            self._history,
        )
        self._table.put(Resource(PATH, self._modified, (one,)), counts=False, origin=self._origin)
