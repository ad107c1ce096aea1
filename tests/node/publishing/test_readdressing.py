"""Rules of addresses and fields come into force: of the configuration, and of files in the webroot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher

from edge.addresses.fields import FieldRule
from edge.addresses.pages import PageAddresses
from edge.addresses.redirects import AddressRule
from edge.node.process.own_resources import ADDRESSES
from edge.node.publishing.publisher import Publisher
from edge.publish.addressing import Document
from edge.publish.settings import AddressSettings
from tests.node.publishing.test_publisher import PublisherTestCase


class ReaddressingTests(PublisherTestCase):
    """:class:`edge.node.publishing.readdressing.Readdressing`."""

    def setUp(self) -> None:
        super().setUp()
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.note)
        self.addCleanup(globalLogPublisher.removeObserver, self.note)

    def note(self, event: dict[str, Any]) -> None:
        """Keep what is logged of rules."""
        if event["log_level"] is LogLevel.warn and "sentence" in event:
            self.said.append(event["sentence"])

    def ruled(self, addresses: AddressSettings, **more: int) -> Publisher:
        """A publisher with these rules, which workers are told through the table."""
        publisher = self.publisher(arena=1 << 20, **more)
        made = Publisher(
            replace(publisher.settings, addresses=addresses),
            self.store,
            publisher._bodies,
            self.table,
            publisher._slices,
            self.reactor,
            show_rules=lambda document: self.table._writer.put_template(ADDRESSES, b"", b"", document),
        )
        publisher.stop()
        self.addCleanup(made.stop)
        return made

    def found(self, path: bytes) -> tuple[int, bytes] | None:
        """(status, body or Location) of what is in the table."""
        entry = self.reader.find(path)
        if entry is None:
            return None
        return entry.status, entry.lines_304 if entry.status != 200 else bytes(entry.body or b"")

    def document(self) -> Document:
        """What workers are told."""
        entry = self.reader.find(ADDRESSES)
        assert entry is not None and entry.body is not None
        return msgspec.msgpack.decode(entry.body, type=Document)

    async def test_files_of_rules_are_in_force_when_the_publish_is_through(self) -> None:
        publisher = self.ruled(AddressSettings(PageAddresses(clean_urls=True)))
        self.write("about.html", b"about")
        self.write("_redirects", b"/old /about\n/blog/* /posts/:splat\nnonsense\n")
        self.write("_headers", b"/about\n  X-About: yes\n  Date: now\n")
        await publisher.publish()
        self.assertTrue(self.reader.complete)
        self.assertEqual(self.found(b"/old"), (301, b"Location: /about\r\n"))
        self.assertEqual(self.found(b"/about"), (200, b"about"))
        self.assertEqual(self.found(b"/about.html"), (308, b"Location: /about\r\n"))
        self.assertIn(b"X-About: yes\r\n", self.reader.find(b"/about").lines_200)  # type: ignore[union-attr]
        self.assertIsNone(self.found(b"/_redirects"))
        self.assertEqual([one.source for one in self.document().rules], ["/blog/*"])
        self.assertEqual(len(self.said), 2)
        self.assertIn("_redirects line 3: write FROM TO STATUS", self.said[0])
        self.assertIn("_headers line 3: Date cannot be changed here", self.said[1])

    async def test_they_follow_their_files_and_say_the_same_once(self) -> None:
        publisher = self.ruled(AddressSettings())
        self.write("_redirects", b"/old /a\nnonsense\n")
        await publisher.publish()
        self.write("a", b"1")
        await publisher.publish()
        self.assertEqual(len(self.said), 1)
        self.write("_redirects", b"/old /b 302\n/a /c 301!\n")
        await publisher.publish()
        self.assertEqual(self.found(b"/old"), (302, b"Location: /b\r\n"))
        self.assertEqual(self.found(b"/a"), (301, b"Location: /c\r\n"))
        (self.root / "_redirects").unlink()
        await publisher.publish()
        self.assertIsNone(self.found(b"/old"))
        self.assertEqual(self.found(b"/a"), (200, b"1"))
        self.assertEqual(len(self.said), 1)

    async def test_another_configuration_counts_with_the_next_publish(self) -> None:
        publisher = self.ruled(
            AddressSettings(rules=(AddressRule("/x", to="/y"), AddressRule("/p/*", to="/q")))
        )
        self.write("a.html", b"1")
        await publisher.publish()
        self.assertEqual(self.found(b"/x"), (308, b"Location: /y\r\n"))
        addresses = AddressSettings(
            PageAddresses(clean_urls=True), (FieldRule("/**", (("set", "X-A", "1"),)),), fallback="/a.html"
        )
        publisher.use(replace(publisher.settings, addresses=addresses))
        await publisher.publish()
        self.assertIsNone(self.found(b"/x"))
        self.assertEqual(self.found(b"/a"), (200, b"1"))
        self.assertIn(b"X-A: 1", self.reader.find(b"/a").lines_200)  # type: ignore[union-attr]
        self.assertEqual((self.document().rules, self.document().fallback), ((), "/a.html"))

    async def test_a_redirect_without_room_is_looked_up(self) -> None:
        rules = tuple(AddressRule(f"/{number}", to=f"/to/{number}") for number in range(20))
        publisher = self.ruled(AddressSettings(rules=rules), capacity=4)
        await publisher.publish()
        self.assertFalse(self.reader.complete)
        [outside, *_] = [n for n in range(20) if self.reader.find(b"/%d" % n) is None]
        resource = await publisher.look_up(b"/%d" % outside)
        assert resource is not None
        self.assertEqual(resource.representations[0].lines_304, b"Location: /to/%d\r\n" % outside)

    async def test_a_page_that_is_not_read_yet_is_found_at_its_clean_address(self) -> None:
        publisher = self.ruled(AddressSettings(PageAddresses(clean_urls=True)), capacity=1024)
        for folder in range(20):
            (self.root / f"{folder}").mkdir()
            for number in range(10):
                self.write(f"{folder}/{number}.html", b"%d" % number)
        publishing = Deferred.fromCoroutine(publisher.publish())
        await publisher.begun.wait()
        resource = await publisher.look_up(b"/19/9")
        assert resource is not None
        self.assertEqual(resource.representations[0].body, b"9")
        self.assertIsNone(await publisher.look_up(b"/19/none"))
        await publishing

    async def test_a_clean_address_can_be_purged(self) -> None:
        publisher = self.ruled(AddressSettings(PageAddresses(clean_urls=True)))
        self.write("a.html", b"1")
        await publisher.publish()
        self.assertEqual(await publisher.purge([b"/a"]), ([b"/a"], []))
        await publisher.publish()
        self.assertIsNone(self.found(b"/a"))
        self.write("a.html", b"2")
        await publisher.publish()
        self.assertEqual(self.found(b"/a"), (200, b"2"))

    async def test_ten_thousand_rules_of_a_large_file_come_into_force_in_short_steps(self) -> None:
        publisher = self.ruled(AddressSettings(), capacity=1 << 15)
        self.write("_redirects", b"".join(b"/old/%d /new/%d\n" % (n, n) for n in range(10_000)))
        await publisher.publish()
        self.assertEqual(self.found(b"/old/9999"), (301, b"Location: /new/9999\r\n"))
        self.assertEqual(self.found(b"/old/9999/"), (301, b"Location: /new/9999\r\n"))

    async def test_rules_that_lead_in_a_circle_do_not_count_and_those_of_the_configuration_do(self) -> None:
        publisher = self.ruled(AddressSettings(rules=(AddressRule("/x", to="/y"),)))
        self.write("_redirects", b"/a /b\n/b /a\n")
        await publisher.publish()
        self.assertIsNone(self.found(b"/a"))
        self.assertEqual(self.found(b"/x"), (308, b"Location: /y\r\n"))
        self.assertIn("in a circle", self.said[0])
