"""The watcher: notices by inotify that something in a webroot has changed, and debounces.

The watcher says only *in which directories* something has changed: listing them finds out what.  So lost,
doubled and reordered events do no harm, and an overflow of the kernel's queue is an event like any other.

Every directory is watched before it is listed: :meth:`Watcher.watch` is to be given to the scan as
*on_directory*.  New directories are watched at once too, so that copying into them counts as activity.
The way to the root is watched where it may be exchanged: its name in the directory above, and every
symbolic link on the way (``www -> current``, ``current -> releases/42``).  So are the links in it.

``twisted.internet.inotify`` does not serve here: when one watched directory is deleted it closes the whole
descriptor, and it drops the event that tells of an overflow.  So this is a reader for Twisted's
reactor around the package inotify_simple.

Next on the way of a change: :mod:`edge.node.publishing.auto_publisher`, whose publish scans.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Protocol, cast

import inotify_simple
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from edge.publish.links import links_on_the_way
from edge.publish.problems import Kind, Problem, Report, reason
from edge.publish.walk import WELL_KNOWN

#: Seconds without an event after which a change counts as whole: copying tools pause for less.
QUIET = 0.2
#: Seconds after which it is reported even though more keeps coming.
LONGEST = 0.5
#: Directories in which something has changed, beyond which everything is looked at.
MANY = 1000
#: New directories watched in one turn of the reactor: some 5 ms.
AT_ONCE = 200
#: Seconds between unasked looks where not everything can be watched.
POLL = 30.0

_F = inotify_simple.flags
_MASK = int(
    _F.MODIFY | _F.ATTRIB | _F.CLOSE_WRITE | _F.CREATE | _F.DELETE | _F.MOVED_FROM | _F.MOVED_TO
    | _F.DELETE_SELF | _F.MOVE_SELF | _F.ONLYDIR | _F.EXCL_UNLINK | _F.MASK_ADD
)  # fmt: skip
_WAY_MASK = int(_F.CREATE | _F.DELETE | _F.MOVED_FROM | _F.MOVED_TO | _F.ONLYDIR | _F.MASK_ADD)
_NEW = int(_F.CREATE | _F.MOVED_TO)
_LIMITS = (errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSYS)


class Event(Protocol):
    """One event, as inotify(7) has it."""

    @property
    def wd(self) -> int:
        """The watch, -1 for an overflow."""

    @property
    def mask(self) -> int:
        """What happened."""

    @property
    def name(self) -> str:
        """In the watched directory; "" for the directory itself."""


class Source(Protocol):
    """What the watcher needs of an ``inotify_simple.INotify``."""

    def fileno(self) -> int:
        """The descriptor that becomes readable."""

    def add_watch(self, path: str, mask: int) -> int:
        """Watch a directory; its number."""

    def read(self, timeout: int) -> list[Event]:
        """The events so far."""

    def close(self) -> None:
        """End all watches."""


class Clock(Protocol):
    """The part of a reactor that deals with time."""

    def seconds(self) -> float:
        """Now."""

    def callLater(self, delay: float, callable: Callable[[], None], /) -> IDelayedCall:
        """Call in *delay* seconds."""


class Reactor(Clock, Protocol):
    """The parts of a reactor that are used here."""

    def addReader(self, reader: IReadDescriptor, /) -> object:
        """Call ``doRead`` whenever there is something to read."""

    def removeReader(self, reader: IReadDescriptor, /) -> object:
        """The opposite."""

    def callFromThread(self, callable: Callable[..., object], /, *args: object) -> object:
        """Call in the reactor's thread."""


class Debounce:
    """Calls *fire* once things are quiet, or have gone on for too long; never twice at a time."""

    def __init__(
        self, clock: Clock, fire: Callable[[], Deferred[None] | None], quiet: float, longest: float
    ) -> None:
        """If *fire* returns a Deferred, what is touched meanwhile is fired after it."""
        self._clock = clock
        self._fire = fire
        self._quiet = quiet
        self._longest = longest
        self._first: float | None = None
        #: When something has happened last, which may have been told.
        self._last = -inf
        self._call: IDelayedCall | None = None
        self._running = False

    def touch(self) -> None:
        """Something has happened."""
        now = self._last = self._clock.seconds()
        if self._first is None:
            self._first = now
        if self._running:
            return
        wait = max(0.0, min(self._quiet, self._first + self._longest - now))
        if self._call is not None and self._call.active():
            self._call.reset(wait)
        else:
            self._call = self._clock.callLater(wait, self._run)

    @property
    def is_quiet(self) -> bool:
        """Whether all that has happened has been told, and nothing has for a while.

        What goes on for long is told before it is over.
        """
        is_told = self._first is None and not self._running
        return is_told and self._clock.seconds() >= self._last + self._quiet

    def stop(self) -> None:
        """Forget what has happened."""
        self._first = None
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _run(self) -> None:
        self._first, self._running = None, True
        maybeDeferred(self._fire).addBoth(self._ran)

    def _ran(self, result: object) -> None:
        self._running = False
        if isinstance(result, Failure):
            Watcher.log.failure("Publishing what has changed failed", failure=result)
        if self._first is not None:
            self._first = None  # the longest wait begins anew
            self.touch()


@implementer(IReadDescriptor)
class Watcher:
    """Watches a webroot and calls back when it has changed."""

    log = Logger()

    def __init__(
        self,
        reactor: Reactor,
        root: str,
        changed: Callable[[frozenset[str] | None], Deferred[None] | None],
        report: Report,
        *,
        quiet: float = QUIET,
        longest: float = LONGEST,
        poll: float = POLL,
        source: Callable[[], Source] = lambda: cast(Source, inotify_simple.INotify()),
    ) -> None:
        """*changed* is given the absolute names of the directories in which something has; None: anywhere.

        It may return a Deferred: it is not called again before that has fired.
        """
        self._reactor = reactor
        self._root = os.path.abspath(root)
        self._report = report
        self._poll = poll
        self._make_source = source
        self._source: Source | None = None
        self._changed = changed
        self._debounce = Debounce(reactor, self._tell, quiet, longest)
        #: Where something has changed since that was told; None: anywhere.
        self._where: set[str] | None = set()
        self._poll_call: IDelayedCall | None = None
        #: Watched directories of the webroot, by watch number.
        self._directories: dict[int, str] = {}
        #: Directories on the way to the root, and the names in them that matter; whether all are watched.
        self._ways: dict[int, set[str]] = {}
        self._has_way = False
        #: New directories that may still be watched in this turn.
        self._left = 0

    @property
    def is_polling(self) -> bool:
        """Whether not everything can be watched, so that changes are looked for now and then."""
        return self._poll_call is not None

    @property
    def is_quiet(self) -> bool:
        """Whether all that has happened has been told: whoever copies files is done, or pauses.

        What the kernel has queued counts, too: a file may have been read that was changed before the reactor
        has come to the event.
        """
        self.doRead()
        return self._debounce.is_quiet

    def start(self) -> None:
        """Begin.  The first scan, with :meth:`watch` as *on_directory*, is to follow."""
        try:
            self._source = self._make_source()
        except (OSError, AttributeError) as error:  # AttributeError: a C library without inotify
            text = reason(error) if isinstance(error, OSError) else "this system has no inotify"
            self._fall_back("", text)
            return
        self._watch_way()
        self._reactor.addReader(self)

    def stop(self) -> None:
        """End, without another call."""
        self._debounce.stop()
        if self._poll_call is not None:
            self._poll_call.cancel()
            self._poll_call = None
        if self._source is not None:
            self._reactor.removeReader(self)
            self._source.close()
            self._source = None

    def watch(self, directory: str) -> None:
        """Watch the directory with this absolute name.  May be called in any thread."""
        source = self._source
        if source is None:
            return
        if not self._has_way:
            self._has_way = True
            self._reactor.callFromThread(self._watch_way)
        try:
            self._directories[source.add_watch(directory, _MASK)] = directory
        except (OSError, ValueError) as error:  # ValueError: stopped meanwhile
            if getattr(error, "errno", None) in _LIMITS:
                self._reactor.callFromThread(self._fall_back, directory, reason(cast(OSError, error)))

    # IReadDescriptor

    def fileno(self) -> int:
        return self._source.fileno() if self._source is not None else -1

    def doRead(self) -> None:
        self._left = AT_ONCE
        if self._source is not None and any([self._matters(event) for event in self._source.read(timeout=0)]):
            self._debounce.touch()

    def connectionLost(self, reason: Failure) -> None:
        self.stop()

    def logPrefix(self) -> str:
        return "webroot"

    # What follows is not for others.

    def _tell(self) -> Deferred[None] | None:
        where, self._where = self._where, set()
        return self._changed(None if where is None or len(where) > MANY else frozenset(where))

    def _anywhere(self) -> bool:
        self._where = None
        return True

    def _matters(self, event: Event) -> bool:
        if event.mask & _F.Q_OVERFLOW:
            return self._anywhere()
        if event.mask & _F.IGNORED:
            self._has_way = self._ways.pop(event.wd, None) is None and self._has_way
            gone = self._directories.pop(event.wd, None)
            if gone is not None and self._where is not None:
                self._where.add(os.path.dirname(gone))
            return gone is not None
        if event.name in self._ways.get(event.wd, ()):
            self._watch_way()
            return self._anywhere()
        directory = self._directories.get(event.wd)
        if directory is None or (event.name.startswith(".") and not self._is_seen(directory, event)):
            return False
        if event.mask & _F.ISDIR and event.mask & _NEW:
            self._watch_below(os.path.join(directory, event.name))
        if self._where is not None:
            self._where.add(directory)
        return True

    def _is_seen(self, directory: str, event: Event) -> bool:
        """Whether a name that begins with a dot matters: links do, through which files may lead."""
        if event.name == WELL_KNOWN:
            return True
        return bool(event.mask & _NEW) and os.path.islink(os.path.join(directory, event.name))

    def _watch_below(self, directory: str) -> None:
        """Watch a new directory and those in it, each before it is listed.

        Of a tree that was moved in as a whole the rest is watched when it is listed: nobody is copying it.
        """
        pending = deque([directory])
        while pending and self._left:
            self._left -= 1
            here = pending.popleft()
            self.watch(here)
            try:
                with os.scandir(here) as entries:
                    pending += [
                        entry.path
                        for entry in entries
                        if entry.is_dir(follow_symlinks=False)
                        and (entry.name[0] != "." or entry.name == WELL_KNOWN)
                    ]
            except OSError:
                continue  # gone again: there will be an event for that too

    def _watch_way(self) -> None:
        """Watch for another directory taking the place of the root."""
        self._has_way = True
        for above, name in (os.path.split(self._root), *links_on_the_way(self._root)):
            try:
                if self._source is not None and name:
                    self._ways.setdefault(self._source.add_watch(above, _WAY_MASK), set()).add(name)
            except (FileNotFoundError, NotADirectoryError):
                self._has_way = False  # until the root is there again
            except OSError as error:
                self._fall_back(above, reason(error))

    def _fall_back(self, directory: str, why: str) -> None:
        if self._poll_call is not None:
            return
        text = (
            f"cannot be watched ({why}); changes are looked for every {self._poll:g} seconds. "
            "The sysctls fs.inotify.max_user_watches and max_user_instances set the limits"
        )
        self._report(Problem(Kind.WATCH, directory, text))
        self._poll_call = self._reactor.callLater(self._poll, self._look)

    def _look(self) -> None:
        self._anywhere()
        self._debounce.touch()
        self._poll_call = self._reactor.callLater(self._poll, self._look)
