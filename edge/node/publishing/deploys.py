"""Where a deploy begins and ends: what is one step for readers, from one state of the site to the next.

Whoever copies files into a webroot says nowhere when that is all.  So a deploy begins with the first path
that changes, and ends when all that was found is in the table and files are quiet
(:mod:`edge.publish.watcher`): a slow copy is one deploy, though it is published while it goes on.  Files that
never are quiet, like a log, hold it open for :data:`LONGEST` at most.  Large files are not waited for.

In between, a node is at no state of the site: smart clients keep what they have.  What they make of states:
``docs/explanation/client.md``.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.node.publishing.table import Table

#: Seconds that files which never are quiet hold a deploy open.
LONGEST = 10.0
#: Seconds between two looks whether they are.
LOOK = 0.1


class Deploy:
    """The deploy that is being published, if there is one."""

    def __init__(self, table: Table, is_idle: Callable[[], bool], reactor: Any) -> None:
        """*is_idle*: whether all that was found is in the table."""
        #: Whether nobody is changing files just now; told by who watches them.
        self.is_quiet: Callable[[], bool] = lambda: True
        self._table = table
        self._is_idle = is_idle
        self._reactor = reactor
        self._since: float | None = None
        self._call: Any = None

    def begin(self) -> None:
        """A path changes: what changes from now on belongs to it."""
        if self._since is None:
            self._since = self._reactor.seconds()
            self._table.begin_step()

    def end(self) -> None:
        """What was to be done is done: end it, if nothing more is to come."""
        self._cancel()
        if self._since is None or not self._is_idle():
            return  # what is still to be done ends with another call
        if self.is_quiet() or self._reactor.seconds() >= self._since + LONGEST:
            self.stop()
        else:
            self._call = self._reactor.callLater(LOOK, self.end)

    def stop(self) -> None:
        """End it in any case."""
        self._cancel()
        if self._since is not None:
            self._since = None
            self._table.end_step()

    def _cancel(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
