"""A certificate that takes care of itself: what a cluster knows of it, and when something is to be done.

Four parts, each of which merges by itself, so that nodes which were apart agree again whoever meets whom:
the *account* at the authority, the newest certificate *issued*, the last *attempt* to get one, and how many
*wishes* for a new one there were.

**Who orders.**  The live node whose name comes first; the one at place *r* does when the same has been due,
with the same nodes alive, for r * :data:`TURN` seconds (:class:`Turn`).  While a live node says that it is
ordering, the others wait, for at most :data:`CLAIM_SECONDS`: when it dies, the next one begins, as soon as
membership knows of the death.

**When.**  Without a certificate at once, and when somebody wishes for a new one; else at two thirds of its
lifetime, or in the window that the authority suggests (ARI, RFC 9773).  After a failure later, and never
before the authority wants to be asked again::

    AWAY               1, 2, 4 ... 60 min: nobody there counts against no limit
    REFUSED, INVALID   5, 10, 20 ... 720 min: Let's Encrypt gives 5 failed validations an hour to each name
    LIMITED            60, 120 ... 720 min

each a tenth more or less, so that not all nodes of the world come at once.  An attempt that was broken off
because its node died is taken up at once, but from the third time on like one that was refused.  Sans-IO:
times are given, in Unix seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from msgspec import Meta
from msgspec.structs import replace

from edge.errors import EdgeError
from edge.trust.credentials import alternative_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

#: Kinds of challenges: a file over plain HTTP (RFC 8555 section 8.3), a certificate (RFC 8737).
HTTP_01, TLS_ALPN_01 = "http-01", "tls-alpn-01"
#: Kinds of trouble.
AWAY, REFUSED, INVALID, LIMITED = "away", "refused", "invalid", "limited"
#: The longest that an authority is left alone, in seconds, whatever it says: the usual limits are weekly.
LONGEST_REST = 8 * 86_400
#: Seconds by which each further node waits longer.
TURN = 5.0
#: Seconds after which a claim counts no more, though its node lives.
CLAIM_SECONDS = 900.0
#: Kind of trouble -> minutes of the first rest, of the longest.
_RESTS = {AWAY: (1, 60), REFUSED: (5, 720), INVALID: (5, 720), LIMITED: (60, 720)}
#: Seconds between two questions when to renew, at most.
ASK_AT_MOST = 86_400.0
#: Seconds between two certificates: an authority could suggest to renew each that it gives.
AT_LEAST = 3600.0
#: Seconds of a lifetime that count for its renewal, at most: public authorities give no longer ones.
LONGEST_LIFE = 398 * 86_400.0
#: Seconds by which the certificate of another node may begin later than it is here.
AHEAD = 86_400.0
#: How far another node's count of attempts or wishes may be ahead of ours: there are a few an hour at most.
#: A node that knows of none yet takes what there is, within FIRST.
STEP, FIRST = 1 << 32, 1 << 61
#: Bytes of a packed record that may come from another node.
RECORD_BYTES = 64 * 1024


class Trouble(EdgeError):
    """What kept a certificate from being issued.

    *kind*: AWAY (nobody there, or nothing sensible), REFUSED (it does not give that), INVALID (a name
    was not validated), LIMITED (asked too often).  *rest*: seconds that the authority wants to be left alone.
    """

    def __init__(self, kind: str, why: str, rest: float = 0.0) -> None:
        super().__init__(why)
        self.kind = kind
        self.rest = min(rest, LONGEST_REST)


class Window(NamedTuple):
    """When a certificate should be renewed, in Unix seconds, and when to ask again."""

    start: float
    end: float
    ask_at: float


#: Unix seconds; NaN is none.
Time = Annotated[float, Meta(ge=0, lt=1e11)]
_Pem = Annotated[str, Meta(max_length=48 * 1024)]
_Node = Annotated[str, Meta(max_length=63)]
_Entry = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{1,256}\Z")]


class Account(msgspec.Struct, frozen=True, array_like=True):
    """Our account at the authority: its private key is who we are there."""

    #: When it was made; the oldest counts.
    made: Time
    #: PEM.
    key: _Pem

    def __repr__(self) -> str:
        return f"Account({self.made})"


class Issued(msgspec.Struct, frozen=True, array_like=True):
    """A certificate and its private key."""

    #: When it begins and ends, by the clock of the authority; the one that began last counts.
    begins: Time
    ends: Time
    #: PEM: the certificate, then its chain.
    chain: _Pem
    #: PEM.
    key: _Pem

    def __repr__(self) -> str:
        return f"Issued({self.begins}, {self.ends})"

    @property
    def pem(self) -> bytes:
        """Certificate, chain and key, as a listener wants them."""
        return f"{self.chain.rstrip()}\n{self.key}".encode()


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """How the last attempt went, and when the next is due; *version* counts them, *node* made this one."""

    version: Annotated[int, Meta(ge=0, lt=1 << 62)] = 0
    node: _Node = ""
    #: The node that is ordering now; "": none.
    orderer: _Node = ""
    since: Time = 0.0
    #: Under which names its challenges are published.
    paths: Annotated[tuple[_Entry, ...], Meta(max_length=400)] = ()
    failures: Annotated[int, Meta(ge=0, lt=1 << 31)] = 0
    error: Annotated[str, Meta(max_length=2000)] = ""
    failed_at: Time = 0.0
    retry_at: Time = 0.0
    #: When to renew, and when to ask the authority again whether that is a good time; 0: not known yet.
    renew_at: Time = 0.0
    ask_at: Time = 0.0
    #: How many of the wishes an order has taken up, and how many have got a certificate.
    taken: Annotated[int, Meta(ge=0, lt=1 << 62)] = 0
    answered: Annotated[int, Meta(ge=0, lt=1 << 62)] = 0


class Record(msgspec.Struct, frozen=True, array_like=True):
    """All that is known of the certificate for *names* from *directory*."""

    directory: str
    names: tuple[str, ...]
    account: Account | None = None
    issued: Issued | None = None
    attempt: Attempt = Attempt()
    #: How often somebody wished for a new one.  They are counted beside the attempt, since whatever happens
    #: to that at the same moment, here or on another node, would undo a wish that was written into it.
    wishes: Annotated[int, Meta(ge=0, lt=1 << 62)] = 0

    # Agreeing

    def believed(self, theirs: Record, now: float) -> Record:
        """What another node says, if it can be true *now*; else :exc:`ValueError`.

        What one bad node says must end with it: no number may use up those that follow, and no certificate
        may be the newest for longer than until the next one is due.
        """
        if theirs.attempt.version > _furthest(self.attempt.version):
            raise ValueError("an attempt whose number nobody can have reached")
        if theirs.wishes > _furthest(self.wishes):
            raise ValueError("more wishes than anybody can have had")
        if max(theirs.attempt.taken, theirs.attempt.answered) > theirs.wishes:
            raise ValueError("more wishes come true than there were")
        issued = theirs.issued
        if issued is not None and issued != self.issued:
            if issued.begins > now + AHEAD:
                raise ValueError("a certificate that begins in the future; are the clocks right?")
            if not is_sound(issued, theirs.names):
                raise ValueError("a certificate that is not what it says")
        return theirs

    def merged(self, other: Record) -> Record:
        """What is known by either; commutative, associative, idempotent."""
        assert (self.directory, self.names) == (other.directory, other.names)
        return replace(
            self,
            account=_best(self.account, other.account, lambda one: (-one.made, one.key)),
            issued=_best(self.issued, other.issued, msgspec.structs.astuple),
            attempt=max(
                self.attempt, other.attempt, key=lambda one: (one.version, msgspec.structs.astuple(one))
            ),
            wishes=max(self.wishes, other.wishes),
        )

    # Deciding

    @property
    def is_wished(self) -> bool:
        """Whether somebody wishes for a new certificate, and no order has taken that up."""
        return self.wishes > self.attempt.taken

    def due(self, now: float) -> float:
        """When a certificate should be ordered, whoever does it, as it looks *now*.

        No rest is longer than the longest: what a clock that was years ahead has written counts as nothing.
        """
        attempt, when = self.attempt, 0.0
        if self.is_wished:
            return now
        if self.issued is not None and self.wishes <= attempt.answered:
            when = two_thirds(self.issued)
            if 0.0 < attempt.renew_at <= self.issued.ends:
                when = attempt.renew_at
        return max(when, attempt.retry_at) if attempt.retry_at <= now + LONGEST_REST else when

    def is_due(self, me: str, live: Collection[str], now: float) -> bool:
        """Whether somebody has to order *now*, as *me* knows it, who sees these nodes *live*."""
        attempt = self.attempt
        if not attempt.orderer:
            return now >= self.due(now)
        if attempt.orderer != me and attempt.orderer in live and abs(now - attempt.since) < CLAIM_SECONDS:
            return False
        # Its node has died, or this one was started again.
        rest = _rest(REFUSED, attempt.failures) if attempt.failures > 2 and not self.is_wished else 0.0
        return now >= min(attempt.since, now) + rest

    def should_ask(self, now: float) -> bool:
        """Whether to ask the authority, *now*, when it would like the certificate renewed."""
        return self.issued is not None and not now < self.attempt.ask_at <= now + ASK_AT_MOST

    # What happens

    def claimed(self, me: str, now: float) -> Record:
        """*me* orders; what was broken off counts as a failure."""
        broken_off = int(self.attempt.orderer != "")
        return self._attempted(
            me,
            orderer=me,
            since=now,
            paths=(),
            failures=self.attempt.failures + broken_off,
            taken=self.wishes,
        )

    def challenging(self, me: str, paths: Sequence[str]) -> Record:
        """The challenges of *me* are published at *paths*."""
        return self._attempted(me, paths=tuple(paths))

    def failed(self, me: str, trouble: Trouble, now: float, spread: float) -> Record:
        """The attempt failed; *spread*: 0.9 .. 1.1, at random."""
        failures = self.attempt.failures + 1
        return self._attempted(
            me,
            orderer="",
            paths=(),
            failures=failures,
            error=str(trouble),
            failed_at=now,
            retry_at=now + max(_rest(trouble.kind, failures) * spread, trouble.rest),
        )

    def given(self, me: str, issued: Issued, now: float) -> Record:
        """There is a new certificate; whatever the authority suggests, none is ordered for a while."""
        fresh = {"error": "", "failed_at": 0.0, "failures": 0, "renew_at": 0.0, "ask_at": 0.0}
        attempted = self._attempted(
            me,
            orderer="",
            paths=(),
            retry_at=now + AT_LEAST,
            taken=self.wishes,
            answered=self.wishes,
            **fresh,
        )
        return replace(attempted, issued=issued)

    def asked(self, me: str, window: Window | None, now: float, share: float) -> Record:
        """The authority was asked when to renew; *share*: 0 .. 1, at random, of its window."""
        assert self.issued is not None
        if window is None:
            return self._attempted(me, renew_at=two_thirds(self.issued), ask_at=now + ASK_AT_MOST)
        before = self.attempt.renew_at
        chosen = before if window.start <= before <= window.end else 0.0
        chosen = chosen or window.start + share * (window.end - window.start)
        return self._attempted(me, renew_at=max(1.0, min(chosen, self.issued.ends)), ask_at=window.ask_at)

    def wished(self) -> Record:
        """Somebody wishes for a new certificate, whatever has failed."""
        return replace(self, wishes=self.wishes + 1)

    def _attempted(self, me: str, **changes: Any) -> Record:
        attempt = self.attempt
        return replace(self, attempt=replace(attempt, version=attempt.version + 1, node=me, **changes))


def _furthest(number: int) -> int:
    """How far a *number* of ours can have gone on another node."""
    return number + STEP if number else FIRST


def _rest(kind: str, failures: int) -> float:
    """Seconds to wait after so many *failures*, the last of this *kind*."""
    first, longest = _RESTS[kind]
    return min(first * 2.0 ** min(failures - 1, 20), longest) * 60


class Turn:
    """Whether it is the turn of *me* to order; it is asked again and again."""

    def __init__(self, me: str) -> None:
        self._me = me
        self._situation: object = None
        self._since = 0.0

    def has_come(self, record: Record, live: Collection[str], now: float, steady: float) -> bool:
        """*now*: the date; *steady*: seconds of a clock that does not jump."""
        nodes = sorted({*live, self._me})
        is_due = record.is_due(self._me, live, now)
        situation = (record.attempt.version, record.wishes, nodes, is_due)
        if situation != self._situation:
            self._situation, self._since = situation, steady
        return is_due and steady - self._since >= nodes.index(self._me) * TURN


def two_thirds(issued: Issued) -> float:
    """When to renew if nobody says anything: a third of the lifetime is left for failures."""
    return issued.begins + min(issued.ends - issued.begins, LONGEST_LIFE) * 2 / 3


def read_issued(chain: str, key: str) -> Issued:
    """*chain* and *key* with the times of the certificate; :exc:`ValueError` if it is none."""
    certificate = x509.load_pem_x509_certificate(chain.encode())
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Issued(begins.timestamp(), ends.timestamp(), chain, key)


def is_sound(issued: Issued, names: Collection[str]) -> bool:
    """Whether *issued* is a certificate for *names*, with its own times and its own key."""
    try:
        certificate = x509.load_pem_x509_certificate(issued.chain.encode())
        key = serialization.load_pem_private_key(issued.key.encode(), None)
        return (
            read_issued(issued.chain, issued.key) == issued
            and key.public_key() == certificate.public_key()
            and set(names) <= set(alternative_names(certificate))
        )
    except (ValueError, TypeError):
        return False


def encode(record: Record) -> bytes:
    """*record* with its keys, packed: for the file of this node and for the others."""
    return msgspec.msgpack.encode(record)


def decode(data: bytes) -> Record:
    """The record in *data*; :exc:`ValueError` if there is none."""
    if len(data) > RECORD_BYTES:
        raise ValueError(f"{len(data)} bytes are no record of a certificate")
    try:
        record = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no record of a certificate: {error}") from None
    if not record.attempt.error.isprintable():
        raise ValueError("an error that would act upon a terminal")
    return record


_DECODER = msgspec.msgpack.Decoder(Record)


def _best(one: Any, other: Any, order: Callable[[Any], Any]) -> Any:
    """The greater of two by *order*, either of which may not be there."""
    return max((found for found in (one, other) if found is not None), key=order, default=None)
