"""What a node does when told over the admin API (:mod:`edge.node.supervisor.admin_api`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import EdgeError, PublishError
from edge.http.target import canonical_path
from edge.node.supervisor.answer_purging import site_of
from edge.node.supervisor.inspection import listed
from edge.sites import Hosts, entry_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from edge.config.trying import Trial
    from edge.node.publishing.publisher import PublishResult

#: Seconds between the answer to a drain and its beginning: the answer should arrive.
ANSWER_SECONDS = 0.05


class Publishing(Protocol):
    """The sites of a node: :class:`edge.node.publishing.sites.PublishedSites`."""

    async def publish(self, name: str | None, root: str | None, everything: bool) -> list[PublishResult]:
        """Publish the site *name* now, or all; from another directory if *root* is given.

        *everything* brings purged paths back.
        """

    async def purge(self, names: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Take entries with these *names* away: those that were there, and those that were not."""


class AutomaticCertificate(Protocol):
    """A certificate that takes care of itself: :class:`edge.node.certificates.keeper.Keeper`."""

    def want_now(self) -> None:
        """Order it as soon as possible."""


class TicketKeys(Protocol):
    """The keys of session tickets: :class:`edge.node.certificates.ticket_keeper.TicketKeeper`."""

    def change(self, forget: bool) -> None:
        """Seal under a new key from now on; *forget*: and take nothing that was sealed before."""


class Reloading(Protocol):
    """The applications of a node: :class:`edge.node.supervisor.hosting.applications.Applications`."""

    async def reload(self, name: str) -> tuple[int, list[str]]:
        """Replace the processes of application *name*: how many were, and sentences about the others."""


class PurgingAnswers(Protocol):
    """Stored answers of applications: :class:`edge.node.supervisor.answer_purging.AnswerPurging`."""

    async def groups(self, names: list[str], application: str | None) -> dict[str, Any]:
        """Take away, on all nodes, what is in these groups."""

    async def address(self, address: str) -> bool:
        """Take away what is stored of a path and query; whether an application has it."""


class NoApplications(EdgeError):
    """There is no application."""


class NoAutomaticCertificate(EdgeError):
    """There is no certificate that could be ordered."""


class Administration:
    """The commands of the admin API; *sequence* counts the changes of the table so far."""

    def __init__(
        self,
        publishing: Publishing,
        sequence: Callable[[], int],
        drain: Callable[[], None],
        certificate: AutomaticCertificate | None,
        tickets: TicketKeys,
        clock: Any,
        applications: Reloading | None = None,
        answers: PurgingAnswers | None = None,
        explain: Callable[[str], Awaitable[dict[str, Any]]] | None = None,
        hosts: Callable[[], Hosts] = Hosts,
        try_request: Callable[[str, str, Mapping[bytes, bytes], str], Trial] | None = None,
    ) -> None:
        """*hosts*: which hosts are of which site; *try_request*: see :mod:`edge.config.trying`."""
        self._try_request = try_request
        self._publishing = publishing
        self._hosts = hosts
        self._sequence = sequence
        self._drain = drain
        self._certificate = certificate
        self._tickets = tickets
        self._clock = clock
        self._applications = applications
        self._answers = answers
        self._explain = explain

    def renew(self) -> dict[str, Any]:
        """Order a new certificate now."""
        if self._certificate is None:
            raise NoAutomaticCertificate(
                "the certificates of this node come from files; --tls-auto has one got by itself"
            )
        self._certificate.want_now()
        return {"state": "ordering"}

    def change_ticket_keys(self, forget: bool) -> None:
        """Seal session tickets under a new key; *forget*: and take none of before."""
        self._tickets.change(forget)

    async def reload_application(self, name: str) -> dict[str, Any]:
        """Start new processes of the application *name*, which take over from the old ones."""
        if self._applications is None:
            raise NoApplications("this node has no applications; --app and [[app]] give it some")
        replaced, problems = await self._applications.reload(name)
        return {"replaced": replaced, "problems": problems}

    async def publish(self, webroot: str | None, site: str | None = None) -> dict[str, Any]:
        """Publish again, all sites or that *site*; paths that were purged come back."""
        if webroot is not None:
            if not os.path.isabs(webroot):
                raise PublishError(f"{webroot} is not an absolute path; give the directory from the root on")
            webroot = os.path.normpath(webroot)
        done = await self._publishing.publish(site, webroot, True)
        return {
            "puts": sum(one.puts for one in done),
            "removes": sum(one.removes for one in done),
            "unchanged": sum(one.unchanged for one in done),
            "problems": listed([problem for one in done for problem in one.problems]),
            "sequence": done[-1].sequence,
        }

    def try_request(
        self, url: str, method: str, fields: Mapping[bytes, bytes], visitor: str
    ) -> dict[str, Any]:
        """How *url* would be answered to the address *visitor*, and by which rule."""
        assert self._try_request is not None
        return self._try_request(url, method, fields, visitor).document()

    async def explain(self, url: str) -> dict[str, Any]:
        """Why *url* is answered from the table, or not."""
        if self._explain is None:
            raise NoApplications("this node has no applications; --app and [[app]] give it some")
        return await self._explain(url)

    async def purge_groups(self, groups: list[str], application: str | None) -> dict[str, Any]:
        """Take away, on all nodes, what applications have said to be in *groups*; None: all applications."""
        if self._answers is None:
            raise NoApplications("this node has no applications; --app and [[app]] give it some")
        return await self._answers.groups(groups, application)

    async def purge(self, paths: list[str]) -> dict[str, Any]:
        """Remove paths from the table; each is taken as a client would write it, maybe behind a host."""
        wanted: dict[bytes, str] = {}
        unknown = []
        for path in paths:
            prefix, target = site_of(path, self._hosts())
            key = None if prefix is None else canonical_path(target.partition(b"?")[0])
            if key is None:
                unknown.append(path)
            else:
                wanted[entry_name(prefix or b"", key)] = path
        purged, missing = await self._publishing.purge(wanted)
        gone = [wanted[key] for key in purged]
        for path in [wanted[key] for key in missing]:
            is_answer = self._answers is not None and await self._answers.address(path)
            (gone if is_answer else unknown).append(path)
        return {"purged": gone, "unknown": unknown, "sequence": self._sequence()}

    def drain(self) -> dict[str, Any]:
        """Begin to drain, once this has been answered."""
        self._clock.callLater(ANSWER_SECONDS, self._drain)
        return {"state": "draining"}
