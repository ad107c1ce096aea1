"""The programs that how-to guides give are run as one copies them from the page."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.test.requesthelper import DummyRequest

from tests.asgi_client import ask
from tests.docs.pages import DOCS


def program(page: str, language: str) -> str:
    """The first block in *language* of the how-to guide *page* that has several lines."""
    text = (DOCS / "howto" / f"{page}.md").read_text("utf-8")
    return next(
        block
        for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
        if block.count("\n") > 3
    )


def names(page: str) -> dict[str, Any]:
    """What the Python program of *page* defines."""
    found: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(program(page, "python"), page, "exec"), found)
    return found


class ApplicationTests(SynchronousTestCase):
    """``application.md``."""

    def test_what_is_shared_and_what_changes_it_is_said_by_headers(self) -> None:
        visitor = names("application")["app"].test_client()
        read = visitor.get("/ranking")
        self.assertEqual((read.json, read.headers["CDN-Cache-Control"]), ({"a": 0}, "max-age=60"))
        bought = visitor.post("/buy/a")
        self.assertEqual(bought.headers["Cache-Group-Invalidation"], read.headers["Cache-Groups"])
        self.assertEqual(visitor.get("/ranking").json, {"a": 1})


class GraphQLTests(SynchronousTestCase):
    """``graphql.md``."""

    def test_a_price_is_shared_until_it_is_set(self) -> None:
        folder = Path(self.mktemp())
        (folder / "queries").mkdir(parents=True)
        text = (DOCS / "howto" / "graphql.md").read_text("utf-8")
        pattern = r"`/srv/shop/((?:queries/)?\w+\.(?:py|graphql))`:\n\n```\w+\n(.*?)^```"
        blocks = re.findall(pattern, text, re.M | re.S)
        for name, block in blocks:
            (folder / name).write_text(block)
        self.assertEqual(
            sorted(name for name, _ in blocks),
            ["queries/Price.graphql", "queries/SetPrice.graphql", "shop.py"],
        )
        found: dict[str, Any] = {"__name__": "shop", "__file__": str(folder / "shop.py")}
        # A module: strawberry looks for names in the one that a class says it is of.
        sys.modules["shop"] = module = ModuleType("shop")
        self.addCleanup(sys.modules.pop, "shop")
        module.__dict__.update(found)
        exec(compile((folder / "shop.py").read_text(), "shop.py", "exec"), module.__dict__)
        graphql = module.app
        got = asyncio.run(ask(graphql, "GET", graphql.address("Price", {"of": "apple"})))
        self.assertEqual((got.body, got.fields["cache-groups"]), (b'{"data":{"price":3}}', '"price:apple"'))
        self.assertIn("max-age", got.fields["cdn-cache-control"])
        headers = {
            "content_type": "application/json",
            "idempotency_key": "8e03978e-40d5-43dd-bc93-6894a57f9324",
        }
        body = b'{"variables":{"of":"apple","to":5}}'
        done = asyncio.run(ask(graphql, "POST", graphql.address("SetPrice"), body, headers))
        self.assertEqual(done.fields["cache-group-invalidation"], got.fields["cache-groups"])
        got = asyncio.run(ask(graphql, "GET", graphql.address("Price", {"of": "apple"})))
        self.assertEqual(got.body, b'{"data":{"price":5}}')


class MountTests(TestCase):
    """``mount.md``."""

    async def ask(self, resource: Any, method: bytes, key: str | None) -> tuple[int | None, bytes]:
        """Status (None: 200) and body of the answer."""
        request: Any = DummyRequest([b""])
        request.method = method
        if key is not None:
            request.requestHeaders.addRawHeader("Idempotency-Key", key)
        finished: Deferred[None] = request.notifyFinish()
        body = resource.render(request)
        if isinstance(body, bytes):
            return request.responseCode, body
        await finished
        return request.responseCode, b"".join(request.written)

    async def test_a_repeated_order_counts_once(self) -> None:
        orders = names("mount")["Orders"](self.mktemp())
        self.assertEqual(await self.ask(orders, b"GET", None), (None, b'{"orders": 0}'))
        for key, count in (("a", 1), ("a", 1), ("b", 2)):
            self.assertEqual(await self.ask(orders, b"POST", key), (None, b'{"orders": %d}' % count))
        self.assertEqual((await self.ask(orders, b"POST", None))[0], 400)
