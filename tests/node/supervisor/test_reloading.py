"""SIGHUP: what is read anew, and which parts are told."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import LogLevel, globalLogPublisher
from twisted.logger import formatEvent as format_event
from twisted.trial.unittest import SynchronousTestCase

from edge.config import load
from edge.load.meters import Capacity
from edge.node.publishing.sites import PublishedSite
from edge.node.supervisor.configuration import Configuration
from edge.node.supervisor.plan import public_url, worker_settings
from edge.node.supervisor.reloading import Reloader
from edge.publish.settings import PublishSettings


class Load:
    """What the load publisher may be told while it runs."""

    def __init__(self) -> None:
        self.url = ""
        self.capacity = Capacity(0, 0, 0)

    def reconfigure(self, url: str, capacity: Capacity) -> None:
        """See :class:`edge.node.telemetry.load_publisher.LoadPublisher`."""
        self.url, self.capacity = url, capacity


#: What workers are asked for whenever anything is loaded anew.
RELOADED = ["workers take certificates", "log to None as json", "log reopens"]


class Parts:
    """All parts in one; *asked* is what they were asked for, in order."""

    def __init__(self, configuration: Configuration) -> None:
        self.asked: list[str] = []
        self._configuration = configuration

    def settings(self, index: int) -> Any:
        """See :class:`edge.node.supervisor.worker_host.WorkerHost`."""
        return worker_settings(self._configuration.current, (), index, 10_000, True)

    @property
    def sites(self) -> list[Any]:
        """See :class:`edge.node.publishing.sites.PublishedSites`: one, and this publishes it."""
        return [PublishedSite("", b"", self, self)]  # type: ignore[arg-type]

    async def publish_by(self, settings: PublishSettings, moves: bool) -> None:
        """See :class:`edge.node.publishing.auto_publisher.AutoPublisher`."""
        self.asked.append(f"publish {Path(settings.root).name}" + (", which is another" if moves else ""))

    async def certify(self) -> list[str]:
        """See :class:`edge.node.supervisor.workers.Workers`."""
        self.asked.append("workers take certificates")
        return ["the certificate stays"]

    def configure(self, where: str | None, log_format: str) -> None:
        """See :class:`edge.node.telemetry.accesslog.AccessLog`."""
        self.asked.append(f"log to {where} as {log_format}")

    def reopen(self) -> Deferred[None]:
        """See :class:`edge.node.telemetry.accesslog.AccessLog`."""
        self.asked.append("log reopens")
        return succeed(None)

    async def replace(self, seconds: float) -> list[str]:
        """See :class:`edge.node.supervisor.workers.Workers`."""
        self.asked.append(f"workers replaced, {seconds:g} s each")
        return []


class Cluster:
    """Has certificates of its own."""

    def reload(self) -> list[str]:
        """See :class:`edge.node.supervisor.reloading.Reloadable`."""
        return ["the cluster's authority stays"]


class ReloadTests(SynchronousTestCase):
    """One configuration file, before and after."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())  # its path has to be short enough for a socket
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "edge.toml"
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: Any) -> None:
        """Keep warnings and errors of the supervisor."""
        if event["log_level"] >= LogLevel.warn and "supervisor" in event["log_namespace"]:
            self.said.append(format_event(event))

    def reload(self, before: str, after: str) -> tuple[list[str], Configuration, Load]:
        """Start with *before*, then reload with *after*; what the parts were asked for."""
        base = f'state-dir = "{self.folder}"\nconnections = 100\n'
        self.file.write_text(base + before)
        configuration = Configuration(load({}, self.file))
        parts, told = Parts(configuration), Load()
        self.reloader = Reloader(
            configuration,
            (),
            10_000,
            parts,
            parts,
            parts,
            told,
            Cluster(),
            access_log=parts,  # type: ignore[arg-type]
        )
        self.file.write_text(base + after)
        self.successResultOf(Deferred.fromCoroutine(self.reloader.reload()))
        return parts.asked, configuration, told

    def test_without_a_change_only_certificates_and_logs_are_loaded_anew(self) -> None:
        """Whatever stays as it was is said."""
        asked, _, told = self.reload("", "")
        self.assertEqual(asked, RELOADED)
        self.assertEqual(
            self.said, ["SIGHUP: the certificate stays", "SIGHUP: the cluster's authority stays"]
        )
        self.assertEqual(told.capacity.connections, 100)

    def test_logs_alone_can_be_reopened(self) -> None:
        """SIGUSR1: neither certificates nor the configuration."""
        asked, _, _ = self.reload("", "")
        del asked[:], self.said[:]
        self.successResultOf(Deferred.fromCoroutine(self.reloader.reopen_logs()))
        self.assertEqual((asked, self.said), (["log reopens"], []))

    def test_settings_of_the_webroot_are_published_by(self) -> None:
        """From another directory only if the configuration names another one."""
        asked, _, _ = self.reload('webroot = "."', 'webroot = "."\nbrotli-quality = 5')
        self.assertEqual(asked, [f"publish {self.folder.name}", *RELOADED])

    def test_another_webroot_is_published(self) -> None:
        """Before the workers reload."""
        (self.folder / "other").mkdir()
        asked, _, _ = self.reload('webroot = "."', 'webroot = "other"')
        self.assertEqual(asked, ["publish other, which is another", *RELOADED])

    def test_what_workers_are_told_replaces_them(self) -> None:
        """After they have reloaded; each has the time to drain."""
        asked, _, _ = self.reload("", "idle-seconds = 5\ndrain-seconds = 3")
        self.assertEqual(asked, [*RELOADED, "workers replaced, 3 s each"])

    def test_the_load_publisher_has_the_new_address(self) -> None:
        """And so have browsers, with the next load document."""
        _, configuration, told = self.reload("", 'public-url = "https://n1.example.org"')
        self.assertEqual(told.url, "https://n1.example.org")
        self.assertEqual(public_url(configuration.current, ()), told.url)

    def test_what_counts_from_the_next_start_on_is_kept_and_said(self) -> None:
        """The rest of the file counts now."""
        _, configuration, _ = self.reload("workers = 1", "workers = 2\nidle-seconds = 5")
        current = configuration.current
        self.assertEqual((current.workers, current.idle_seconds), (1, 5))
        self.assertEqual(self.said[0], "SIGHUP: a change of workers takes effect at the next start")

    def test_a_wrong_file_changes_nothing(self) -> None:
        """Certificates and logs are loaded all the same."""
        asked, configuration, _ = self.reload("idle-seconds = 7", "idle-seconds = -1")
        self.assertEqual((asked, configuration.current.idle_seconds), (RELOADED, 7))
        self.assertIn("the configuration stays as it was", self.said[0])
        self.assertIn("idle-seconds", configuration.find_problems()[0])
