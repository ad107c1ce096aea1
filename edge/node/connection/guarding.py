"""Who may, on the Twisted side: each request is looked at when its head is here, before anybody else sees it.

In this order: the network that it comes from (403), how many there were (429), who asks (401).  What a
password is needed for is verified in a thread, and no more often than :data:`ATTEMPTS` from one address
that are wrong; who was right is remembered for a while, so that the fifty files of a page cost one
verification.  An unknown name costs as much as a wrong password.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred, DeferredSemaphore

from edge.access.credentials import Verified, challenge, parse_basic
from edge.access.patterns import Patterns, tells
from edge.access.rules import NOTHING
from edge.http.answer import TOO_MANY
from edge.networks import NO_ADDRESS
from edge.node.connection.recording import address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.access.buckets import Buckets
    from edge.access.credentials import Credentials
    from edge.access.htpasswd import Users
    from edge.access.rules import AuthRule, Rules
    from edge.http.parser import RequestHead
    from edge.sites import Hosts

#: Passwords that may be wrong from one address, at once; and microseconds from one to the next.
ATTEMPTS, ATTEMPT_US = 10, 6_000_000
#: The number of the bucket of attempts; those of rates are smaller.
ATTEMPT_RULE = 1 << 30
#: Verifications at once, and waiting for their turn.
AT_ONCE, WAITING = 2, 64
#: The line of a head that says who may keep an answer, and what it says of it.
_CACHE_CONTROL = re.compile(rb"\r\nCache-Control:[ \t]*([^\r]*)(?=\r\n)", re.IGNORECASE)
_EDGE_STATE = re.compile(rb"\r\nEdge-State:[^\r]*(?=\r\n)", re.IGNORECASE)
_SHARED = ("public", "private", "proxy-revalidate")


class Verdict(NamedTuple):
    """What becomes of a request."""

    #: Status, explanation and header lines of an answer that refuses it; None: it may go on.
    refusal: tuple[int, str, bytes] | None = None
    #: Who has logged in.
    user: bytes = b""
    #: The answer is for this user alone.
    is_private: bool = False


class Guard:
    """The rules of the sites of a worker, in force."""

    def __init__(
        self,
        rules: Sequence[Rules],
        hosts: Hosts,
        buckets: Buckets,
        now_us: Callable[[], int],
        count: Callable[[str], None],
        in_thread: Callable[..., Deferred[bool]],
        https_only: bool = False,
    ) -> None:
        """*rules*: by number of the site; *now_us*: CLOCK_MONOTONIC.

        *in_thread*: calls a function with arguments in a thread, and fires with what it gives.
        *https_only*: what comes over plain HTTP is only led to HTTPS: nobody is asked for a password there.
        """
        self._rules = rules
        self._patterns = [Patterns(of_site) for of_site in rules]
        self._hosts = hosts
        self._buckets = buckets
        self._now_us = now_us
        self._count = count
        self._in_thread = in_thread
        self._https_only = https_only
        self._users: Mapping[str, Users] = {}
        self._verified = Verified(secrets.token_bytes(32))
        self._turns = DeferredSemaphore(AT_ONCE)
        #: Who waits for the verification of credentials, by their key.
        self._pending: dict[bytes, list[Deferred[bool]]] = {}

    @property
    def patterns(self) -> Sequence[Patterns]:
        """What the fast path is told, by number of the site."""
        return self._patterns

    def take_users(self, users: Mapping[str, Users]) -> None:
        """From now on these may log in, by the name of their file."""
        self._users = users
        self._verified.forget()

    def tells(self, prefix: bytes, target: bytes, host: str) -> bool:
        """Whether the client at *host* is told if its copy of *target* is current.

        *prefix*: of the site's names of entries.
        """
        path = target.partition(b"?")[0]
        number = next((n for n in range(len(self._rules)) if self._hosts.prefix(n) == prefix), 0)
        return tells(self._patterns[number].fitting(path), path, address_of(host) if host else NO_ADDRESS)

    def judge(self, head: RequestHead, host: str, secure: bool) -> Verdict | Deferred[Verdict] | None:
        """What becomes of the request with *head* of the client at *host*; None: no rule is about it.

        *secure*: it came over TLS.
        """
        if self._https_only and not secure and host:
            return None
        site = self._hosts.find(head.host or b"")
        if site is None or not self._rules[site]:
            return None
        holding = self._rules[site].holding(head.path)
        if holding == NOTHING:
            return None
        address = address_of(host)
        if holding.networks is not None and not holding.networks.allow(address):
            self._count("refused_network")
            return Verdict((403, "This address may not have this.", b""))
        for number, rule in holding.rates:
            wait = self._buckets.take(number, address, self._now_us(), rule.interval, rule.burst)
            if wait:
                self._count("refused_rate")
                return _too_many(wait)
        return Verdict() if holding.auth is None else self._log_in(holding.auth, head, address)

    def _log_in(self, rule: AuthRule, head: RequestHead, address: bytes) -> Verdict | Deferred[Verdict]:
        credentials = parse_basic(head.fields.get(b"authorization"))
        if credentials is None:
            return self._unknown(rule)
        key = self._verified.key(rule.users, credentials)
        if self._verified.has(key, self._seconds()):
            return Verdict(user=credentials.user, is_private=True)
        answer: Deferred[bool] = Deferred()
        verdict = answer.addCallback(self._verdict, rule, credentials)
        if key in self._pending:
            self._pending[key].append(answer)
            return verdict
        wait = self._buckets.take(ATTEMPT_RULE, address, self._now_us(), ATTEMPT_US, ATTEMPTS)
        if wait:
            self._count("refused_rate")
            return _too_many(wait)
        if len(self._pending) >= WAITING:
            self._buckets.give(ATTEMPT_RULE, address, ATTEMPT_US)
            return Verdict((503, "Too many are logging in just now.", b"Retry-After: 2\r\n"))
        self._pending[key] = [answer]
        self._verify(rule, credentials, key, address)
        return verdict

    def _verify(self, rule: AuthRule, credentials: Credentials, key: bytes, address: bytes) -> None:
        """Have *credentials* verified, and tell all who wait for that."""
        users = self._users.get(rule.users)

        def tell(is_right: Any) -> None:
            if is_right is True:
                self._buckets.give(ATTEMPT_RULE, address, ATTEMPT_US)
                if self._users.get(rule.users) is users:
                    self._verified.add(key, self._seconds())
            for one in self._pending.pop(key):
                one.callback(is_right is True)

        if users is None:  # they have not been told yet, or cannot be read
            self._turns.run(lambda: False).addBoth(tell)
        else:
            self._turns.run(self._in_thread, users.verify, credentials.user, credentials.password).addBoth(
                tell
            )

    def _verdict(self, is_right: bool, rule: AuthRule, credentials: Credentials) -> Verdict:
        return Verdict(user=credentials.user, is_private=True) if is_right else self._unknown(rule)

    def _unknown(self, rule: AuthRule) -> Verdict:
        self._count("refused_login")
        return Verdict((401, "This is for users with a password.", challenge(rule.realm)))

    def _seconds(self) -> float:
        return self._now_us() / 1e6


def _too_many(wait_us: int) -> Verdict:
    return Verdict((429, TOO_MANY, b"Retry-After: %d\r\n" % -(-wait_us // 1_000_000)))


def privately(head: bytes) -> bytes:
    """*head*, for its user alone: ``Cache-Control: private``, and no word of the state of the site."""
    if head.startswith(b"HTTP/1.1 1"):
        return head
    values = b",".join(_CACHE_CONTROL.findall(head)).decode("latin-1")
    kept = [one.strip() for one in values.split(",") if one.strip()]
    kept = [one for one in kept if not one.lower().startswith((*_SHARED, "s-maxage"))]
    line = ", ".join(["private", *kept]).encode("latin-1")
    rest = _EDGE_STATE.sub(b"", _CACHE_CONTROL.sub(b"", head))
    return b"%b\r\nCache-Control: %b\r\n\r\n" % (rest.removesuffix(b"\r\n\r\n"), line)
