"""Why an address is answered from the table or not: ``edgectl app explain URL``.

For each key that the address may be stored under, one for each choice of the configured fields: what is
stored, what keeps it from being answered, and what the last answer said that was not shared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from edge.addresses.globs import whole_glob
from edge.cache.keys import Key
from edge.cache.policy import Refusal
from edge.config.applications import answering, is_under
from edge.config.trying import NoAddress, address_of
from edge.http.target import canonical_path, unambiguous_path
from edge.node.supervisor.answer_purging import NoSuchApplication, key_maker
from edge.sites import Hosts, entry_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from edge.config.applications import Application

#: Why nothing is relayed in C where traces are made.
BY_PYTHON = "while traces are made Python passes it on, which takes about ten times the CPU of the relay in C"
#: Keys that are told of.
_MOST_KEYS = 16


class KnownAnswer(NamedTuple):
    """What the store knows of a key; times in seconds."""

    #: Whether anything is stored; how old it is, and how long it is fresh still (below 0: since when not).
    stored: bool
    age: float = 0.0
    fresh: float = 0.0
    #: A change may have been missed since it was made.
    doubtful: bool = False
    status: int = 0
    #: Bytes of each variant, by its number.
    variants: tuple[tuple[int, int], ...] = ()
    groups: tuple[str, ...] = ()
    stale_while_revalidate: int = 0
    stale_if_error: int = 0
    #: Somebody asks for it now.
    filled: bool = False
    #: It is passed whole for so long; the application has just failed; it may be shared, and is not stored.
    passed: float = 0.0
    failing: bool = False
    shareable: bool = False
    #: The name of the :class:`~edge.cache.policy.Refusal` of the last answer that was not shared.
    why: str = ""


class Known(Protocol):
    """The store of answers: :class:`edge.node.supervisor.answers.AnswerStore`."""

    #: Seconds to which lifetimes are cut; None: they are not.
    longest: float | None

    def known(self, name: bytes) -> KnownAnswer:
        """What is known of the key *name*."""


class Explaining:
    """*configured*: applications.  *is_published*: whether the webroot has a path.  *is_sure*: see below.

    *is_sure*: whether this node is in touch with all others, so that it may answer what is stored.
    """

    def __init__(
        self,
        configured: Callable[[], Sequence[Application]],
        answers: Known,
        is_published: Callable[[bytes], Awaitable[bool]],
        is_sure: Callable[[], bool],
        hosts: Callable[[], Hosts] = Hosts,
        is_traced: bool = False,
    ) -> None:
        """*hosts*: which hosts are of which site; *is_traced*: requests are, so nothing is relayed in C."""
        self._is_traced = is_traced
        self._hosts = hosts
        self._configured = configured
        self._answers = answers
        self._is_published = is_published
        self._is_sure = is_sure

    async def explain(self, url: str) -> dict[str, Any]:
        """``POST /applications/explain``: for *url*, or its path and query, a sentence for each key."""
        host, target = address_of(url)
        path, mark, query = target.partition(b"?")
        prefix = _prefix(host, self._hosts())
        canonical = canonical_path(path)
        if canonical is not None and await self._is_published(entry_name(prefix, canonical)):
            sentence = "a file of the webroot has this path, and wins; its rules are in edge.json and --cache"
            return {"target": target.decode("latin-1"), "application": None, "keys": [], "sentence": sentence}
        nobodys = _nobodys(canonical or unambiguous_path(path))
        if nobodys:
            return {"target": target.decode("latin-1"), "application": None, "keys": [], "sentence": nobodys}
        application = answering(self._configured(), path, prefix)
        if application is None:
            known = ", ".join(f"{one.name} at {one.at}" for one in self._configured()) or "none is configured"
            raise NoSuchApplication(f"no application answers {path.decode('latin-1')}; there are: {known}")
        names = key_maker(application).names(path, query if mark else None)
        shared = any(_matches(glob, path.decode("latin-1")) for glob in application.share)
        keys = [self._key(name, shared) for name in names[:_MOST_KEYS]]
        return {
            "target": target.decode("latin-1"),
            "application": application.name,
            "keys": keys,
            "sentence": self._of_the_node(),
        }

    def _of_the_node(self) -> str:
        if not self._is_sure():
            return (
                "this node has lost touch with another one, so it answers nothing that is stored before the "
                "application has confirmed it; see edgectl members"
            )
        if self._answers.longest is not None:
            return (
                "a node is dead, or was not met yet, so what is stored lives "
                f"{self._answers.longest:g} s at most; see edgectl check"
            )
        return ""

    def _key(self, name: bytes, shared: bool) -> dict[str, Any]:
        key, known = Key.of_name(name), self._answers.known(name)
        return {
            "target": key.target.decode("latin-1"),
            "fields": {one.decode("latin-1"): value.decode("latin-1") for one, value in key.buckets},
            "sentence": _sentence(known, shared, self._is_traced),
            **known._asdict(),
            "variants": {str(number): size for number, size in known.variants},
            "groups": list(known.groups),
            "fresh": round(known.fresh, 1),
            "age": round(known.age, 1),
            "passed": round(known.passed, 1),
        }


def _nobodys(route: bytes | None) -> str:
    """Why no application ever answers what is routed as *route*; empty: one may."""
    if route is None:
        return (
            "no application is asked, it is 404: other programs could take it for another path, by a segment "
            ". or .., NUL or a backslash"
        )
    return (
        "what is under /.edge is the node's own, and no application's" if is_under(route, b"/.edge") else ""
    )


def _matches(glob: str, path: str) -> bool:
    """As :class:`edge.node.applications.caching.CachingOrigin` takes globs of ``share``."""
    return whole_glob(glob).matches(path)


def _prefix(host: bytes, hosts: Hosts) -> bytes:
    """The prefix of the site of *host*; b"" stands for the default one."""
    number = hosts.find(host) if host else hosts.default
    if number is None:
        raise NoAddress(f"no site here has the host {host.decode('latin-1') or '(none)'}; give the whole URL")
    return hosts.prefix(number)


def _sentence(known: KnownAnswer, shared: bool, is_traced: bool) -> str:
    why = Refusal[known.why].value if known.why in Refusal.__members__ else ""
    if known.stored and known.doubtful:
        return "it is stored and doubtful: a change may have been missed, so the application is asked first"
    if known.stored and known.fresh > 0:
        groups = ", ".join(known.groups)
        back = f"a change of {groups} takes it back" if groups else "it is in no cache group"
        return f"it is stored and answered from the table for another {known.fresh:.0f} s; {back}"
    if known.stored and -known.fresh < known.stale_while_revalidate:
        return "it is stored, and answered stale while it is asked for anew"
    if known.stored:
        return f"it is stored and {-known.fresh:.0f} s over its lifetime: who asks next fills it anew"
    if known.failing:
        return "the application has just failed to answer it"
    if known.passed > 0:
        return (
            f"it is passed whole for another {known.passed:.0f} s, since {why or 'its answer is not shared'}"
        ) + (f"; {BY_PYTHON}" if is_traced else "")
    if known.filled:
        return "it is being asked for now"
    if known.shareable or shared:
        said = "its answers may be shared" if known.shareable else "`share` names it"
        return f"it is not stored yet, and {said}: who asks next fills it" + (
            f" (last time {why})" if why else ""
        )
    if why:
        return f"it is not stored: {why}"
    return "nobody has asked for it lately: the first request passes whole, and what it is answered decides"
