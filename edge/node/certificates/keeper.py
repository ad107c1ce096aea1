"""Keeps a certificate: orders it when it is this node's turn, takes what others got, tells the listeners.

The record (:mod:`edge.trust.automatic`) is what all nodes agree on.  Every change of it goes to the others
(*share*) and into the files; what the others know comes through :meth:`Keeper.merge`.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from edge.node.certificates.ordering import Ordering, Wanted
from edge.node.process.clocks import date_of
from edge.node.process.periodic import Periodic
from edge.trust.automatic import AWAY, Account, Trouble, Turn, decode, encode
from edge.trust.web_certificate import key_pem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from random import Random

    from edge.node.certificates.challenges import Challenges
    from edge.trust.acme_session import Session
    from edge.trust.automatic import Record
    from edge.trust.automatic_files import AutomaticFiles

#: Seconds between two looks whether something is to be done.
LOOK_SECONDS = 1.0


def open_session(directory: str, key: str, user_agent: str) -> Session:
    """A conversation with *directory*; what it needs is loaded when there is something to say."""
    from edge.trust.acme_session import Session

    return Session(directory, key, user_agent)


class TakenOver(Exception):
    """Another node orders now."""


class Keeper:
    """Keeps the certificate of *files*.

    *kinds*: of challenges that the listeners of this node can answer.  *live*: names of the nodes of the
    cluster that live; *is_ready*: whether this node serves.  *renewed*: the files hold another certificate.
    *share*: the record has changed, and is for the other nodes.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        node: str,
        files: AutomaticFiles,
        email: str | None,
        kinds: Sequence[str],
        challenges: Challenges,
        live: Callable[[], Collection[str]],
        is_ready: Callable[[], bool],
        renewed: Callable[[], None],
        user_agent: str,
        random: Random,
        share: Callable[[], None],
        in_thread: Callable[..., Awaitable[Any]],
        reactor: Any,
    ) -> None:
        self.record = files.load()
        self._node = node
        self._files = files
        self._email = email
        self._kinds = tuple(kinds)
        self._challenges = challenges
        self._live = live
        self._is_ready = is_ready
        self._renewed = renewed
        self._user_agent = user_agent
        self._random = random
        self._share = share
        self._in_thread = in_thread
        self._reactor = reactor
        self._turn = Turn(node)
        self._working: Deferred[None] | None = None
        self._unwritten = ""
        self._looking = Periodic(self._look, LOOK_SECONDS, reactor)

    def start(self) -> None:
        """Say what there is, and look from now on."""
        record = self.record
        if record.issued is None:
            self._log.warn(
                "no certificate for {names} yet: a self-signed one serves until {directory} has given one",
                names=", ".join(record.names),
                directory=record.directory,
            )
        self._looking.start()

    def stop(self) -> None:
        """Order nothing more; what blocks in a thread ends by itself."""
        self._looking.stop()
        if self._working is not None:
            self._working.cancel()

    def want_now(self) -> None:
        """Order as soon as possible, whatever has failed: somebody has mended something."""
        self._change(self.record.wished())

    # What all nodes agree on: edge.node.cluster.shared_secrets.Document

    def encode(self) -> bytes:
        """The record, for the other nodes."""
        return encode(self.record)

    def merge(self, data: bytes) -> bool:
        """Take in what another node knows; whether that was new.  :exc:`ValueError`."""
        theirs = decode(data)
        if (theirs.directory, theirs.names) != (self.record.directory, self.record.names):
            return False  # it keeps another certificate
        merged = self.record.merged(self.record.believed(theirs, date_of(self._reactor)))
        if merged == self.record:
            return False
        self._take(merged)
        return True

    # Inside

    def _look(self) -> None:
        if self._working is not None or not self._is_ready():
            return
        now = date_of(self._reactor)
        if self._turn.has_come(self.record, self._live(), now, self._reactor.seconds()):
            self._work(self._order())
        elif self._is_first() and self.record.should_ask(now):
            self._work(self._ask())

    def _is_first(self) -> bool:
        return min({*self._live(), self._node}) == self._node

    def _work(self, work: Any) -> None:
        self._working = Deferred.fromCoroutine(work)
        self._working.addErrback(self._unexpected)
        self._working.addBoth(self._worked)

    def _worked(self, _: object) -> None:
        self._working = None

    def _unexpected(self, failure: Any) -> None:
        if not failure.check(CancelledError):
            self._log.failure("the certificate could not be cared for", failure)
            if self.record.attempt.orderer == self._node:
                self._fail(Trouble(AWAY, "something unexpected failed; the log says more"))

    async def _order(self) -> None:
        self._change(self.record.claimed(self._node, date_of(self._reactor)))
        record = self.record
        self._log.info("ordering a certificate for {names} from {directory}",
                       names=", ".join(record.names), directory=record.directory)  # fmt: skip
        session = self._session()
        try:
            kinds = self._kinds[record.attempt.failures % max(len(self._kinds), 1) :] + self._kinds
            replaces = record.issued.chain if record.issued is not None else None
            ordering = Ordering(
                session, self._challenges, self._show, self._check, self._in_thread, self._reactor
            )
            issued = await ordering.run(Wanted(record.names, self._email, replaces, kinds))
            self._check()
        except TakenOver:
            self._log.info(
                "{node} orders the certificate now", node=self.record.attempt.orderer or "another node"
            )
        except Trouble as trouble:
            self._fail(trouble)
        else:
            self._change(self.record.given(self._node, issued, date_of(self._reactor)))
        finally:
            session.close()

    def _session(self) -> Session:
        """A conversation with the directory, by the account of all nodes, which is made if there is none."""
        if self.record.account is None:
            key = key_pem(ec.generate_private_key(ec.SECP256R1())).decode()
            account = Account(date_of(self._reactor), key)
            self._change(msgspec.structs.replace(self.record, account=account))
        assert self.record.account is not None
        return open_session(self.record.directory, self.record.account.key, self._user_agent)

    def _show(self, names: Sequence[str]) -> None:
        self._change(self.record.challenging(self._node, names))

    def _check(self) -> None:
        if self.record.attempt.orderer != self._node:
            raise TakenOver

    def _fail(self, trouble: Trouble) -> None:
        spread = 0.9 + 0.2 * self._random.random()
        now = date_of(self._reactor)
        self._change(self.record.failed(self._node, trouble, now, spread))
        self._log.error(
            "no certificate for {names}: {why}; trying again in {minutes:.0f} min",
            names=", ".join(self.record.names),
            why=trouble,
            minutes=(self.record.attempt.retry_at - now) / 60,
        )

    async def _ask(self) -> None:
        """Ask the authority when it would like to see the certificate renewed."""
        issued, now = self.record.issued, date_of(self._reactor)
        assert issued is not None
        session = self._session()
        try:
            await self._in_thread(session.open, self._email)
            window = await self._in_thread(session.renewal_window, issued.chain, now)
        except Trouble as trouble:
            self._log.warn("when to renew could not be asked: {why}", why=trouble)
            window = None
        finally:
            session.close()
        if self.record.issued is issued:
            self._change(self.record.asked(self._node, window, now, self._random.random()))

    def _change(self, record: Record) -> None:
        """The record is *record* now, by what this node does."""
        self._take(record)
        self._share()

    def _take(self, record: Record) -> None:
        before, self.record = self.record, record
        if self._node in (before.attempt.node, record.attempt.node):
            # Also those of a node that died in its attempt, and of this one before it was started again.
            self._challenges.withdraw(set(before.attempt.paths) - set(record.attempt.paths))
        try:
            is_new = self._files.save(record)
            self._unwritten = ""
        except OSError as error:
            if self._unwritten != str(error):
                self._unwritten = str(error)
                self._log.error("the certificate cannot be written to {path}: {why}",
                                path=self._files.certificate, why=error.strerror)  # fmt: skip
            return
        if is_new:
            assert record.issued is not None
            self._log.info("there is a new certificate for {names}", names=", ".join(record.names))
            self._renewed()
        elif before.attempt.error != record.attempt.error and record.attempt.node != self._node:
            self._log.warn(
                "{node}: {error}", node=record.attempt.node, error=record.attempt.error or "mended"
            )
