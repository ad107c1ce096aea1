"""Walking a webroot: its files, found without ever leaving it (symbolic links, races).

A :class:`Tree` is an open webroot.  :meth:`Tree.look_at` lists one directory of it, :meth:`Tree.walk` all;
:meth:`Tree.open_directory` opens one for reading its files.  Both go from the open root
component by component and never through a symbolic link, so that exchanging a directory for a link
between listing and reading leads to an error, not out of the root.  Links are resolved by name first,
judged, and then opened by the resolved name in the same way.

What is listed: regular files, and links to them; in links to directories too, unless they lead back to a
directory that contains them.  What is not:

* names that begin with a dot, except ``.well-known`` (RFC 8615): silently, they are private by custom;
* ``/.edge/``, which belongs to the server, and what is the node's own, like its state and keys; links that
  leave the root (unless *follow_symlinks*), lead nowhere or in circles; sockets, devices and pipes; what
  cannot be read; names that have no canonical path (a backslash, or longer than a request target may be):
  reported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from stat import S_ISDIR, S_ISLNK, S_ISREG
from types import TracebackType
from typing import NamedTuple

from edge.errors import PublishError
from edge.http.target import canonical_path, path_of_name
from edge.publish.links import links_on_the_way
from edge.publish.problems import KEEPS_OLD, Kind, Problem, Report, reason
from edge.publish.store import Signature

RESERVED = ".edge"
WELL_KNOWN = ".well-known"
#: Octets of a path; a request target of more than 8 KiB is refused (414), and a query must fit too.
MAX_PATH = 8000
#: Links to directories one inside the other: more is a maze, not a site.
MAX_LINKS = 8

#: Like :func:`os.open` with a directory: (name, flags, directory fd or None) -> fd.
Opener = Callable[[str, int, "int | None"], int]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: O_NONBLOCK: a pipe that has taken the place of a file must not hold us up.
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_OWN = "is the node's own (state, keys, passwords, logs); skipped, and better kept outside of the webroot"
_PLAIN_NAME = re.compile(rb"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")


class SourceFile(NamedTuple):
    """A file that is to be published."""

    #: Path relative to the webroot as the file system has it (surrogateescape): "a/b.html".
    name: str
    #: The canonical path it is published under: b"/a/b.html".
    path: bytes
    #: Where to open it: absolute name, free of links, of its directory, and its name in there.
    directory: str
    file: str
    signature: Signature


class Folder(NamedTuple):
    """A directory of the webroot and the files in it, by their names."""

    #: Like ``SourceFile.name``; "" is the webroot.
    name: str
    files: dict[str, SourceFile]


class Place(NamedTuple):
    """Where a directory of the webroot is."""

    #: Like ``SourceFile.name``; "" is the webroot.
    name: str
    #: What the paths of its files begin with.
    prefix: bytes
    #: Its absolute name, free of links.
    location: str
    #: (device, inode) of the directories around it.
    ancestors: tuple[tuple[int, int], ...]
    #: Links on the way to it.
    links: int
    #: Its own device and inode, where they were seen: another directory under its name has others.
    identity: tuple[int, int] | None = None


class Listing(NamedTuple):
    """What is in one directory."""

    files: dict[str, SourceFile]
    #: The directories in it.
    places: list[Place]
    #: Absolute names of other directories in which its links lead on, or end.
    linked: frozenset[str]
    problems: list[Problem]
    #: It could not be read: what was published of it and of everything below stays.
    is_unknown: bool = False
    #: When something was added to it or removed from it last: mtime, in nanoseconds.
    modified: int = 0


def open_file(name: str, flags: int, directory: int | None) -> int:
    """The :data:`Opener` that opens files."""
    return os.open(name, flags, dir_fd=directory)


def signature_of(status: os.stat_result) -> Signature:
    """What tells one state of a file from another."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Tree:
    """A webroot, open."""

    def __init__(
        self,
        root: str,
        *,
        follow_symlinks: bool = False,
        file_limit: int = 1 << 20,
        exclude: frozenset[tuple[int, int]] = frozenset(),
        opener: Opener = open_file,
    ) -> None:
        """Open *root*.  :class:`PublishError` if it is missing, no directory, or not readable.

        *exclude*: (device, inode) of directories and files that are not part of the site: the node's own.
        """
        self._follow = follow_symlinks
        self._limit = file_limit
        self._exclude = exclude
        self._open = opener
        self.root = os.path.realpath(root)
        try:
            self._fd = opener(self.root, _DIRECTORY, None)
        except FileNotFoundError:
            raise PublishError(f"the webroot {root} does not exist; create it, or name another") from None
        except NotADirectoryError:
            raise PublishError(
                f"the webroot {root} is not a directory; name the directory that holds the files"
            ) from None
        except PermissionError:
            raise PublishError(
                f"no permission to read the webroot {root}; it needs r-x for this user, like those above"
            ) from None
        except OSError as error:
            raise PublishError(f"the webroot {root} cannot be opened: {reason(error)}") from error

    def __enter__(self) -> Tree:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def open_directory(self, location: str) -> int:
        """Open the directory with this absolute, link-free name; :class:`OSError` if it is no longer so."""
        if self._is_inside(location):
            fd, parts = os.dup(self._fd), location[len(self.root) :]
        elif self._follow:
            fd, parts = self._open("/", _DIRECTORY, None), location
        else:
            raise PermissionError(1, "outside the webroot", location)
        for part in parts.split("/"):
            if part:
                try:
                    deeper = self._open(part, _DIRECTORY | os.O_NOFOLLOW, fd)
                finally:
                    os.close(fd)
                fd = deeper
        return fd

    def root_place(self) -> Place:
        """Where the webroot itself is."""
        return Place("", b"/", self.root, (), 0)

    def look_at(self, place: Place, on_directory: Callable[[str], None] | None = None) -> Listing:
        """What is in the directory at *place*, now.

        *on_directory* is called with the absolute name of each directory that matters *before* it is
        listed: whoever watches it from then on misses nothing.
        """
        try:
            fd = self.open_directory(place.location)
        except OSError as error:
            return _unlisted(place, error)
        try:
            status = os.fstat(fd)
            identity = (status.st_dev, status.st_ino)
            if identity in self._exclude:
                return Listing({}, [], frozenset(), [Problem(Kind.RESERVED, place.name, _OWN)])
            if identity in place.ancestors:
                text = "leads back to a directory around it; skipped"
                return Listing({}, [], frozenset(), [Problem(Kind.LOOP, place.name, text)])
            if on_directory is not None:
                on_directory(place.location)
            return self._list(place, fd, identity, on_directory)._replace(modified=status.st_mtime_ns)
        except OSError as error:
            return _unlisted(place, error)
        finally:
            os.close(fd)

    def walk(self, report: Report, on_directory: Callable[[str], None] | None = None) -> Iterator[Folder]:
        """All files, directory by directory, in the order of their names.

        *on_directory*: see :meth:`look_at`.
        """
        left = self._limit
        pending = [self.root_place()]
        while pending:
            here = pending.pop()
            listing = self.look_at(here, on_directory)
            for problem in listing.problems:
                report(problem)
            files, places = listing.files, listing.places
            if len(files) > left:
                report(too_many(here.name, self._limit))
                files = dict(list(files.items())[:left])
                pending.clear()
                places = []
            left -= len(files)
            pending.extend(reversed(places))
            if not listing.is_unknown:
                yield Folder(here.name, files)

    def _list(
        self, here: Place, fd: int, identity: tuple[int, int], on_directory: Callable[[str], None] | None
    ) -> Listing:
        files: dict[str, SourceFile] = {}
        places: list[Place] = []
        linked: set[str] = set()
        problems: list[Problem] = []
        report = problems.append
        ancestors = (*here.ancestors, identity)
        with os.scandir(fd) as entries:
            names = sorted(entries, key=lambda entry: entry.name)
        for entry in names:
            file = entry.name
            if file[0] == "." and file != WELL_KNOWN:
                if file == RESERVED and not here.name:
                    report(Problem(Kind.RESERVED, file, "/.edge/ belongs to the server; skipped"))
                continue
            name = f"{here.name}/{file}" if here.name else file
            segment = _segment(os.fsencode(file))
            if segment is None or len(here.prefix) + len(segment) > MAX_PATH:
                text = "no URL path can stand for this name (it has a backslash, or is too long); skipped"
                report(Problem(Kind.UNNAMEABLE, name, text))
                continue
            location, links = os.path.join(here.location, file), here.links
            try:
                if entry.is_symlink():
                    links += 1
                    resolved = self._resolve(name, location, report)
                    if resolved is None:
                        continue
                    way = {directory for directory, _ in links_on_the_way(location)} - {here.location}
                    location = resolved
                    way.add(os.path.dirname(location))
                    if on_directory is not None:
                        for directory in way - linked:
                            on_directory(directory)
                    linked |= way
                    status = self._stat(location)
                else:
                    status = entry.stat(follow_symlinks=False)
            except OSError as error:
                report(_refused(name, error))
                continue
            mode = status.st_mode
            if S_ISREG(mode) and (status.st_dev, status.st_ino) in self._exclude:
                report(Problem(Kind.RESERVED, name, _OWN))
            elif S_ISREG(mode):
                directory, target = (here.location, file) if links == here.links else os.path.split(location)
                files[file] = SourceFile(name, here.prefix + segment, directory, target, signature_of(status))
            elif not S_ISDIR(mode):
                text = "is neither a file nor a directory; skipped"
                report(Problem(Kind.LOOP if S_ISLNK(mode) else Kind.SPECIAL, name, text))
            elif links > MAX_LINKS:
                text = f"is inside of more than {MAX_LINKS} links to directories; skipped"
                report(Problem(Kind.LOOP, name, text))
            else:
                inside = (status.st_dev, status.st_ino)
                places.append(Place(name, here.prefix + segment + b"/", location, ancestors, links, inside))
        return Listing(files, places, frozenset(linked), problems)

    def _resolve(self, name: str, link: str, report: Report) -> str | None:
        """Where the link leads, if that may be published."""
        try:
            resolved = os.path.realpath(link, strict=True)
        except FileNotFoundError:
            report(Problem(Kind.DANGLING, name, "is a link to something that does not exist; skipped"))
            return None
        except OSError as error:
            report(Problem(Kind.LOOP, name, f"is a link that cannot be followed ({reason(error)}); skipped"))
            return None
        if not self._follow and not self._is_inside(resolved):
            text = "is a link that leaves the webroot; skipped (follow-symlinks would allow it)"
            report(Problem(Kind.LEAVES_ROOT, name, text))
            return None
        return resolved

    def _stat(self, location: str) -> os.stat_result:
        """lstat of a resolved name, reached without links."""
        if location in (self.root, "/"):
            return os.stat(location)
        fd = self.open_directory(os.path.dirname(location))
        try:
            return os.stat(os.path.basename(location), dir_fd=fd, follow_symlinks=False)
        finally:
            os.close(fd)

    def _is_inside(self, location: str) -> bool:
        return location == self.root or location.startswith(self.root.rstrip("/") + "/")


def _segment(name: bytes) -> bytes | None:
    """*name* as a segment of a canonical path, None if it has no such form."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    try:
        path = path_of_name([name])
    except ValueError:
        return None
    return path[1:] if canonical_path(path) == path else None


def too_many(name: str, limit: int) -> Problem:
    """That the directory *name* has files beyond the *limit*."""
    text = f"the webroot has more than {limit} files; those from here on are not published"
    return Problem(Kind.TOO_MANY, name, text)


def _unlisted(place: Place, error: OSError) -> Listing:
    problem = _refused(place.name, error)
    return Listing({}, [], frozenset(), [problem], is_unknown=problem.kind in KEEPS_OLD)


def _refused(name: str, error: OSError) -> Problem:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return Problem(Kind.VANISHED, name, "was there a moment ago and is gone; skipped")
    text = f"cannot be read ({reason(error)}); a version published before stays"
    return Problem(Kind.UNREADABLE, name, text)
