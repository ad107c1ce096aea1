from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.publish.building import build
from edge.publish.catalogue import Catalogue, PublishedFile, Statistics, diff
from edge.publish.rules import content_type, media_type
from edge.publish.store import Coded
from edge.resource import Coding, Resource


def page(path: bytes, body: bytes = b"", modified: int = 1, coded: bytes | None = None) -> Resource:
    """A resource as publishing makes it."""
    codings = {Coding.IDENTITY: Coded(sha256(body).digest(), len(body), body)}
    if coded is not None:
        codings[Coding.BR] = Coded(sha256(coded).digest(), len(coded), None)
    type_ = media_type(path.rpartition(b"/")[2].decode())
    return build(path, content_type(type_, True), b"no-cache", modified, codings, {})[0]


NAMES = [
    b"/" + stem + extension
    for stem in (b"a", b"b")
    for extension in (b".html", b".js", b".css", b".png", b"")
]
SITES = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.binary(max_size=1), st.integers(0, 1), st.none() | st.binary(max_size=1)),
).map(lambda files: {path: page(path, *rest) for path, rest in files.items()})


class Differences(SynchronousTestCase):
    def test_pages_come_after_what_they_refer_to_and_removals_last(self) -> None:
        new = {
            path: page(path) for path in (b"/z.html", b"/a.html", b"/b.js", b"/c.css", b"/d.png", b"/e.woff2")
        }
        deploy = diff({b"/old.js": page(b"/old.js"), b"/d.png": page(b"/d.png", b"old")}, new)
        self.assertEqual(
            [resource.path for resource in deploy.puts],
            [b"/d.png", b"/e.woff2", b"/c.css", b"/b.js", b"/a.html", b"/z.html"],
        )
        self.assertEqual(deploy.removes, (b"/old.js",))

    def test_what_is_the_same_needs_no_step(self) -> None:
        site = {b"/a.html": page(b"/a.html", b"x", coded=b"y")}
        self.assertFalse(diff(site, {b"/a.html": page(b"/a.html", b"x", coded=b"y")}))
        self.assertTrue(diff(None, site))
        self.assertFalse(diff(None, {}))

    def test_a_new_time_body_or_variant_is_a_step(self) -> None:
        old = {b"/a.html": page(b"/a.html", b"x")}
        for other in (
            page(b"/a.html", b"x", modified=2),
            page(b"/a.html", b"y"),
            page(b"/a.html", b"x", coded=b"z"),
        ):
            self.assertEqual(diff(old, {b"/a.html": other}).puts, (other,))

    @given(SITES, SITES)
    def test_the_steps_lead_from_the_old_to_the_new(
        self, old: dict[bytes, Resource], new: dict[bytes, Resource]
    ) -> None:
        deploy = diff(old, new)
        state = dict(old)
        ranks = []
        for resource in deploy.puts:
            self.assertIsNot(state.get(resource.path), resource)
            state[resource.path] = resource
            ranks.append(resource.path.endswith(b".html"))
        for path in deploy.removes:
            del state[path]
        self.assertEqual(state, new)
        self.assertEqual(ranks, sorted(ranks))
        self.assertEqual(len({resource.path for resource in deploy.puts}), len(deploy.puts))

    @given(SITES)
    def test_there_are_no_steps_from_a_site_to_itself(self, site: dict[bytes, Resource]) -> None:
        self.assertFalse(diff(site, dict(site)))


class Catalogues(SynchronousTestCase):
    def test_a_catalogue_maps_paths_to_resources(self) -> None:
        index = build(
            b"/d/index.html", b"text/html", b"no-cache", 1, {Coding.IDENTITY: Coded(b"d" * 32, 3, b"abc")}, {}
        )
        large = page(b"/a.js", b"body", coded=b"cd")
        catalogue = Catalogue(
            {
                "d/index.html": PublishedFile((), True, index, ()),
                "a.js": PublishedFile((), True, (large,), ()),
            }
        )
        self.assertEqual(set(catalogue), {b"/d/index.html", b"/d/", b"/a.js"})
        self.assertIs(catalogue[b"/a.js"], large)
        self.assertRaises(KeyError, catalogue.__getitem__, b"/d")
        self.assertEqual(catalogue.statistics(), Statistics(resources=3, representations=4, bytes=12))
        self.assertEqual(catalogue.blobs(), {large.representations[1].etag})
        self.assertEqual(diff(None, catalogue).statistics(), catalogue.statistics())
        self.assertEqual(len(Catalogue()), 0)
