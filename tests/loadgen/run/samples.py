"""What the tests of a run are about: four nodes, what they say of their load, and a small site."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from edge.load.document import LoadDocument, NodeLoad
from edge.resource import etag_of
from loadgen.run.messages.job import NodeAddress
from loadgen.run.messages.sitemap import CrawledResource, SiteMap

URLS = [f"http://localhost:800{number}" for number in (1, 2, 3, 4)]
NODES = [NodeAddress(f"n{number}", url, "127.0.0.1", 8000 + number) for number, url in enumerate(URLS, 1)]


def load(
    weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
    utilizations: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
    ttl_ms: int = 5000,
) -> LoadDocument:
    """A load document about the nodes."""
    nodes = (
        NodeLoad(f"n{number}", url, "alive", weight, utilization, 0.0, 0.0, 0, 0, 0.0)
        for number, (url, weight, utilization) in enumerate(zip(URLS, weights, utilizations, strict=True), 1)
    )
    return LoadDocument("edge", 1, 0, tuple(nodes), ttl_ms)


def etag(body: bytes) -> str:
    """As nodes make it."""
    return etag_of(sha256(body).digest()).decode("ascii")


class Published:
    """Bodies by path, as a cluster serves them."""

    def __init__(self) -> None:
        self.bodies = {
            "/": b"<h1>home</h1>",
            "/about": b"<h1>about</h1>",
            "/style.css": b"h1 { color: red }",
            "/app.js": b"'app'",
            "/font.woff2": b"glyphs",
            "/news.png": b"picture",
            "/sw.js": b"'worker'",
            "/module.js": b"'module'",
        }

    def etag(self, path: str) -> str:
        """Of the present body."""
        return etag(self.bodies[path])

    def site(self) -> SiteMap:
        """Two pages that share a style; a font for good, a picture for a minute, the rest confirmed."""
        kinds = {"/style.css": "style", "/app.js": "script", "/sw.js": "script", "/module.js": "script"}
        kinds |= {"/": "document", "/about": "document", "/news.png": "image", "/font.woff2": "fetch"}
        ages = {"/font.woff2": 31_536_000, "/news.png": 60}
        found = [
            CrawledResource(path, kinds[path], self.etag(path), len(body), ages.get(path, -1))
            for path, body in self.bodies.items()
        ]
        number = {one.path: place for place, one in enumerate(found)}
        pages = [
            [number[path] for path in ("/", "/style.css", "/app.js", "/font.woff2")],
            [number[path] for path in ("/about", "/style.css", "/news.png")],
        ]
        return SiteMap(
            found, pages, worker=[number["/sw.js"], number["/module.js"]], beside=[number["/sw.js"]]
        )
