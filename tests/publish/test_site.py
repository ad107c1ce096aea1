from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.publish.catalogue import PublishedFile
from edge.publish.site import Site
from tests.publish.test_catalogue import page


def file(path: bytes, body: bytes = b"", siblings: tuple[str, ...] = ()) -> PublishedFile:
    """A published file of one resource."""
    return PublishedFile((), True, (page(path, body),), siblings)


class SiteTests(SynchronousTestCase):
    """:mod:`edge.publish.site`."""

    def setUp(self) -> None:
        self.site = Site()

    def test_it_tells_the_paths_that_differ(self) -> None:
        self.assertEqual(self.site.put("a.html", file(b"/a.html", b"1")), [b"/a.html"])
        self.assertEqual(self.site.put("a.html", file(b"/a.html", b"1")), [])
        self.assertEqual(self.site.put("a.html", file(b"/a.html", b"2")), [b"/a.html"])
        self.assertEqual(self.site.put("a.html", None), [b"/a.html"])
        self.assertEqual((dict(self.site), self.site.files), ({}, {}))

    def test_what_holds_the_coded_contents_of_another_has_no_path_while_it_does(self) -> None:
        self.site.put("a.js.gz", file(b"/a.js.gz"))
        self.assertEqual(
            self.site.put("a.js", file(b"/a.js", siblings=("a.js.gz",))), [b"/a.js", b"/a.js.gz"]
        )
        self.assertEqual(set(self.site), {b"/a.js"})
        self.assertEqual(self.site.put("a.js.gz", file(b"/a.js.gz", b"2")), [])
        self.assertEqual(self.site.put("a.js", file(b"/a.js")), [b"/a.js.gz"])
        self.assertEqual(set(self.site), {b"/a.js", b"/a.js.gz"})

    def test_both_have_one_where_that_is_wished(self) -> None:
        site = Site(publish_siblings=True)
        site.put("a.js.gz", file(b"/a.js.gz"))
        site.put("a.js", file(b"/a.js", siblings=("a.js.gz",)))
        self.assertEqual(set(site), {b"/a.js", b"/a.js.gz"})

    def test_the_site_s_own_file_counts_or_the_client_s(self) -> None:
        self.site.put("sw.js", file(b"/sw.js", b"own"))
        client = {"sw.js": file(b"/sw.js", b"client"), "edge/client.js": file(b"/edge/client.js")}
        self.assertEqual(self.site.set_client(client, counts=False), [b"/edge/client.js"])
        self.assertEqual(self.site[b"/sw.js"].representations[0].body, b"own")
        self.assertEqual(self.site.put("sw.js", None), [b"/sw.js"])
        self.assertEqual(self.site[b"/sw.js"].representations[0].body, b"client")
        self.site.put("sw.js", file(b"/sw.js", b"own"))
        self.assertEqual(self.site.set_client(client, counts=True), [b"/sw.js"])
        self.assertEqual(self.site[b"/sw.js"].representations[0].body, b"client")
        self.assertEqual(set(self.site.set_client({}, counts=False)), {b"/sw.js", b"/edge/client.js"})

    def test_it_knows_what_is_coded_quickly(self) -> None:
        self.site.put("a.html", file(b"/a.html")._replace(is_provisional=True))
        self.assertEqual(self.site.provisional, {b"/a.html"})
        self.site.put("a.html", file(b"/a.html", b"well"))
        self.assertEqual(self.site.provisional, set())
