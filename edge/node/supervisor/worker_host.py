"""What workers get from the supervisor: settings and descriptors when they start, later answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from edge.errors import NotConnected
from edge.node.process.control import NotPublishedYet
from edge.node.process.lookup import pack
from edge.node.process.settings import WorkerSettings, encode
from edge.node.process.ticket_keys import pack as pack_ticket_keys
from edge.node.publishing.publisher import NotYet
from edge.node.supervisor.directories import SAME_USER, User
from edge.node.supervisor.plan import worker_settings
from edge.table.counters import GAUGES, INDEX
from edge.table.segment import CounterBlock, Segment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from edge.node.supervisor.answers import AnswerStore
    from edge.node.supervisor.configuration import Configuration
    from edge.node.supervisor.exporting import Exporter
    from edge.node.supervisor.listeners import Listener
    from edge.node.telemetry.accesslog import AccessLog
    from edge.resource import Resource
    from edge.tls.interface import Credential
    from edge.trust.tickets import Key

#: Counters that say what is now: they end with the process.


class Readers(Protocol):
    """The readers of the table, as a :class:`edge.table.writer.Writer` knows them."""

    def worker_gone(self, index: int) -> None:
        """Worker *index* reads no more."""


class WorkerHost:
    """The supervisor as its workers see it.

    *look_up*: what is published under a path.  *fetch*: (path, ETag) -> whether that body, which only other
    nodes had, is in the blob store now.  *descriptors*: how many a worker may have open.
    *blobs*, *buckets*: descriptors of the folder of blobs, and of the buckets of rates.  *user*: whom worker
    processes become.  *connect*: (application, number of its place) -> descriptor of a new connection; an
    :class:`~edge.errors.EdgeError` says why not.  *exporter*: of traces; None: there are none.
    """

    def __init__(
        self,
        configuration: Configuration,
        listeners: Sequence[Listener],
        segment: Segment,
        descriptors: int,
        readers: Readers,
        look_up: Callable[[bytes], Awaitable[Resource | None]],
        fetch: Callable[[bytes, bytes], Awaitable[bool]],
        ticket_keys: Callable[[], Sequence[Key]],
        blobs: int,
        answers: AnswerStore,
        user: User = SAME_USER,
        connect: Callable[[str, int], Awaitable[int]] | None = None,
        *,
        access_log: AccessLog,
        buckets: int,
        users: Callable[[], bytes],
        exporter: Exporter | None = None,
    ) -> None:
        self._configuration = configuration
        self._listeners = listeners
        self._segment = segment
        self._descriptors = descriptors
        self._readers = readers
        self._look_up = look_up
        self._fetch = fetch
        self._ticket_keys = ticket_keys
        self._blobs = blobs
        self._user = user
        self._connect = connect
        #: Answers of applications.
        self.answers = answers
        #: Packed news of cache groups that says how things are, for a worker that starts.
        self.group_news: Callable[[], bytes] = bytes
        self._access_log = access_log
        self._buckets = buckets
        self._users = users
        self._exporter = exporter

    def settings(self, index: int) -> WorkerSettings:
        """The settings of worker *index*, by the configuration in force."""
        config = self._configuration.current
        own_process = bool(config.worker_count)
        made = worker_settings(config, self._listeners, index, self._descriptors, own_process, self._user)
        made = msgspec.structs.replace(made, counted_sites=self._segment.counted_sites)
        if own_process:
            return made
        log = self._access_log
        traces = made.traces
        if traces is not None and self._exporter is not None:
            traces = msgspec.structs.replace(traces, ring=self._exporter.ring(index))
        return msgspec.structs.replace(
            made, log_ring=log.ring(index), log_wake=log.wake, buckets=self._buckets, traces=traces
        )

    def encoded_settings(self, index: int, is_successor: bool = False) -> bytes:
        """The settings of worker *index*, encoded; *is_successor*: another one has served in its place."""
        return encode(msgspec.structs.replace(self.settings(index), is_successor=is_successor))

    def descriptors_for(self, index: int) -> Sequence[int]:
        """What the process inherits, in the order that :mod:`edge.node.process.control` tells."""
        sockets = [one.socket_for(index).fileno() for one in self._listeners]
        log = self._access_log
        return [
            self._segment.fd,
            self._segment.block(index).fd,
            self._blobs,
            log.ring(index),
            log.wake,
            self._buckets,
            *sockets,
            *([self._exporter.ring(index)] if self._exporter is not None else ()),
        ]

    def credentials(self) -> list[tuple[int, list[Credential]]]:
        """The certificates of each TLS listener, after its number."""
        return [
            (number, [one.credential for one in listener.certificates])
            for number, listener in enumerate(self._listeners)
            if listener.certificates
        ]

    def packed_users(self) -> bytes:
        """Who may log in, packed (:mod:`edge.node.supervisor.user_files`)."""
        return self._users()

    def packed_ticket_keys(self) -> bytes:
        """The keys of session tickets, packed (:mod:`edge.node.process.ticket_keys`)."""
        return pack_ticket_keys(self._ticket_keys())

    async def look_up(self, path: bytes) -> bytes:
        """What is published under *path*, packed (:mod:`edge.node.process.lookup`).

        :class:`~edge.node.process.control.NotPublishedYet`: it may be in a moment.
        """
        try:
            return pack(await self._look_up(path))
        except NotYet as error:
            raise NotPublishedYet(str(error)) from None

    async def fetch(self, path: bytes, etag: bytes) -> bool:
        """Have a body here that only other nodes have; whether it is here now."""
        return await self._fetch(path, etag)

    async def connect(self, application: str, number: int) -> int:
        """The descriptor of a new connection to place *number* of *application*, for the caller to close.

        :class:`~edge.errors.EdgeError` says why there is none.
        """
        if self._connect is None:
            raise NotConnected(f"{application}: this node has no applications")
        return await self._connect(application, number)

    def worker_gone(self, index: int) -> None:
        """A worker's process has ended: it neither reads nor serves any more."""
        self._readers.worker_gone(index)
        self.answers.worker_gone(index)
        counters = CounterBlock(self._segment, index)
        for gauge in GAUGES:
            counters.set(INDEX[gauge], 0)
