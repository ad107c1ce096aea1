"""Keeps the keys of session tickets: makes the next one in time, tells the other nodes and the workers.

They are in memory, and for restarts in ``tickets`` of the state directory, sealed
(:mod:`edge.trust.sealed_file`).  What the other nodes have comes through :meth:`TicketKeeper.merge`; the
rules stand in :mod:`edge.trust.tickets`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.logger import Logger

from edge.node.process.clocks import date_of
from edge.node.process.periodic import Periodic
from edge.trust.sealed_file import SealBroken
from edge.trust.tickets import EPOCHS, KeyRing, Rotation, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from edge.trust.sealed_file import SealedFile
    from edge.trust.tickets import Key

#: Seconds between two looks whether it is time for a new key.
LOOK_SECONDS = 5.0


class _Kept(msgspec.Struct, array_like=True):
    """What is in the file: the ring, and when its newest epoch became known here, in Unix seconds."""

    ring: bytes
    since: float


class TicketKeeper:
    """The keys of *node*.

    *live*: names of the nodes of the cluster that live.  *share*: the others should know them now.
    *deliver*: workers should.  *clock*: seconds of a clock that does not jump.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        node: str,
        file: SealedFile,
        live: Callable[[], Collection[str]],
        share: Callable[[], None],
        deliver: Callable[[], None],
        clock: Callable[[], float],
        reactor: Any,
    ) -> None:
        self._node = node
        self._file = file
        self._live = live
        self._share = share
        self._deliver = deliver
        self._clock = clock
        self._reactor = reactor
        self._trouble = ""
        self._ring, age = self._read()
        self._rotation = Rotation(node, clock(), age)
        if not self._ring.keys:
            self._ring = self._ring.with_next(os.urandom)
            self._write()
        self._looking = Periodic(self._look, LOOK_SECONDS, reactor)

    @property
    def keys(self) -> Sequence[Key]:
        """The keys, newest first: the first one seals."""
        return self._ring.keys

    @property
    def age(self) -> float:
        """Seconds since this node has learnt of the newest key."""
        return self._rotation.age(self._clock())

    def start(self) -> None:
        """Rotate from now on."""
        self._looking.start()

    def stop(self) -> None:
        """Rotate no more."""
        self._looking.stop()

    def change(self, forget: bool) -> None:
        """Seal under a new key from now on; *forget*: and take no ticket of before, on any node."""
        ring = self._ring
        for _ in range(EPOCHS if forget else 1):
            ring = ring.with_next(os.urandom)
        self._take(ring)
        self._share()

    # What all nodes agree on: edge.node.cluster.shared_secrets.Document

    def encode(self) -> bytes:
        """The keys, for the other nodes."""
        return encode(self._ring)

    def merge(self, data: bytes) -> bool:
        """Take in what another node has; whether that was new.  :exc:`ValueError`."""
        return self._take(self._ring.merged(self._ring.believed(decode(data).keys)))

    # Inside

    def _look(self) -> None:
        if self._rotation.is_due(self._live(), self._clock()) and self._take(
            self._ring.with_next(os.urandom)
        ):
            self._log.info(
                "session tickets are sealed under a new key, number {epoch}", epoch=self._ring.epoch
            )
            self._share()

    def _take(self, ring: KeyRing) -> bool:
        """The ring is *ring* now; whether that is another one."""
        if ring == self._ring:
            return False
        if ring.epoch > self._ring.epoch:
            self._rotation.learnt(self._clock())
        self._ring = ring
        self._write()
        self._deliver()
        return True

    def _read(self) -> tuple[KeyRing, float]:
        """What the file holds: the ring, and the age of its newest epoch in seconds."""
        try:
            content = self._file.read()
            if content is None:
                return KeyRing(), 0.0
            kept = msgspec.msgpack.decode(content, type=_Kept)
            return decode(kept.ring), date_of(self._reactor) - kept.since
        except (SealBroken, ValueError, msgspec.MsgspecError):
            self._log.warn(
                "{path} was sealed under another secret, or is damaged: new keys of session tickets are made",
                path=self._file.path,
            )
        except OSError as error:
            self._tell(f"cannot be read ({error.strerror})")
        return KeyRing(), 0.0

    def _write(self) -> None:
        try:
            kept = _Kept(encode(self._ring), date_of(self._reactor) - self.age)
            self._file.write(msgspec.msgpack.encode(kept))
            self._trouble = ""
        except OSError as error:
            self._tell(f"cannot be written ({error.strerror}): tickets will not outlive a restart")

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._log.error("{path} {trouble}", path=self._file.path, trouble=trouble)
