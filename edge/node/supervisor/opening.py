"""What a node opens before anything of it runs, and holds until it ends.

All of it is opened before ``twistd`` goes into the background, so that whoever started the node sees what
fails.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.config.check import SERVES_NOTHING
from edge.config.publishing import site_hosts
from edge.descriptors import raise_descriptor_limit
from edge.errors import ConfigError, in_words, named
from edge.fastpath import select
from edge.node.supervisor.directories import SAME_USER, User, acting_as, give, make_directory, share_folder
from edge.node.supervisor.listeners import Listener, open_listener, open_listeners
from edge.node.supervisor.plan import automatic_files
from edge.node.supervisor.statedir import StateDirectory
from edge.node.supervisor.worker_user import find_worker_user
from edge.sites import counted_apart
from edge.table.segment import Segment
from edge.trust.kept_certificate import KeptCertificate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config import Config
    from edge.endpoint import ListenSpec


@dataclass(frozen=True)
class Opened:
    """The state directory (locked), the listeners and the shared table of one node.

    *descriptors*: how many a process may have open.
    """

    descriptors: int
    state_dir: StateDirectory
    listeners: Sequence[Listener]
    admin_listener: Listener
    segment: Segment
    #: Whom worker processes become, and the folder of blobs, which they read.
    worker_user: User
    blobs: int

    @property
    def urls(self) -> list[str]:
        """Where the node listens."""
        return [listener.url for listener in self.listeners]

    def admin_token(self) -> str | None:
        """A new token for the admin API, written into the state directory; None: there is none.

        On a Unix socket whoever the file system lets in may use the admin API, on TCP who shows the token.
        """
        return self.state_dir.admin_token() if self.admin_listener.spec.kind != "unix" else None

    def look_at_certificates(self) -> bool:
        """Read certificates whose files have changed; whether there is a new one."""
        looked = [one.look() for listener in self.listeners for one in listener.certificates]
        return any(looked)

    def close(self) -> None:
        """Close the listeners, the table and the state directory."""
        for listener in (*self.listeners, self.admin_listener):
            listener.close()
        self.segment.close()
        os.close(self.blobs)
        self.state_dir.close()


def open_node(config: Config, user: User = SAME_USER) -> Opened:
    """Open what *config* asks for, for *user*; an :class:`~edge.errors.EdgeError` says what cannot be had."""
    if config.serves_nothing:
        raise ConfigError(SERVES_NOTHING)
    workers = max(config.worker_count, 1)
    descriptors = raise_descriptor_limit(-(-(config.connections or 0) // workers))
    select(config.fast_path)  # what a worker would fail at is better said now
    with ExitStack() as undo:
        state_dir = StateDirectory(config.state_dir, user)
        undo.callback(state_dir.close)
        make_directory("--cache-dir", config.cache_dir, user)
        _prepare_automatic(config, user)
        worker_user = _worker_user(config, user)
        blobs = _open_blobs(config, user, worker_user)
        undo.callback(os.close, blobs)
        certificates = [tuple(map(KeptCertificate, spec.certificates)) for spec in config.endpoints]
        listeners = []
        for listener, its in zip(open_listeners(config.endpoints, workers), certificates, strict=True):
            undo.callback(listener.close)
            listeners.append(replace(listener, certificates=its))
        admin_listener = open_listener(_private(config.admin_endpoint), 1)
        undo.callback(admin_listener.close)
        for listener in (*listeners, admin_listener):
            if listener.spec.kind == "unix":
                give(listener.spec.path, user)
        segment = Segment.create(
            capacity=config.table_entries,
            arena_bytes=config.arena_bytes,
            workers=workers,
            sites=counted_apart(site_hosts(config)),
        )
        undo.pop_all()
    return Opened(descriptors, state_dir, listeners, admin_listener, segment, worker_user, blobs)


def _worker_user(config: Config, user: User) -> User:
    if not config.worker_count or config.confinement == "off":
        return SAME_USER
    return find_worker_user(config.worker_user, config.confinement == "required", user)


def _open_blobs(config: Config, user: User, worker_user: User) -> int:
    """A descriptor of the folder of blobs: workers may not pass the directories above it."""
    folder = config.cache_dir / "blobs"
    make_directory("--cache-dir", folder, user)
    if worker_user != SAME_USER:
        share_folder(folder, worker_user.gid)
    return os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _prepare_automatic(config: Config, user: User) -> None:
    """Have something to serve in the file of the automatic certificate."""
    files = automatic_files(config)
    if files is not None:
        try:
            with acting_as(user):  # who could have put links there that lead elsewhere
                files.prepare()
        except OSError as error:
            raise ConfigError(in_words(named(error, files.certificate))) from None


def _private(spec: ListenSpec) -> ListenSpec:
    """The admin API's endpoint: a Unix socket that only its owner can use, unless told otherwise."""
    return replace(spec, mode=0o600) if spec.kind == "unix" and spec.mode is None else spec
