"""The keeper of a certificate, with an authority that answers as the test says."""

from __future__ import annotations

import errno
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from edge.node.certificates import keeper as module
from edge.node.certificates.challenges import PATIENCE, Challenges
from edge.node.certificates.keeper import LOOK_SECONDS, Keeper
from edge.node.certificates.ordering import ISSUING_SECONDS, VALIDATION_SECONDS
from edge.node.process.own_resources import CHALLENGES, key_authorization
from edge.resource import Resource
from edge.trust import automatic_files
from edge.trust.acme_session import Authorization, Order, certificate_request
from edge.trust.automatic import AT_LEAST, AWAY, HTTP_01, TLS_ALPN_01, Trouble, Window, decode, encode
from edge.trust.automatic_files import AutomaticFiles
from edge.trust.web_certificate import authority

NAMES = ("a.example", "b.example")
DIRECTORY = "https://ca.example/dir"


def in_thread(clock: Clock) -> Any:
    """Calls what blocks at once; the result comes in the clock's next turn."""

    def run(work: Any, *arguments: Any) -> Deferred[Any]:
        return deferLater(clock, 0, work, *arguments)

    return run


class Table:
    """Entries in a dict."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes | None] = {}

    def put(self, resource: Resource, spill: Any) -> bool:
        one = resource.representations[0]
        self.entries[resource.path] = one.body or key_authorization(one.lines_200)
        return True

    def remove(self, path: bytes) -> bool:
        return self.entries.pop(path, None) is not None


def issue(request: bytes) -> str:
    """A certificate for who made *request* (DER), for 90 days."""
    csr, ca = x509.load_der_x509_csr(request), authority("ca", NAMES, 90)
    now = datetime.now(timezone.utc)
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    made = (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .issuer_name(ca.certificate.subject)
        .public_key(csr.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(names, critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    """An authority: what it says is set by the test; called, it opens a conversation."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self.table, self.clock = table, clock
        self.asked: list[str] = []
        self.trouble: Trouble | None = None
        self.status = "valid"  # of authorizations, once they were answered
        self.issues = True
        self.shown: dict[bytes, bytes | None] = {}
        self.window: Window | None = None
        self.kinds = [HTTP_01, TLS_ALPN_01]
        self.chosen: list[str] = []
        self.replaced: list[str | None] = []

    def __call__(self, directory: str, key: str, user_agent: str) -> Conversation:
        return Conversation(self)


class Conversation:
    """A session with an authority."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._answered: set[str] = set()
        self._finalized = False

    def open(self, email: str | None) -> None:
        self._authority.asked.append("open")
        if self._authority.trouble is not None:
            raise self._authority.trouble

    def order(self, names: Any, replaces: str | None = None) -> Order:
        self._authority.replaced.append(replaces)
        return Order("order", "pending", tuple(names), "finalize", "", 0.0, "")

    def authorization(self, url: str) -> Authorization:
        challenges = {kind: (f"{kind} {url}", f"token-of-{url}") for kind in self._authority.kinds}
        status = self._authority.status if url in self._answered else "pending"
        return Authorization(url, status, challenges, 0.0, "it said no" if status == "invalid" else "")

    def key_authorization(self, token: str) -> str:
        return f"{token}.print"

    def answer(self, url: str) -> None:
        kind, _, name = url.partition(" ")
        self._authority.chosen.append(kind)
        self._answered.add(name)
        self._authority.shown = dict(self._authority.table.entries)

    def finalize(self, order: Order, request: bytes) -> None:
        self._finalized = True
        self._request = request

    def look(self, url: str) -> Order:
        if not self._finalized:
            return Order(url, "ready", NAMES, "finalize", "", 0.0, "")
        issues = self._authority.issues
        status = "valid" if issues else "processing"
        return Order(url, status, NAMES, "finalize", "certificate" if issues else "", 0.0, "")

    def chain(self, order: Order) -> str:
        return issue(self._request)

    def renewal_window(self, certificate: str, now: float) -> Window | None:
        return self._authority.window

    def close(self) -> None:
        self._authority.asked.append("close")


class KeeperTests(SynchronousTestCase):
    """One node, and what the others know."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = time.time()  # the certificates of these tests begin now
        self.table = Table()
        self.authority = Authority(self.table, self.clock)
        self.patch(module, "open_session", self.authority)
        self.state = Path(self.mktemp())
        self.state.mkdir()
        self.files = AutomaticFiles(self.state, DIRECTORY, NAMES)
        self.files.prepare()
        self.self_signed = self.files.certificate.read_bytes()
        self.live = ["n1"]
        self.everywhere = True
        self.shared = self.renewed = 0
        self.started = False
        self.keeper = self.made("n1")

    def made(self, node: str) -> Keeper:
        challenges = Challenges(self.table, lambda one: None, lambda: self.everywhere, self.clock)

        def renew() -> None:
            self.renewed += 1

        def share() -> None:
            self.shared += 1

        keeper = Keeper(
            node=node,
            files=self.files,
            email=None,
            kinds=(HTTP_01, TLS_ALPN_01),
            challenges=challenges,
            live=lambda: self.live,
            is_ready=lambda: True,
            renewed=renew,
            user_agent="test",
            random=Random(1),
            share=share,
            in_thread=in_thread(self.clock),
            reactor=self.clock,
        )
        self.addCleanup(keeper.stop)
        return keeper

    def turn(self, seconds: float = 30.0) -> None:
        """Let time pass; the first time, the keeper starts."""
        if not self.started:
            self.started = True
            self.keeper.start()
        for _ in range(int(seconds / LOOK_SECONDS * 4)):
            self.clock.advance(LOOK_SECONDS / 4)

    @property
    def served(self) -> bytes:
        return self.files.certificate.read_bytes()

    def test_a_certificate_is_ordered_shown_to_be_ours_and_served(self) -> None:
        self.turn()
        for name in NAMES:
            for entry in (f"token-of-{name}", name):
                shown = self.authority.shown[CHALLENGES + entry.encode()]
                self.assertEqual(shown, f"token-of-{name}.print".encode())
        self.assertEqual(self.table.entries, {})
        issued = self.keeper.record.issued
        assert issued is not None
        self.assertEqual((self.served, self.renewed), (issued.pem, 1))
        self.assertGreater(self.shared, 2)
        self.assertEqual(self.authority.asked.count("open"), 2, "and when to renew was asked")
        self.assertEqual(self.files.load(), self.keeper.record)

    def test_the_authority_looks_when_all_nodes_have_the_challenges_or_had_time_enough(self) -> None:
        self.everywhere = False
        self.turn(PATIENCE - 1)
        self.assertEqual((self.authority.chosen, len(self.table.entries)), ([], 4))
        self.everywhere = True
        self.turn(1)
        self.assertEqual(self.authority.chosen, [HTTP_01, HTTP_01])

    def test_a_node_that_does_not_get_them_keeps_nobody_waiting(self) -> None:
        self.everywhere = False
        self.turn(PATIENCE + 5)
        self.assertIsNotNone(self.keeper.record.issued)

    def test_what_fails_is_tried_again_later_by_the_other_challenge(self) -> None:
        self.authority.status = "invalid"
        self.turn(60)
        attempt = self.keeper.record.attempt
        self.assertIn("a.example was not validated by http-01 (it said no)", attempt.error)
        self.assertEqual((attempt.failures, attempt.orderer, self.table.entries), (1, "", {}))
        self.assertEqual((self.served, self.renewed), (self.self_signed, 0))
        self.authority.status = "valid"
        self.turn(7 * 60)
        self.assertEqual(self.authority.chosen, [HTTP_01, HTTP_01, TLS_ALPN_01, TLS_ALPN_01])
        self.assertIsNotNone(self.keeper.record.issued)

    def test_an_authority_that_never_validates_or_never_issues_is_given_up(self) -> None:
        for wrong, seconds in (("status", VALIDATION_SECONDS), ("issues", ISSUING_SECONDS)):
            self.authority.status, self.authority.issues = "valid", True
            setattr(self.authority, wrong, "pending" if wrong == "status" else False)
            self.keeper.want_now()
            self.turn(seconds + 30)
            self.assertIn(f"has not come for {seconds:g} s", self.keeper.record.attempt.error)
            self.assertEqual(self.keeper.record.attempt.orderer, "")

    def test_a_certificate_for_somebody_else_is_none(self) -> None:
        self.patch(Conversation, "chain", lambda self, order: issue(foreign))
        foreign = certificate_request(NAMES, ec.generate_private_key(ec.SECP256R1()))
        self.turn()
        self.assertIn("not the one that was asked for", self.keeper.record.attempt.error)
        self.assertEqual((self.served, self.keeper.record.issued), (self.self_signed, None))

    def test_an_authority_that_offers_nothing_that_can_be_answered(self) -> None:
        self.authority.kinds = []
        self.turn()
        self.assertIn("none of the challenges that can be answered here", self.keeper.record.attempt.error)

    def test_an_authority_that_is_away_is_asked_again_and_again_and_what_serves_goes_on(self) -> None:
        self.authority.trouble = Trouble(AWAY, "nobody there")
        self.turn(600)
        self.assertEqual(self.keeper.record.attempt.failures, 4)
        self.assertEqual(self.served, self.self_signed)
        self.authority.trouble = None
        self.keeper.want_now()
        self.turn()
        self.assertIsNotNone(self.keeper.record.issued)

    def test_it_is_renewed_when_it_is_time_as_a_replacement(self) -> None:
        self.turn()
        first = self.keeper.record.issued
        assert first is not None
        now = self.clock.seconds()
        self.authority.window = Window(now + AT_LEAST, now + AT_LEAST + 60, now + 86_400)
        attempt = replace(self.keeper.record.attempt, ask_at=now)
        self.keeper.record = replace(self.keeper.record, attempt=attempt)
        self.turn(20)
        self.assertTrue(now + AT_LEAST <= self.keeper.record.due(now) <= now + AT_LEAST + 60)
        self.turn(AT_LEAST + 70)
        self.assertEqual(self.authority.replaced, [None, first.chain])
        self.assertNotEqual(self.keeper.record.issued, first)

    def test_one_wished_for_while_the_authority_is_asked_when_to_renew_is_ordered(self) -> None:
        def wish_meanwhile(conversation: Conversation, certificate: str, now: float) -> Window | None:
            if not self.wished:
                self.wished = True
                self.keeper.want_now()
            return None

        self.wished = False
        self.patch(Conversation, "renewal_window", wish_meanwhile)
        self.turn()
        self.assertEqual((self.wished, len(self.authority.replaced)), (True, 2))

    def test_a_clock_that_is_wrong_does_not_order_for_ever(self) -> None:
        self.clock.rightNow += 365 * 86_400
        self.turn()
        self.assertIn("is the clock right?", self.keeper.record.attempt.error)
        self.turn(200)
        self.assertEqual(len(self.authority.replaced), 1)

    def test_when_another_node_orders_this_one_stops(self) -> None:
        self.authority.issues = False
        self.turn(10)
        self.assertEqual(self.keeper.record.attempt.orderer, "n1")
        self.live.append("n2")
        theirs = self.keeper.record.claimed("n2", self.clock.seconds())
        self.assertTrue(self.keeper.merge(encode(theirs)))
        self.turn(60)
        self.assertEqual(self.keeper.record.attempt, theirs.attempt)
        self.assertFalse(self.keeper.merge(encode(theirs)), "that is known")

    def test_what_another_node_got_is_written_down_and_served(self) -> None:
        self.turn()
        got = self.keeper.encode()
        state = Path(self.mktemp())
        state.mkdir()
        self.files = AutomaticFiles(state, DIRECTORY, NAMES)
        self.files.prepare()
        other, renewed = self.made("n2"), self.renewed
        self.assertTrue(other.merge(got))
        self.assertEqual((other.record, self.renewed), (self.keeper.record, renewed + 1))
        self.assertEqual(self.files.certificate.read_bytes(), self.served)

    def test_a_successor_takes_the_challenges_of_a_dead_node_away(self) -> None:
        self.authority.status = "pending"
        self.turn(10)
        self.keeper.stop()
        self.assertEqual(len(self.table.entries), 4)
        self.authority.status = "valid"
        successor = self.made("n2")
        self.live[:] = ["n2"]
        successor.start()
        self.turn()
        self.assertIsNotNone(successor.record.issued)
        self.assertEqual(self.table.entries, {})
        self.assertEqual(successor.record.account, self.keeper.record.account)

    def test_what_is_no_record_or_of_another_certificate_changes_nothing(self) -> None:
        self.turn()
        before = self.keeper.record
        for data in (b"", b"\xc1", encode(before)[:40]):
            with self.assertRaises(ValueError):
                self.keeper.merge(data)
        issued = before.issued
        assert issued is not None
        later = replace(issued, begins=issued.begins + 1)
        other_key = replace(later, key=before.account.key if before.account is not None else "")
        for forged in (later, other_key, replace(later, chain="none"), replace(later, ends=1e10)):
            with self.assertRaises(ValueError):
                self.keeper.merge(encode(replace(before, issued=forged)))
        other = replace(decode(encode(before)), names=("c.example",))
        self.assertFalse(self.keeper.merge(encode(other)))
        self.assertIs(self.keeper.record, before)

    def test_a_full_disk_is_said_once_and_the_next_change_is_written_again(self) -> None:
        def full(path: Any, content: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

        with_room = automatic_files.durable.write_private
        self.patch(automatic_files.durable, "write_private", full)
        self.turn()
        self.assertIsNotNone(self.keeper.record.issued)
        self.assertEqual((self.served, self.renewed), (self.self_signed, 0))
        self.patch(automatic_files.durable, "write_private", with_room)
        self.keeper.want_now()
        assert self.keeper.record.issued is not None
        self.assertEqual(self.served, self.keeper.record.issued.pem)

    def test_no_key_is_logged(self) -> None:
        lines: list[str | None] = []
        observe = lambda event: lines.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.turn()
        self.assertTrue(lines)
        self.assertNotIn("PRIVATE KEY", repr(lines))
