"""What a node does when told, with plain collaborators."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.errors import EdgeError, PublishError
from edge.node.publishing.publisher import PublishResult
from edge.node.supervisor.administration import ANSWER_SECONDS, Administration
from edge.publish.problems import Kind, Problem
from edge.sites import ALONE, Hosts, SiteHosts

RESULT = PublishResult(3, 1, 5, [Problem(Kind.UNREADABLE, "caf\udce9.html", "cannot be read")], 42)


class Publishing:
    """Publishes nothing, but remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, str | None, bool]] = []
        self.paths = {b"/a.html", b"/caf%C3%A9", b"blog/a.html"}

    async def publish(self, name: str | None, root: str | None, everything: bool) -> list[PublishResult]:
        """See :class:`edge.node.supervisor.administration.Publishing`."""
        self.asked.append((name, root, everything))
        return [RESULT]

    async def purge(self, paths: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
        """See :class:`edge.node.supervisor.administration.Publishing`."""
        paths = list(paths)
        return [p for p in paths if p in self.paths], [p for p in paths if p not in self.paths]


class AdministrationTests(SynchronousTestCase):
    """:mod:`edge.node.supervisor.administration`."""

    def setUp(self) -> None:
        self.clock, self.publishing, self.drained = Clock(), Publishing(), []
        self.administration = self.made(None)

    def made(self, certificate: Any) -> Administration:
        """The commands of a node with that automatic *certificate*."""
        return Administration(
            self.publishing,
            lambda: 7,
            lambda: self.drained.append(True),
            certificate,
            self,
            self.clock,
            hosts=lambda: Hosts((*ALONE, SiteHosts(b"blog", (b"blog.example",)))),
        )

    def test_only_an_automatic_certificate_can_be_ordered(self) -> None:
        with self.assertRaisesRegex(EdgeError, "--tls-auto"):
            self.administration.renew()
        wanted: list[bool] = []

        class Certificate:
            def want_now(self) -> None:
                wanted.append(True)

        self.assertEqual(self.made(Certificate()).renew(), {"state": "ordering"})
        self.assertEqual(wanted, [True])

    def test_an_application_is_reloaded_if_there_is_one(self) -> None:
        refused = Deferred.fromCoroutine(self.administration.reload_application("shop"))
        self.assertIn("--app and [[app]] give it some", str(self.failureResultOf(refused, EdgeError).value))

        class Applications:
            async def reload(self, name: str) -> tuple[int, list[str]]:
                return 1, [f"{name}/1: no"]

        self.administration = Administration(
            self.publishing, lambda: 7, lambda: None, None, self, self.clock, Applications()
        )
        reloaded = self.successResultOf(
            Deferred.fromCoroutine(self.administration.reload_application("shop"))
        )
        self.assertEqual(reloaded, {"replaced": 1, "problems": ["shop/1: no"]})

    def change(self, forget: bool) -> None:
        """See :class:`edge.node.supervisor.administration.TicketKeys`."""
        self.changed.append(forget)

    def test_keys_of_tickets_are_changed(self) -> None:
        self.changed: list[bool] = []
        self.administration.change_ticket_keys(True)
        self.assertEqual(self.changed, [True])

    def done(self, work: Coroutine[Deferred[Any], Any, dict[str, Any]]) -> dict[str, Any]:
        """What a coroutine returns that waits for nothing."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def test_publishing_brings_purged_paths_back_and_says_what_it_did(self) -> None:
        """Names of files as people can read them, whatever their bytes."""
        self.assertEqual(
            self.done(self.administration.publish(None)),
            {
                "puts": 3,
                "removes": 1,
                "unchanged": 5,
                "problems": [{"path": "caf\\xe9.html", "problem": "cannot be read"}],
                "sequence": 42,
            },
        )
        self.done(self.administration.publish("/srv//site/../other/"))
        self.assertEqual(self.publishing.asked, [(None, None, True), (None, "/srv/other", True)])

    def test_another_webroot_has_to_be_absolute(self) -> None:
        """The node's working directory is not that of who asks."""
        failure = self.failureResultOf(
            Deferred.fromCoroutine(self.administration.publish("site")), PublishError
        )
        self.assertIn("site is not an absolute path", failure.getErrorMessage())

    def test_paths_are_purged_as_clients_write_them(self) -> None:
        """Normalised, without a query; what nobody published and what is no path is unknown."""
        asked = ["/%61.html?v=1", "/caf%c3%a9", "/none", "/a/../b"]
        self.assertEqual(
            self.done(self.administration.purge(asked)),
            {"purged": ["/%61.html?v=1", "/caf%c3%a9"], "unknown": ["/a/../b", "/none"], "sequence": 7},
        )

    def test_a_host_before_the_path_says_of_which_site(self) -> None:
        """As in a URL; without one it is the default site's."""
        asked = ["Blog.example:80/a.html", "https://blog.example/caf%C3%A9", "other.example/a.html"]
        self.assertEqual(
            self.done(self.administration.purge(asked)),
            {"purged": [asked[0], asked[2]], "unknown": [asked[1]], "sequence": 7},
        )

    def test_one_site_of_several_is_published(self) -> None:
        """By its name."""
        self.done(self.administration.publish(None, "blog"))
        self.assertEqual(self.publishing.asked, [("blog", None, True)])

    def test_a_drain_is_answered_before_it_begins(self) -> None:
        """The answer would not arrive otherwise."""
        self.assertEqual(self.administration.drain(), {"state": "draining"})
        self.assertEqual(self.drained, [])
        self.clock.advance(ANSWER_SECONDS)
        self.assertEqual(self.drained, [True])
