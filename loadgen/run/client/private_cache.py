"""The private caches of browsers without the smart client: what each user has stored of any server's site.

Two numbers for each user and resource, in memory that becomes real when it is written (8 bytes, in pages of
4 KiB)::

    u32  version   of the copy, counted from 1; 0: there is none
    u32  until     the tick until which it is fresh (RFC 9111 section 4.2, age and all)

A version is what validators it has; that is kept once for all users.
"""

from __future__ import annotations

import mmap
from collections import deque
from typing import NamedTuple

from loadgen.errors import LoadgenError
from loadgen.models.calendar import TICKS
from loadgen.models.http_caching import Caching
from loadgen.models.users import NO_PAGE, RING, Users
from loadgen.run.messages.sitemap import CrawledResource, SiteMap
from loadgen.wire.answers import ETAG_BYTES
from loadgen.wire.interface import Answer

#: Versions of a resource that are remembered: a server may give each of its answers a validator of its own.
_VERSIONS = 4096
_MOST_TICK = (1 << 32) - 1


class Copy(NamedTuple):
    """A stored response as a request finds it."""

    version: int
    is_fresh: bool


class StoredResource:
    """One address of the site: its versions by what validates them, and how long an answer of it is fresh."""

    def __init__(self, found: CrawledResource, caching: Caching) -> None:
        self.path = found.path.encode("ascii")
        self.kind = found.kind
        #: Of the body, as it was crawled.
        self.size, self.form = found.size, found.form
        self._caching = caching
        self.lifetime_s = caching.lifetime_s
        self._first = 1
        self._etags: deque[bytes] = deque(maxlen=_VERSIONS)
        self._lines: deque[bytes] = deque(maxlen=_VERSIONS)
        self._add(caching.etag.encode("ascii"), caching.is_weak, caching.modified.encode("latin-1"))

    @property
    def is_stored(self) -> bool:
        """Whether browsers may keep it."""
        return self._caching.is_stored

    @property
    def current(self) -> int:
        """The newest version."""
        return self._first + len(self._lines) - 1

    def conditions(self, version: int) -> bytes:
        """The header lines that validate *version* (RFC 9110 section 13.1); b"": there are none."""
        place = version - self._first
        return self._lines[place] if 0 <= place < len(self._lines) else b""

    def etag(self, version: int) -> bytes:
        """The opaque tag of *version*; b"" without one."""
        place = version - self._first
        return self._etags[place] if 0 <= place < len(self._etags) else b""

    def learn(self, answer: Answer) -> int:
        """The version that a 200 has brought."""
        etag = answer.etag if len(answer.etag) < ETAG_BYTES else b""
        return self._add(etag, bool(answer.weak), answer.modified)

    def _add(self, etag: bytes, is_weak: bool, modified: bytes) -> int:
        lines = b""
        if etag:
            lines += b'If-None-Match: %b"%b"\r\n' % (b"W/" if is_weak else b"", etag)
        if modified:
            lines += b"If-Modified-Since: %b\r\n" % modified
        if not self._lines or lines != self._lines[-1]:
            if len(self._lines) == _VERSIONS:
                self._first += 1
            self._etags.append(etag)
            self._lines.append(lines)
        return self.current

    def lifetime(self, answer: Answer) -> int:
        """Seconds that the copy of this *answer* is fresh, without its age."""
        caching = self._caching
        if caching.is_varying:
            return 0
        if answer.max_age >= 0:
            self.lifetime_s = answer.max_age
        elif answer.status != 304:  # of a 304 what is stored stays as it was (RFC 9111 section 3.2)
            self.lifetime_s = 0 if caching.is_explicit else caching.lifetime_s
        return self.lifetime_s


class PrivateCache:
    """The caches of all users of a process."""

    def __init__(self, site: SiteMap, users: Users) -> None:
        """:exc:`LoadgenError`: there is no memory for so many."""
        self.resources = [StoredResource(one, one.caching) for one in site.resources if one.caching]
        assert len(self.resources) == len(site.resources), "crawled as a plain server's"
        self.pages = site.pages
        self._users = users
        self._width = 2 * len(self.resources)
        size = 4 * self._width * users.count
        try:
            self._memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
        except (OSError, OverflowError):
            raise LoadgenError(
                f"there is no memory for the caches of {users.count:,} users, {len(self.resources):,} "
                "resources each; take fewer users, or fewer [site] pages"
            ) from None
        self._cells = memoryview(self._memory).cast("I")

    def look(self, user: int, resource: int, tick: int) -> Copy | None:
        """What *user* has of *resource* at *tick*."""
        ring = user * RING
        if self._users.ring_page[ring] != NO_PAGE:
            self._warm(user, ring)
        place = user * self._width + 2 * resource
        version = self._cells[place]
        return Copy(version, tick < self._cells[place + 1]) if version else None

    def store(self, user: int, resource: int, version: int, asked: int, fresh_s: int) -> None:
        """*user* has *version* of *resource*, asked for at the tick *asked*, fresh for *fresh_s* since."""
        if self.resources[resource].is_stored:
            place = user * self._width + 2 * resource
            self._cells[place] = version
            self._cells[place + 1] = min(_MOST_TICK, asked + max(0, fresh_s) * TICKS)

    def forget(self, user: int, resource: int) -> None:
        """*user* has *resource* no longer."""
        self._cells[user * self._width + 2 * resource] = 0

    def _warm(self, user: int, ring: int) -> None:
        """Store what *user* has seen before the run: the pages of its ring, which is empty from then on."""
        seen = zip(
            self._users.ring_page[ring : ring + RING], self._users.ring_at[ring : ring + RING], strict=True
        )
        for page, at in sorted(seen, key=lambda one: one[1]):
            for part in self.pages[page] if page < len(self.pages) else ():
                one = self.resources[part]
                self.store(user, part, 1, at, one.lifetime_s)
        for place in range(ring, ring + RING):
            self._users.ring_page[place] = NO_PAGE


#: Python has the name from 3.13 on; linux/mman.h.
_NO_RESERVE = 0x4000
