"""The blob store: content-addressed files, ``blobs/<first 2 of etag>/<etag>``, for bodies beyond the table.

A blob is named by the digest of its contents, so it is written once, never changed, and may be shared by all
processes that use the directory.  It appears whole by an atomic replace (written under ``blobs/tmp/``, then
renamed) and, where the file system can, shares its disk blocks with the file it was copied from.

Disks flip bits, and a crash of the machine may keep a name without its bytes.  So a blob that an earlier
process wrote is believed for its length by a scan only, and compared with its digest before it is first used:
coded bodies by the scan (:meth:`Blobs.is_whole`), what is sent by the worker that sends it, everything in the
background (:meth:`Blobs.check`).  What is written anew replaces what is there.  Those of more than
:data:`CHECK_AT_ONCE` bytes, for which no client can wait, are on disk before their name is
(:mod:`edge.durable`), and come first in the background.

When may a blob be deleted?  Every process keeps a file ``owners/<its id>`` with the names of the
blobs it needs, holds a lock (flock) on it while it lives, and adds a name *before* it looks for the
blob.  :meth:`Blobs.collect`, alone behind the lock of ``collect.lock``, forgets the owners whose lock
is free (they died), and deletes what no file names.  An owner's file names the blobs of its last *two*
catalogues: a worker that has just looked up an entry of the one before still finds its blob.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock, ioctl
from hashlib import sha256
from threading import RLock
from types import TracebackType

from edge import durable
from edge.errors import PublishError
from edge.publish.problems import reason
from edge.resource import etag_of

_FICLONE = 0x40049409  # linux/fs.h: make the file share the blocks of another
_CHUNK = 1 << 20  # bytes per read: fewer, larger reads gain nothing measurable
_ETAG_BYTES = 16
#: Bytes that can be read while a client waits: some 50 ms.
CHECK_AT_ONCE = 64 << 20
_ZEROS = bytes(_CHUNK)
#: Bytes that copying leaves free on the disk.
_SPARE = 16 << 20

#: Told how many bytes have been read; may raise, which ends the reading.
OnBytes = Callable[[int], None]


def nothing(count: int) -> None:
    """The :data:`OnBytes` of who does not want to know."""


class Blobs:
    """The blob files of one state directory; may be used by several threads and processes."""

    def __init__(self, directory: str) -> None:
        """Open, and make where missing, the directory.  :class:`PublishError` if that is impossible."""
        self._blobs = os.path.join(directory, "blobs")
        self._temporary = os.path.join(self._blobs, "tmp")
        self._owners = os.path.join(directory, "owners")
        self._owner = secrets.token_hex(8)
        self._thread_lock = RLock()
        self._needed: set[bytes] = set()
        self._last: set[bytes] = set()
        #: Retained since the last collection: by a publish that may still be on its way.
        self._recent: set[bytes] = set()
        #: Names that the owner's file lacks, since the disk had no room.
        self._untold = bytearray()
        self._serial = 0
        #: ETags of blobs that this process has written, or checked once.
        self._whole: set[bytes] = set()
        with _explained("prepare the directory", directory):
            os.makedirs(self._temporary, exist_ok=True)
            os.makedirs(self._owners, exist_ok=True)
            for path in (self._blobs, self._temporary, self._owners):
                if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            self._lock_fd = os.open(os.path.join(directory, "collect.lock"), os.O_RDWR | os.O_CREAT, 0o600)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
            with self._locked(LOCK_SH):
                self._owner_fd = os.open(os.path.join(self._owners, self._owner), flags, 0o600)
                flock(self._owner_fd, LOCK_EX)

    def __enter__(self) -> Blobs:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Retain nothing any more: another process may now collect what only this one needed."""
        with self._thread_lock:
            if self._owner_fd >= 0:
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._owners, self._owner))
                os.close(self._owner_fd)
                os.close(self._lock_fd)
                self._owner_fd = self._lock_fd = -1

    def path(self, etag: bytes) -> str:
        """Where the blob named *etag* lies."""
        name = etag.decode("ascii")
        return os.path.join(self._blobs, name[:2], name)

    def retain(self, etags: Iterable[bytes]) -> None:
        """Say that this process needs these blobs, whether they exist yet or not.

        A disk without room holds nobody up: it is said when there is some, and what another process deletes
        before that is made, or fetched, again.
        """
        with self._thread_lock:
            wanted = set(etags)
            self._recent |= wanted
            new = wanted - self._needed
            self._needed |= new
            self._untold += b"".join(new)
            if self._untold:
                with self._locked(LOCK_SH):
                    self._tell()

    def _tell(self) -> None:
        """Write down the names that are still to be, as far as the disk has room."""
        with suppress(OSError):
            while self._untold:
                del self._untold[: os.write(self._owner_fd, self._untold)]

    def has(self, etag: bytes, length: int) -> bool:
        """Whether the blob is there with the right length; from now on it is retained."""
        self.retain((etag,))
        try:
            return os.stat(self.path(etag)).st_size == length
        except OSError:
            return False

    def is_whole(self, etag: bytes, length: int) -> bool:
        """Whether the blob is there and holds what its name says; read once in the life of this process.

        A damaged one is removed.  From now on it is retained.
        """
        if not self.has(etag, length):
            return False
        if etag not in self._whole:
            if not self.check(etag):
                return False
            self._whole.add(etag)
        return True

    def check(self, etag: bytes, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Whether the bytes of the blob have the digest that names it; if not, it is removed.

        True if *give_up* breaks that off.
        """
        try:
            is_whole = has_name_of_bytes(self.path(etag), give_up)
        except FileNotFoundError:
            is_whole = False
        if not is_whole:
            self.discard(etag)
        return is_whole

    def all(self) -> Iterator[bytes]:
        """The ETags of all blobs that are there, those first that are not checked at once, in short steps."""
        for wants_large in (True, False):
            for folder in os.listdir(self._blobs):
                if folder == "tmp":
                    continue
                found = []
                with suppress(OSError), os.scandir(os.path.join(self._blobs, folder)) as entries:
                    for entry in entries:
                        if (entry.stat().st_size > CHECK_AT_ONCE) is wants_large:
                            found.append(os.fsencode(entry.name))
                yield from found

    def put(self, body: bytes) -> None:
        """Write a blob with this body, unless it is there and whole."""
        etag = etag_of(sha256(body).digest())
        if self.is_whole(etag, len(body)):
            return
        with self._new_file() as (fd, temporary), _explained("write", self.path(etag)):
            view = memoryview(body)
            while view:
                view = view[os.write(fd, view) :]
            self.install(temporary, etag, fd, len(body))

    def copy(self, source_fd: int, on_bytes: OnBytes = nothing) -> tuple[bytes, int]:
        """Make a blob of the contents of an open file; its (SHA-256, length).

        The blob is consistent with the digest even if the file changes meanwhile; whether the contents
        are whole is for the caller to find out.  Holes of the file stay holes.
        """
        with self._new_file() as (fd, temporary):
            if _clone(fd, source_fd):
                digest, length = _digest(fd, on_bytes), os.fstat(fd).st_size
            else:
                self._want_room(source_fd, temporary)
                digest, length = _copy(source_fd, fd, temporary, on_bytes)
            etag = etag_of(digest)
            if not (self.has(etag, length) and etag in self._whole):
                self.install(temporary, etag, fd, length)
        return digest, length

    def _want_room(self, source_fd: int, path: str) -> None:
        """Refuse at once what would not fit: a copy of gigabytes is tried again every few seconds."""
        source, disk = os.fstat(source_fd), os.statvfs(self._temporary)
        wanted, free = source.st_blocks * 512, disk.f_bavail * disk.f_frsize
        if wanted > CHECK_AT_ONCE and wanted + _SPARE > free:
            raise PublishError(
                f"cannot write {path}: the copy needs {wanted >> 20} MiB, and {free >> 20} MiB are free; "
                "make room on that disk, or give a --cache-dir where there is some"
            )

    def partial(self) -> PartialBlob:
        """A blob whose bytes come piece by piece; the caller has to close it."""
        fd, path = self._create()
        return PartialBlob(self, fd, path)

    def read(self, etag: bytes, digest: bytes) -> bytes | None:
        """The body, verified; None if the blob is missing or its digest is not *digest*."""
        self.retain((etag,))
        try:
            with open(self.path(etag), "rb") as file:
                body = file.read()
        except OSError:
            return None
        return body if sha256(body).digest() == digest else None

    def pieces(self, etag: bytes) -> Iterator[bytes]:
        """The bytes of a blob, not verified; :class:`OSError` if it is missing."""
        self.retain((etag,))
        with open(self.path(etag), "rb", buffering=0) as file:
            while piece := file.read(_CHUNK):
                yield piece

    def discard(self, etag: bytes) -> None:
        """Remove a damaged blob, so that it is written again."""
        self._whole.discard(etag)
        with suppress(FileNotFoundError), _explained("remove", self.path(etag)):
            os.unlink(self.path(etag))

    def collect(self, etags: Iterable[bytes]) -> int:
        """Delete the blobs that no process needs (garbage); this one: *etags* and those of the call before.

        To be called after a catalogue has been published, with the blobs it refers to.  Returns how
        many were deleted.
        """
        removed = 0
        with self._thread_lock, self._locked(LOCK_EX), _explained("collect", self._blobs):
            current = set(etags)
            self._needed, self._last = current | self._last | self._recent, current
            self._recent = set()
            os.ftruncate(self._owner_fd, 0)
            self._untold = bytearray(b"".join(self._needed))
            self._tell()
            needed = set(self._needed)
            self._whole &= needed
            alive = {self._owner}
            for owner in os.listdir(self._owners):
                if owner != self._owner and (names := self._needed_by(owner)) is not None:
                    needed |= names
                    alive.add(owner)
            for name in os.listdir(self._temporary):
                if name.partition(".")[0] not in alive:
                    os.unlink(os.path.join(self._temporary, name))
            for folder in os.listdir(self._blobs):
                if folder == "tmp":
                    continue
                for name in os.listdir(os.path.join(self._blobs, folder)):
                    if os.fsencode(name) not in needed:
                        os.unlink(os.path.join(self._blobs, folder, name))
                        removed += 1
            self._tell()  # there is room now
        return removed

    def _needed_by(self, owner: str) -> set[bytes] | None:
        """What a living process needs; None, and its file removed, if it is dead."""
        path = os.path.join(self._owners, owner)
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with open(fd, "rb") as file:
            try:
                flock(fd, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                text = file.read()
                return {text[i : i + _ETAG_BYTES] for i in range(0, len(text), _ETAG_BYTES)}
            with suppress(FileNotFoundError):
                os.unlink(path)
            return None

    def install(self, temporary: str, etag: bytes, fd: int, length: int) -> None:
        """Give the file *temporary*, whole and open as *fd*, the name *etag*, which is that of its bytes.

        Whatever nobody reads and compares before it is sent, is on the disk before it has the name.
        """
        target = self.path(etag)
        with _explained("write", target):
            _make_folder(os.path.dirname(target))
            if length > CHECK_AT_ONCE:
                durable.replace(fd, temporary, target)
            else:
                os.replace(temporary, target)
        self._whole.add(etag)

    def _create(self) -> tuple[int, str]:
        with self._thread_lock:
            self._serial += 1
            path = os.path.join(self._temporary, f"{self._owner}.{self._serial}")
        with _explained("write", path):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            os.fchmod(fd, 0o640)  # whatever the umask: workers may be of another user, and of its group
        return fd, path

    @contextmanager
    def _new_file(self) -> Iterator[tuple[int, str]]:
        fd, path = self._create()
        try:
            yield fd, path
        finally:
            os.close(fd)
            with suppress(FileNotFoundError):
                os.unlink(path)

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with self._thread_lock:
            flock(self._lock_fd, how)
            try:
                yield
            finally:
                flock(self._lock_fd, LOCK_UN)


def _make_folder(path: str) -> None:
    """A folder that its group may read, whatever the umask; the group is that of the folder above."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    os.chmod(path, 0o750 | os.stat(path).st_mode & stat.S_ISGID)


class PartialBlob:
    """A file under ``tmp/`` that grows, with the digest of what it holds; see :meth:`Blobs.partial`."""

    def __init__(self, blobs: Blobs, fd: int, path: str) -> None:
        self._blobs = blobs
        self._fd = fd
        self._path = path
        self._digest = sha256()
        #: Bytes written.
        self.length = 0

    def write(self, data: bytes) -> None:
        """Append *data*.  :class:`PublishError` if there is no room."""
        view = memoryview(data)
        with _explained("write", self._path):
            while view:
                view = view[os.write(self._fd, view) :]
        self._digest.update(data)
        self.length += len(data)

    def reset(self) -> None:
        """Forget all bytes."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._digest, self.length = sha256(), 0

    def install(self, digest: bytes) -> bool:
        """Make it the blob of that SHA-256, retained; False, and nothing done, if it is not that one.

        A large one reaches the disk before its name does: that takes a while, and belongs in a thread.
        """
        if self._digest.digest() != digest:
            return False
        etag = etag_of(digest)
        self._blobs.retain((etag,))
        self._blobs.install(self._path, etag, self._fd, self.length)
        return True

    def close(self) -> None:
        """Remove the file, unless it was installed."""
        os.close(self._fd)
        with suppress(FileNotFoundError):
            os.unlink(self._path)


def has_name_of_bytes(path: str, give_up: Callable[[], bool] = lambda: False) -> bool:
    """Whether the blob at *path* holds what its name, an ETag, says; False too if it cannot be read.

    True if *give_up* breaks that off.  :class:`FileNotFoundError`.
    """
    digest = sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                if give_up():
                    return True
    except FileNotFoundError:
        raise
    except OSError:  # EIO: the disk itself knows that it has lost it
        return False
    return etag_of(digest.digest()) == os.fsencode(os.path.basename(path))


def _clone(fd: int, source_fd: int) -> bool:
    try:
        ioctl(fd, _FICLONE, source_fd)
    except OSError:
        return False  # another file system, or one that cannot
    return True


def _digest(fd: int, on_bytes: OnBytes) -> bytes:
    digest, length = sha256(), 0
    os.lseek(fd, 0, os.SEEK_SET)
    while chunk := os.read(fd, _CHUNK):
        digest.update(chunk)
        length += len(chunk)
        on_bytes(length)
    return digest.digest()


def _copy(source_fd: int, fd: int, path: str, on_bytes: OnBytes) -> tuple[bytes, int]:
    digest, length = sha256(), 0
    while chunk := os.read(source_fd, _CHUNK):
        digest.update(chunk)
        length += len(chunk)
        with _explained("write", path):
            _append(fd, chunk)
        on_bytes(length)
    with _explained("write", path):
        os.ftruncate(fd, length)  # a hole at the end
    return digest.digest(), length


def _append(fd: int, chunk: bytes) -> None:
    """Write *chunk*; nothing but zeros becomes a hole."""
    if chunk == _ZEROS[: len(chunk)]:
        os.lseek(fd, len(chunk), os.SEEK_CUR)
        return
    view = memoryview(chunk)
    while view:
        view = view[os.write(fd, view) :]


@contextmanager
def _explained(what: str, path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        inside = f"{error.filename}: " if error.filename not in (None, path) else ""
        raise PublishError(
            f"cannot {what} {path}: {inside}{reason(error)}; "
            "the state directory needs room and write permission"
        ) from error
