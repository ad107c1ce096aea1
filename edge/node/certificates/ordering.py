"""One order of a certificate, step by step; what blocks runs in a thread, and waiting does not block.

Which kind of challenge is asked for: one that a listener of this node can answer; after a failure the other
one, if it can be answered, too.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.task import deferLater

from edge.node.process.clocks import date_of
from edge.trust.automatic import HTTP_01, INVALID, REFUSED, Trouble, is_sound, read_issued, two_thirds
from edge.trust.web_certificate import key_pem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from edge.trust.acme_session import Authorization, Order, Session
    from edge.trust.automatic import Issued

#: Seconds that an authority has for the validation of a name, and for a certificate.
VALIDATION_SECONDS = 240.0
ISSUING_SECONDS = 240.0
#: Seconds between two looks if the authority does not say: the first is soon, then slower and slower.
_FIRST_LOOK, _SLOWEST_LOOK = 0.5, 10.0


class Publishing(Protocol):
    """Where challenges are shown: :class:`edge.node.certificates.challenges.Challenges`."""

    async def publish(self, tokens: Mapping[str, str], names: Mapping[str, str]) -> None:
        """Show key authorizations, by token and by name."""


class Wanted(NamedTuple):
    """What is ordered, and how."""

    names: Sequence[str]
    email: str | None
    #: The certificate that it replaces (PEM); None: there is none.
    replaces: str | None
    #: Kinds of challenges that can be answered, the preferred one first.
    kinds: Sequence[str]


class Ordering:
    """An order by *session*; *note* is told the names of its challenges before they are shown.

    *check* raises when this node is not to go on: another one orders.  *in_thread*: calls what blocks.
    """

    def __init__(
        self,
        session: Session,
        challenges: Publishing,
        note: Callable[[Sequence[str]], None],
        check: Callable[[], None],
        in_thread: Callable[..., Awaitable[Any]],
        reactor: Any,
    ) -> None:
        self._session = session
        self._challenges = challenges
        self._note = note
        self._check = check
        self._in_thread = in_thread
        self._reactor = reactor

    async def run(self, wanted: Wanted) -> Issued:
        """The certificate; :class:`~edge.trust.automatic.Trouble` if there is none."""
        from edge.trust.acme_session import certificate_request

        session = self._session
        await self._thread(session.open, wanted.email)
        order = await self._thread(session.order, wanted.names, wanted.replaces)
        await self._prove(order, wanted.kinds)
        key = ec.generate_private_key(ec.SECP256R1())
        order = await self._until(
            lambda: session.look(order.url), lambda it: it.status != "pending", "the order", ISSUING_SECONDS
        )
        if order.status == "ready":
            await self._thread(session.finalize, order, certificate_request(wanted.names, key))
        order = await self._until(
            lambda: session.look(order.url),
            lambda it: it.status == "invalid" or (it.status == "valid" and it.certificate != ""),
            "the certificate",
            ISSUING_SECONDS,
        )
        if order.status == "invalid":
            raise Trouble(REFUSED, f"the order was refused{_because(order.problem)}")
        issued = await self._thread(session.chain, order)
        return self._checked(issued, key_pem(key).decode(), wanted.names)

    async def _prove(self, order: Order, kinds: Sequence[str]) -> None:
        """Show what proves that the names are ours, and wait until the authority has seen it."""
        found = [await self._thread(self._session.authorization, url) for url in order.authorizations]
        open_ones = [
            (url, one, _kind(one, kinds))
            for url, one in zip(order.authorizations, found, strict=True)
            if one.status == "pending"
        ]
        tokens, names = {}, {}
        for _, one, kind in open_ones:
            token = one.challenges[kind][1]
            tokens[token] = names[one.name] = self._session.key_authorization(token)
        self._note((*tokens, *names))
        await self._challenges.publish(tokens, names)
        for _, one, kind in open_ones:
            await self._thread(self._session.answer, one.challenges[kind][0])
        for url, one, kind in open_ones:
            await self._validated(url, one.name, kind)

    async def _validated(self, url: str, name: str, kind: str) -> None:
        authorization = await self._until(
            lambda: self._session.authorization(url),
            lambda it: it.status != "pending",
            f"the validation of {name}",
            VALIDATION_SECONDS,
        )
        if authorization.status != "valid":
            port = 80 if kind == HTTP_01 else 443
            raise Trouble(
                INVALID,
                f"{name} was not validated by {kind}{_because(authorization.problem)}; does the name lead to "
                f"these nodes, and are they at port {port} as seen from outside?",
            )

    async def _until(
        self, look: Callable[[], Any], is_done: Callable[[Any], bool], what: str, seconds: float
    ) -> Any:
        """What *look*, in a thread, gives when it *is_done*; :class:`Trouble` if that takes too long."""
        until = self._reactor.seconds() + seconds
        pause = _FIRST_LOOK
        while True:
            self._check()
            found = await self._thread(look)
            if is_done(found):
                return found
            if self._reactor.seconds() > until:
                raise Trouble(INVALID, f"{what} has not come for {seconds:g} s")
            await deferLater(self._reactor, min(max(pause, found.rest), _SLOWEST_LOOK))
            pause *= 1.5

    def _checked(self, chain: str, key: str, names: Sequence[str]) -> Issued:
        """*chain* for *key* and *names*, if that is a certificate of use by the clock of this machine."""
        try:
            issued = read_issued(chain, key)
        except ValueError:
            raise Trouble(REFUSED, "what the authority gave is no certificate in PEM form") from None
        if not is_sound(issued, names):
            raise Trouble(
                REFUSED, "the certificate that the authority gave is not the one that was asked for"
            )
        now = date_of(self._reactor)
        if not issued.begins - 3600 < now < two_thirds(issued):
            raise Trouble(
                REFUSED,
                "by the clock of this machine the new certificate is not valid now; is the clock right?",
            )
        return issued

    async def _thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        self._check()
        return await self._in_thread(work, *arguments)


def _kind(authorization: Authorization, kinds: Sequence[str]) -> str:
    """The first of *kinds* that is offered."""
    for kind in kinds:
        if kind in authorization.challenges:
            return kind
    raise Trouble(
        REFUSED,
        f"{authorization.name}: the authority offers none of the challenges that can be answered here "
        f"({', '.join(kinds) or 'none: no listener is on TCP'})",
    )


def _because(problem: str) -> str:
    return f" ({problem})" if problem else ""
