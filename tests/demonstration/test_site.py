"""The demonstration's application over ASGI: pages, queries, mutations, forms."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import demonstration
from demonstration.app import Site
from demonstration.settings import Settings
from tests.asgi_client import Client, Got

HERE = {"sec_fetch_site": "same-origin"}


class SiteTestCase(SynchronousTestCase):
    """One process of it, with a database of its own."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.site = Site(Settings(f"sqlite:{folder / 'd.sqlite'}", key=folder / "session.key"))
        self.client = Client(self.site.asgi())
        self.client.__enter__()
        self.addCleanup(self.client.__exit__)

    def query(self, name: str, **variables: object) -> Got:
        return self.client.get(self.site.graphql.address(name, variables))

    def mutate(self, name: str, key: str, **variables: object) -> Got:
        body = json.dumps({"variables": variables}).encode()
        address = self.site.graphql.address(name)
        return self.client.post(address, body, content_type="application/json", idempotency_key=key)

    def data(self, got: Got) -> dict:
        self.assertEqual(got.status, 200, got)
        answer = json.loads(got.body)
        self.assertNotIn("errors", answer)
        return answer["data"]


class ReadingTests(SiteTestCase):
    """What is the same for everybody."""

    def test_every_page_may_be_shared_and_names_its_groups(self) -> None:
        for path, group in (
            ("/", '"ranking", "recent"'),
            ("/ranking", '"ranking"'),
            ("/block/basic-latin", '"block:basic-latin"'),
            ("/block/cjk-unified-ideographs?page=3", '"block:cjk-unified-ideographs"'),
            ("/character/41", '"character:41"'),
            ("/search?q=greek+omega", '"character:3a9"'),
        ):
            got = self.client.get(path)
            self.assertEqual(got.status, 200, path)
            self.assertIn("max-age=3600", got.fields["cdn-cache-control"], path)
            self.assertIn(group, got.fields["cache-groups"], path)
            self.assertNotIn("set-cookie", got.fields, path)

    def test_an_answer_has_no_more_groups_than_the_edge_takes(self) -> None:
        for text in ("letter", "arrow", "sign", "a"):
            got = self.client.get(f"/search?q={text}")
            self.assertLessEqual(got.fields["cache-groups"].count('"') // 2, 64, text)
            got = self.query("Search", text=text)
            self.assertLessEqual(got.fields["cache-groups"].count('"') // 2, 64, text)

    def test_what_is_not_there_is_said_and_not_shared(self) -> None:
        paths = ("/nothing", "/character/zz", "/character/110000", "/block/none", "/block/basic-latin?page=2")
        for path in paths:
            got = self.client.get(path)
            self.assertEqual((got.status, got.fields["cache-control"]), (404, "no-store"), path)
            self.assertNotIn("cdn-cache-control", got.fields, path)

    def test_a_page_embeds_the_documents_that_its_components_name_and_no_others(self) -> None:
        folder = Path(demonstration.__file__).with_name("webroot") / "components"

        def named(component: str) -> set[str]:
            text = (folder / f"{component}.js").read_text()
            imported = re.findall(r'^import .* from "\./(\w+)\.js"', text, re.M)
            found = {name for name in self.site.graphql.identifiers if f'["{name}"' in text}
            found |= {name for name in self.site.graphql.identifiers if f'mutate("{name}"' in text}
            return found.union(*map(named, imported))

        for path in ("/", "/ranking", "/blocks", "/block/arrows", "/character/41", "/search?q=omega"):
            body = self.client.get(path).body.decode()
            state = json.loads(body.partition(' id="edge-state">')[2].partition("</script>")[0])
            wanted = set().union(*(named(component) for _, component, _ in state["parts"]))
            self.assertEqual(set(state["documents"]), wanted, path)

    def test_the_list_of_documents_says_where_each_is_asked(self) -> None:
        addresses = json.loads(self.client.get("/graphql/documents.json").body)
        self.assertEqual(
            sorted(addresses),
            [
                "Block",
                "Blocks",
                "Character",
                "Comment",
                "Comments",
                "Ranking",
                "Recent",
                "Search",
                "Vote",
            ],
        )
        self.assertEqual(self.client.get(addresses["Ranking"]).status, 200)


class WritingTests(SiteTestCase):
    """Votes and comments, by mutations and by forms."""

    def test_a_vote_counts_once_and_names_what_it_changed(self) -> None:
        got = self.mutate("Vote", "k1", code="41")
        self.assertEqual(self.data(got)["vote"], {"code": "41", "votes": 1})
        changed = got.fields["cache-group-invalidation"]
        self.assertEqual(changed, '"ranking", "character:41", "block:basic-latin"')
        self.assertEqual(self.data(self.mutate("Vote", "k2", code="41"))["vote"]["votes"], 1)
        self.assertEqual(self.data(self.query("Ranking"))["ranking"][0]["votes"], 1)
        self.assertEqual(self.data(self.mutate("Vote", "k3", code="41", wanted=False))["vote"]["votes"], 0)
        self.assertEqual(self.data(self.query("Ranking"))["ranking"], [])

    def test_a_comment_that_is_sent_twice_is_one(self) -> None:
        first = self.mutate("Comment", "k1", code="41", text="An A.\x00")
        again = self.mutate("Comment", "k1", code="41", text="An A.\x00")
        self.assertEqual(first.body, again.body)
        said = self.data(self.query("Comments", code="41"))["comments"]
        self.assertEqual([one["text"] for one in said], ["An A."])

    def test_a_form_sends_its_visitor_back_and_tells_the_nodes(self) -> None:
        got = self.client.post("/vote", b"code=41&back=/character/41", **HERE)
        self.assertEqual((got.status, got.fields["location"]), (303, "/character/41"))
        self.assertEqual(got.fields["cache-control"], "no-store")
        self.assertIn('"character:41"', got.fields["cache-group-invalidation"])
        self.assertIn("HttpOnly; SameSite=Lax", got.fields["set-cookie"])
        self.assertIn(b'<data value="1">1</data> vote ', self.client.get("/character/41").body)

    def test_a_form_of_another_site_is_refused(self) -> None:
        for headers in (
            {"sec_fetch_site": "cross-site"},
            {"origin": "https://evil.example"},
            {"origin": "null"},
        ):
            self.assertEqual(self.client.post("/vote", b"code=41", **headers).status, 403)
        self.assertEqual(self.data(self.query("Ranking"))["ranking"], [])

    def test_who_gets_no_answer_and_sends_the_same_again_is_the_same_visitor(self) -> None:
        """Else he would have two votes: the cookie was lost with the answer."""
        key = "8e03978e-40d5-43dd-bc93-6894a57f9324"
        first = self.mutate("Vote", key, code="41")
        self.client.cookies.clear()
        again = self.mutate("Vote", key, code="41")
        self.assertEqual(again.fields["idempotent-replayed"], "true")
        who = [got.fields["set-cookie"].partition(".")[0] for got in (first, again)]
        self.assertEqual(who[0], who[1])
        self.client.cookies.clear()
        for _ in range(2):
            form = {**HERE, "idempotency_key": key.replace("8", "9")}
            self.client.post("/comment", b"code=41&text=hi", **form)
            self.client.cookies.clear()
        self.assertEqual(len(self.data(self.query("Comments", code="41"))["comments"]), 1)

    def test_keys_that_can_be_guessed_are_told_apart_by_address(self) -> None:
        self.mutate("Vote", "1", code="41")
        self.client.cookies.clear()
        self.client.peer = "192.0.2.2"
        self.mutate("Vote", "1", code="41")
        self.assertEqual(self.data(self.query("Ranking"))["ranking"][0]["votes"], 2)


class StartTests(SynchronousTestCase):
    """What stands in the way is a sentence, without a traceback."""

    def start(self, data: str, key: str = "session.key") -> str:
        folder = Path(self.mktemp())
        folder.mkdir()
        said: list[dict] = []

        async def receive() -> dict:
            return {"type": "lifespan.startup"}

        async def send(event: dict) -> None:
            said.append(event)

        application = Site(Settings(data.replace("HERE", str(folder)), key=folder / key)).asgi()
        asyncio.run(application({"type": "lifespan"}, receive, send))
        self.assertEqual([one["type"] for one in said], ["lifespan.startup.failed"])
        return said[0]["message"]

    def test_data_that_cannot_be_had(self) -> None:
        self.assertIn("cannot be opened for writing", self.start("sqlite:HERE/none/d.sqlite"))
        self.assertIn("mysql: data are at sqlite:FILE", self.start("mysql://x"))
        self.assertIn("the database cannot be asked", self.start("postgresql://127.0.0.1:1/none"))

    def test_a_key_that_cannot_be_had(self) -> None:
        self.assertIn("its folder has to be writable", self.start("sqlite:HERE/d.sqlite", "none/session.key"))
