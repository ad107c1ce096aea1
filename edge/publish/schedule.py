"""The schedule: which part of a webroot is looked at, read and coded next, and what that changes for readers.

Sans-IO: it is told what happens (something changed there, this is listed, that is made, somebody waits for a
path) and gives jobs to be run, in threads, and paths whose entries in the table are to be brought up to date
with the site, one by one.  In the lanes, from the most urgent one:

1. *looks*: listing a directory: the cheapest way to learn what exists, and what does not any more;
2. *asked*: files for which a client waits;
3. *changes*: what a change brought, if that is little;
4. *bulk*: what a start or a large deploy brought, small files near the root first;
5. *large*: files of more than :data:`LARGE` bytes, each a job of its own, which ends when the file changes;
6. *better*: what was coded quickly, coded well; only when nothing else waits.

Nothing in one lane waits for a lane below, and a purge and a removal wait for no lane at all.

**The newest state counts.**  Directories are listed one at a time, so each listing is of a later moment than
the one before.  A file that a listing shows in another state is made anew, and what its former state comes to
is thrown away.  The table gets from the site what is there at that moment, whatever led to it.

**A batch** is what one change, start or command brought.  In a batch that changes a site, what pages refer to
comes first (images and fonts, then style sheets, which refer to those, then scripts), then pages, and
removals last: nobody gets a new page before the assets it names.  But nothing waits for large files, and a
removal for nothing longer than a moment: see :mod:`edge.publish.batches`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from os.path import dirname
from typing import NamedTuple

from edge.publish.batches import Batch, Batches
from edge.publish.catalogue import PublishedFile
from edge.publish.delays import Delays
from edge.publish.folders import Folder, Folders
from edge.publish.groups import Group
from edge.publish.lanes import Lane, Lanes
from edge.publish.making import Made
from edge.publish.problems import Kind, Problem
from edge.publish.reading import LONGEST_WAIT, WRITING_SECONDS
from edge.publish.site import Site
from edge.publish.store import Signature
from edge.publish.walk import Listing, Place, too_many
from edge.resource import PAGE_RANK, rank_of

#: Bytes from which on a file is read by itself: 8 MiB take 50 ms from memory, 50 times that from a slow disk.
LARGE = 8 << 20
#: A change of more files, or of more bytes, than take some 0.2 s is bulk.
FEW_FILES, FEW_BYTES = 500, 32 << 20
#: Files and bytes of one job: some 50 ms.
JOB_FILES, JOB_BYTES = 64, 2 << 20
#: The same for coding well: 0.6 to 5 MB/s.
BETTER_FILES, BETTER_BYTES = 16, 256 << 10
#: Directories of one look; :data:`LOOK_FILES` end it earlier.
LOOK_PLACES, LOOK_FILES = 64, 500
#: Bytes of a change that are coded well at once: 0.2 s.
AT_ONCE = 128 << 10
#: Seconds until the next look at files that were being written.
LOOK_AGAIN = 2.0
#: Seconds until it is tried again to keep what could not be written: nothing tells when the disk has room.
STORE_AGAIN = 10.0

#: Whose jobs are short.
_QUICK = (Lane.ASKED, Lane.CHANGE, Lane.BULK)

#: Of a file and its siblings, by their names.
Signatures = tuple[tuple[str, Signature], ...]

#: Files with these problems exist, and cannot be published yet.
_LATER = {
    Kind.WRITING: LOOK_AGAIN,
    Kind.CHANGING: LOOK_AGAIN,
    Kind.STORE: STORE_AGAIN,
    Kind.DAMAGED: 0.0,  # the copy is gone: the next reading makes a new one
}


class Known(Enum):
    """What is known of a path."""

    #: It is published, or it does not exist.
    YES = "yes"
    #: It will be, in a moment.
    SOON = "soon"
    #: It exists, and its bytes are not known yet: large, being written, or no room for it.
    LATER = "later"


class Look:
    """A job: list these directories, in this order, and end early if they have many files."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = places


class Looked(NamedTuple):
    """One directory, as it was listed."""

    place: Place
    listing: Listing
    groups: Sequence[Group]
    #: Names of files whose bodies are not in the blob store any more.
    lost: frozenset[str] = frozenset()
    #: When it was listed, Unix seconds, as the times of files are.
    date: float = 0.0
    #: The page that lists it; None: it is not to have one.
    page: PublishedFile | None = None


class Make:
    """A job: make these groups; *at_once*: see :class:`edge.publish.making.Maker`."""

    def __init__(
        self, groups: Sequence[Group], lane: Lane, at_once: int | None, overdue: frozenset[str]
    ) -> None:
        self.groups = groups
        self.lane = lane
        self.at_once = at_once
        #: Names of files that are read although they are being written.
        self.overdue = overdue
        #: Nobody wants the result any more; may be read in any thread.
        self.is_cancelled = False


Job = Look | Make


class _File:
    __slots__ = ("batch", "group", "is_later", "is_made", "job", "rank", "rules", "unread")

    def __init__(self, group: Group, rules: int) -> None:
        self.group = group
        self.rules = rules
        self.rank = rank_of(b"Content-Type: " + group.media_type.encode("ascii"))
        self.batch: Batch | None = None
        self.job: Make | None = None
        #: What it was found as has been published, or will never be.
        self.is_made = False
        #: It exists and could not be published yet.
        self.is_later = False
        #: Bytes counted as never read; None: it is not counted.
        self.unread: int | None = None

    @property
    def size(self) -> int:
        return max(file.signature[2] for file in self.group.files())


class Schedule:
    """What is to be done for one webroot; *site* is what is published of it."""

    def __init__(self, site: Site, file_limit: int = 1 << 20) -> None:
        self.site = site
        #: Files that could not be published as they are, by name; of directories, by name and "/".
        self.problems: dict[str, list[Problem]] = {}
        self._over: set[Problem] = set()
        #: Files that were never read, and their bytes.
        self.unread = self.unread_bytes = 0
        self._limit = file_limit
        self._files: dict[str, _File] = {}
        self._folders = Folders()
        self._names: dict[bytes, str] = {}
        self._looks: dict[str, list[Batch]] = {}
        self._urgent_looks: dict[str, None] = {}
        #: Of the look that is under way.
        self._looking: dict[str, list[Batch]] = {}
        self._look: Look | None = None
        self._lanes = Lanes()
        #: Jobs that are under way.
        self._running: set[Make] = set()
        self._rules = 0
        self._steps: dict[bytes, None] = {}
        self._batches = Batches(self._queue_found, self.step, self._take_away)
        #: Directories that are looked at again, by name.
        self._again = Delays()
        self._written_since: dict[str, float] = {}

    # What happens

    def begin(self, root: Place, *, is_start: bool = False, rules_differ: bool = False) -> Batch:
        """Look at everything, from *root* on; *rules_differ*: and make everything anew."""
        self._rules += rules_differ
        batch = self._batches.new(True, is_start)
        self._folders.put(root)
        self._want_look("", batch)
        return batch

    def readdress(self) -> Iterator[None]:
        """The site has other addresses: know which files have them; in short steps."""
        self._names.clear()
        for name, file in list(self._files.items()):
            if self._files.get(name) is file:
                self._name(file.group)
            yield

    def forget_rules(self) -> None:
        """What is looked at from now on is made anew: by other rules."""
        self._rules += 1

    def change(self, locations: Iterable[str]) -> Batch | None:
        """Something has changed in the directories with these absolute names."""
        names: dict[str, None] = {}
        for location in locations:
            names.update(dict.fromkeys(self._folders.changed_by(location)))
        return self._look_at(names) if names else None

    def renew(self, names: Iterable[str]) -> Batch:
        """Make these files anew, whether they have changed or not."""
        batch = self._batches.new()
        for name in names:
            file = self._files.get(name)
            if file is not None:
                self._find(file.group, batch, force=True)
            elif name.endswith("/") and name[:-1] in self._folders:
                self._want_look(name[:-1], batch)
        self._queue_found(batch)
        self._batches.settle(batch)
        return batch

    def signatures_of(self, path: bytes) -> Signatures | None:
        """What stat says of the files under *path*; None: there are none, as far as is known."""
        name = self._names.get(path)
        return self._files[name].group.signatures() if name is not None else None

    def ask(self, path: bytes) -> Known:
        """Somebody waits for *path*; what is known of it."""
        name = self._names.get(path)
        if name is not None:
            file = self._files[name]
            if file.is_made or path in self.site:
                return Known.YES
            if file.is_later or file.size > LARGE:
                return Known.LATER
            if name in self._lanes:
                self._queue(name, file, Lane.ASKED)
            return Known.SOON
        folder = self._folders.around(path)
        if folder is None:
            return Known.LATER
        if self._folders[folder].is_listed:
            return Known.YES
        if folder in self._looks:
            self._urgent_looks[folder] = None
        return Known.SOON

    def looked(self, job: Look, results: Sequence[Looked]) -> Iterator[None]:
        """*job* is done, for as many directories as there are *results*; in short steps."""
        for result in results:
            yield from self._take_listing(result)
        self._looks = {**self._looking, **self._looks}  # what was not reached is before the rest
        for name, batches in self._looking.items():
            self._looks[name] = list(dict.fromkeys((*batches, *self._looks[name])))
        self._looking = {}
        self._look = None
        self._batches.settle_all()

    def made(self, job: Make, made: Made, now: float) -> None:
        """*job* has given *made*."""
        self._running.discard(job)
        for group in job.groups:
            name = group.main.name
            file = self._files.get(name)
            if file is None or file.job is not job:
                continue
            self._accept(name, file, job.lane, made, now)
            file.job = None  # not before: if that goes wrong, the job has failed for this one

    def failed(self, job: Job, seconds: float, now: float, why: str = "it went wrong") -> None:
        """*job* could not be done, for the reason *why*; it is tried again in so many *seconds*.

        Of directories that could not be listed nothing is known: their problems say so until they are.
        """
        if isinstance(job, Look):
            looking, self._looking, self._look = self._looking, {}, None
            for name, batches in looking.items():
                self._again.add(name, now + seconds)
                text = f"could not be listed ({why}); what was published of it stays"
                self._tell(name + "/", [Problem(Kind.UNREADABLE, name, text)])
                for batch in batches:
                    batch.looks.discard(name)
            self._batches.settle_all()
            return
        self._running.discard(job)
        for group in job.groups:
            file = self._files.get(group.main.name)
            if file is not None and file.job is job:
                file.job = None
                self._leave(group.main.name, file, now + seconds)

    # What is to be done

    def take_quick(self, now: float, bulk: bool = True) -> Job | None:
        """The next job that is short; not *bulk*: none of those of which there are many."""
        self._look_again(now)
        if self._look is None and self._looks:
            return self._next_look()
        for lane in _QUICK if bulk else _QUICK[:-1]:
            if self._lanes.length(lane):
                return self._next_make(lane, now)
        return None

    def take_slow(self, now: float) -> Make | None:
        """The next job that takes long: a large file, or codings that are worth the time."""
        if self._lanes.length(Lane.LARGE) and all(one.lane is not Lane.LARGE for one in self._running):
            return self._next_make(Lane.LARGE, now)
        is_busy = self._looks or any(map(self._lanes.length, _QUICK))
        return self._next_make(Lane.BETTER, now) if self._lanes.length(Lane.BETTER) and not is_busy else None

    def next_step(self, now: float) -> bytes | None:
        """The next path whose entry in the table is to be brought up to date with the site."""
        while not self._steps and self._batches.release(now):
            pass
        if not self._steps:
            return None
        path = next(iter(self._steps))
        del self._steps[path]
        return path

    def step(self, paths: Iterable[bytes]) -> None:
        """Bring these up to date, too."""
        self._steps.update(dict.fromkeys(paths))

    def finished(self) -> list[Batch]:
        """Batches that have become whole since the last call; their paths are among the steps before."""
        return self._batches.finished()

    def over(self) -> set[Problem]:
        """Problems that are none any more, or were told in other words, since the last call."""
        over, self._over = self._over, set()
        return over

    def wake_at(self) -> float | None:
        """When there will be something to do although nothing happens; None: never."""
        times = (self._again.next_at(), self._batches.removes_at())
        return min((at for at in times if at is not None), default=None)

    @property
    def has_steps(self) -> bool:
        """Whether there are paths to be brought up to date already."""
        return bool(self._steps)

    @property
    def is_complete(self) -> bool:
        """Whether everything that exists is published, as far as it ever will be."""
        return not self._folders.unlisted and not self.unread and bool(self._folders)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be done but what takes long."""
        return (
            not self._looks
            and self._look is None
            and not self._steps
            and not any(self._lanes.length(lane) for lane in _QUICK)
            and not any(job.lane in _QUICK for job in self._running)
        )

    @property
    def is_served(self) -> bool:
        """Whether everything is published but large files, and those that nobody could read."""
        return bool(self._folders) and not self._folders.unlisted and self.is_idle

    @property
    def provisional(self) -> int:
        """Files that are coded quickly, and will be coded well."""
        return self._lanes.length(Lane.BETTER)

    # Batches

    def _look_at(self, names: Iterable[str]) -> Batch:
        batch = self._batches.new()
        for name in names:
            self._want_look(name, batch, is_urgent=True)
        return batch

    def _queue_found(self, batch: Batch) -> None:
        """All that *batch* looked at is listed: what it found may be made."""
        found, batch.found = batch.found, []
        files = [(name, file) for name in found if (file := self._files.get(name)) and file.batch is batch]
        small = [file.size for _, file in files if file.size <= LARGE]
        few = not batch.is_start and len(small) <= FEW_FILES and sum(small) <= FEW_BYTES
        for name, file in files:
            if name not in self._lanes and file.job is None:
                self._queue_by_size(name, file, Lane.CHANGE if few else Lane.BULK)

    def _take_away(self, name: str) -> None:
        """*name*, a file or the page of a directory, is published no more; unless it has come back."""
        folder = self._folders.get(name[:-1]) if name.endswith("/") else None
        if name not in self._files and not (folder is not None and folder.has_page):
            self.step(self.site.put(name, None))

    # Directories

    def _want_look(self, name: str, batch: Batch, is_urgent: bool = False) -> None:
        batch.looks.add(name)
        self._looks.setdefault(name, []).append(batch)
        if is_urgent:
            self._urgent_looks[name] = None

    def _next_look(self) -> Look:
        names = dict.fromkeys(name for name in self._urgent_looks if name in self._looks)
        self._urgent_looks.clear()
        for name in self._looks:
            if len(names) >= LOOK_PLACES:
                break
            names[name] = None
        self._looking = {name: self._looks.pop(name) for name in names}
        self._look = Look([self._folders[name].place for name in names])
        return self._look

    def _take_listing(self, looked: Looked) -> Iterator[None]:
        name, listing = looked.place.name, looked.listing
        batches = self._looking.pop(name, None)
        folder = self._folders.get(name)
        if batches is None or folder is None:
            return  # it is gone since
        if folder.place != looked.place:
            self._looks.setdefault(name, []).extend(batches)
            return
        # No two may wait for each other: changes wait for later changes, looks at everything for changes and
        # for earlier looks at everything.
        of_changes = [one for one in batches if not one.is_whole]
        batch = max(of_changes, key=_number) if of_changes else min(batches, key=_number)
        for other in batches:
            if other is not batch:
                other.after.add(batch)
        self._folders.listed(folder)
        self._tell(name + "/", listing.problems)
        if not listing.is_unknown:
            self._folders.locate(folder, listing.linked | {looked.place.location})
            yield from self._take_folders(folder, listing, batch, [one for one in batches if one.is_whole])
            yield from self._take_files(folder, looked, batch)
            self._take_page(folder, looked.page, batch)
        for one in batches:
            one.looks.discard(name)
        if batch.is_start:
            self._queue_found(batch)

    def _take_folders(
        self, folder: Folder, listing: Listing, batch: Batch, whole: Sequence[Batch]
    ) -> Iterator[None]:
        here = {place.name: place for place in listing.places}
        for name in [name for name in folder.folders if name not in here]:
            yield from self._drop_folder(name, batch)
        for name, place in here.items():
            known = self._folders.get(name)
            is_new = known is None or known.place != place
            self._folders.put(place)
            for one in whole or ((batch,) if is_new else ()):
                self._want_look(name, one)
        folder.folders = dict.fromkeys(here)

    def _take_page(self, folder: Folder, page: PublishedFile | None, batch: Batch) -> None:
        """*page* lists the *folder* from now on."""
        name, had_page = folder.place.name + "/", folder.has_page
        folder.has_page = page is not None
        if page is not None:
            self._put(name, page, batch, PAGE_RANK)
        elif had_page:
            batch.removed.append(name)

    def _drop_folder(self, name: str, batch: Batch) -> Iterator[None]:
        """The directory *name* is gone, with all that was in it."""
        pending = [name]
        while pending:
            here = pending.pop()
            folder = self._folders.drop(here)
            if folder is None:
                continue
            for waiting in (*self._looks.pop(here, ()), *self._looking.pop(here, ())):
                waiting.looks.discard(here)
            self._urgent_looks.pop(here, None)
            self._again.drop(here)
            self._tell(here + "/")
            if folder.has_page:
                batch.removed.append(here + "/")
            pending += folder.folders
            for file in folder.files:
                self._drop_file(file, batch)
                yield

    def _take_files(self, folder: Folder, looked: Looked, batch: Batch) -> Iterator[None]:
        here: dict[str, Group] = {group.main.name: group for group in looked.groups}
        for name in [name for name in folder.files if name not in here]:
            del folder.files[name]
            self._drop_file(name, batch)
            yield
        has_all = True
        for name, group in here.items():
            if name in self._files or len(self._files) < self._limit:
                folder.files[name] = None
                self._find(group, batch, force=name in looked.lost)
                if looked.date - group.main.signature[4] / 1e9 >= WRITING_SECONDS:
                    self._written_since.pop(name, None)
            else:
                has_all = False
            yield
        if not has_all:
            more = too_many(looked.place.name, self._limit)
            self._tell(looked.place.name + "/", [*looked.listing.problems, more])

    # Files

    def _find(self, group: Group, batch: Batch, force: bool = False) -> None:
        """A listing shows the file of *group*."""
        name = group.main.name
        file = self._files.get(name)
        old = self.site.files.get(name)
        if file is None:
            file = self._files[name] = _File(group, self._rules)
            self._name(group)
            is_right = False
        else:
            is_right = (
                not force
                and file.rules == self._rules
                and file.group.signatures() == group.signatures()
                and file.group.media == group.media
            )
            if is_right and (file.job is not None or name in self._lanes):
                return
            is_right = is_right and not file.is_later and (old is None or old.settled) and file.is_made
        if is_right:
            file.group = group
            return
        self._let_go(name, file)
        file.group, file.rules = group, self._rules
        file.is_made = file.is_later = False
        self._count_unread(name, file)
        file.batch = batch
        batch.open += 1
        if file.size <= LARGE:
            batch.waiting[file.rank] += 1
        batch.found.append(name)

    def _name(self, group: Group) -> None:
        """Know the paths of *group*; one that a file has by its name stays that file's."""
        for path in self.site.addressing.paths_of(group.main.path):
            if path == group.main.path:
                self._names[path] = group.main.name
            else:
                self._names.setdefault(path, group.main.name)

    def _let_go(self, name: str, file: _File) -> None:
        """Nobody wants any more what *file* waits for, or is being made for."""
        self._lanes.leave(name)
        if file.job is not None:
            if len(file.job.groups) == 1:
                file.job.is_cancelled = True
            file.job = None
        self._close(file)

    def _close(self, file: _File) -> None:
        """The batch of *file* waits for it no longer."""
        batch, file.batch = file.batch, None
        if batch is not None:
            batch.open -= 1
            if file.size <= LARGE:
                batch.waiting[file.rank] -= 1
            self._batches.settle(batch)

    def _drop_file(self, name: str, batch: Batch) -> None:
        """The file *name* is gone."""
        file = self._files.pop(name, None)
        if file is None:
            return
        self._let_go(name, file)
        file.is_made = True
        self._count_unread(name, file)
        for path in self.site.addressing.paths_of(file.group.main.path):
            if self._names.get(path) == name:
                del self._names[path]
        self._tell(name)
        self._written_since.pop(name, None)
        batch.removed.append(name)

    def _queue_by_size(self, name: str, file: _File, lane: Lane) -> None:
        self._queue(name, file, Lane.LARGE if file.size > LARGE else lane)

    def _queue(self, name: str, file: _File, lane: Lane) -> None:
        batch = file.batch
        if lane in (Lane.ASKED, Lane.LARGE):
            key: tuple[int, ...] = ()
        elif batch is not None and not batch.is_start:
            key = (batch.number, file.rank)
        else:
            key = (0, file.group.main.name.count("/"), file.size)
        self._lanes.put(name, lane, key)

    def _next_make(self, lane: Lane, now: float) -> Make:
        most, size = (BETTER_FILES, BETTER_BYTES) if lane is Lane.BETTER else (JOB_FILES, JOB_BYTES)
        files: dict[str, _File] = {}
        for name in self._lanes.take(lane):
            file = files[name] = self._files[name]
            size -= file.size
            if lane is Lane.LARGE or len(files) == most or size <= 0:
                break
        overdue = frozenset(
            name for name in files if now - self._written_since.get(name, now) >= LONGEST_WAIT
        )
        at_once = {Lane.CHANGE: AT_ONCE, Lane.BETTER: None}.get(lane, 0)
        job = Make([file.group for file in files.values()], lane, at_once, overdue)
        for file in files.values():
            file.job = job
        self._running.add(job)
        return job

    def _accept(self, name: str, file: _File, lane: Lane, made: Made, now: float) -> None:
        """What *file* was found as has been made."""
        problems = [made.problems[one.name] for one in file.group.files() if one.name in made.problems]
        self._tell(name, [*problems, *made.notes.get(name, ())])
        published = made.files[name]
        later = [_LATER[one.kind] for one in problems if one.kind in _LATER]
        if any(one.kind is Kind.WRITING for one in problems):
            self._written_since.setdefault(name, now)
        file.is_made, file.is_later = not later, max(later, default=0.0) > 0
        at_once = lane in (Lane.ASKED, Lane.LARGE)
        self._put(name, published, None if at_once else file.batch, file.rank)
        self._count_unread(name, file)
        if later or (published is not None and published.is_undated):
            self._again.add(dirname(name), now + min(later, default=LOOK_AGAIN))
        self._close(file)
        if published is not None and published.is_provisional and not problems and lane is not Lane.BETTER:
            self._queue(name, file, Lane.BETTER)

    def _put(self, name: str, published: PublishedFile | None, batch: Batch | None, rank: int) -> None:
        """*name* is *published* when the *batch* has come to its *rank*; None: at once."""
        paths = self.site.put(name, published)
        if batch is None or batch.is_start:
            self.step(paths)
        elif paths:
            batch.held.setdefault(rank, []).extend(paths)

    def _leave(self, name: str, file: _File, at: float) -> None:
        """*file* could not be made: its directory is looked at again at that time."""
        file.is_later = True
        self._again.add(dirname(name), at)
        self._close(file)

    def _count_unread(self, name: str, file: _File) -> None:
        if file.unread is not None:
            self.unread -= 1
            self.unread_bytes -= file.unread
            file.unread = None
        if not file.is_made and name not in self.site.files:
            file.unread = file.group.main.signature[2]
            self.unread += 1
            self.unread_bytes += file.unread

    def _tell(self, key: str, problems: Sequence[Problem] = ()) -> None:
        self._over.update(self.problems.pop(key, ()))
        self._over.difference_update(problems)
        if problems:
            self.problems[key] = list(problems)

    # Time

    def _look_again(self, now: float) -> None:
        due = [name for name in self._again.due(now) if name in self._folders]
        if due:
            self._look_at(due)


def _number(batch: Batch) -> int:
    return batch.number
