"""What scripts of pages ask for: addresses with query strings, and trusted documents with variables."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import LoadgenError, UsageError
from loadgen.run.coordinator.queries import addresses
from loadgen.run.messages.scenario import Query
from tests.loadgen.run.coordinator.serving import Case

DOCUMENTS = {"Ranking": "/graphql/sha256:ab/Ranking", "Character": "/graphql/sha256:cd/Character"}


class AddressTests(SynchronousTestCase):
    """Of the pages that a glob names."""

    def test_a_path_is_filled_in_by_what_its_pages_have_in_place_of_the_star(self) -> None:
        query = Query(pages="/block/*/page/*", path="/api/{1}?page={2}")
        self.assertEqual(list(addresses([query], {}, "/block/arrows/page/2?x")), ["/api/arrows?page=2"])
        self.assertEqual(list(addresses([query], {}, "/block/arrows")), [])
        self.assertEqual(list(addresses([query], {}, "/block/a/b/page/2")), [])

    def test_variables_of_a_document_are_written_as_applications_expect_them(self) -> None:
        query = Query(
            pages="/character/*", document="Character", variables={"first": 5, "code": "{1}", "all": False}
        )
        [address] = addresses([query], DOCUMENTS, "/character/3A9")
        path = "/graphql/sha256:cd/Character?variables="
        self.assertEqual(address, path + "%7B%22all%22%3Afalse%2C%22code%22%3A%223A9%22%2C%22first%22%3A5%7D")
        asked = json.loads(parse_qs(urlsplit(address).query)["variables"][0])
        self.assertEqual(asked, {"all": False, "code": "3A9", "first": 5})
        self.assertEqual(
            list(addresses([Query(pages="/", document="Ranking")], DOCUMENTS, "/")), [DOCUMENTS["Ranking"]]
        )

    def test_what_is_not_there_is_named(self) -> None:
        for query, what in (
            (Query(pages="/", document="Rankings"), "no document Rankings; there are Character, Ranking"),
            (Query(pages="/*", path="/{2}"), r"\{2\}, but the pages /\* have 1"),
            (Query(pages="/*", path="/{0}"), r"\{0\}, but"),
        ):
            with self.assertRaisesRegex(UsageError, what):
                list(addresses([query], DOCUMENTS, "/"))


class CrawlTests(Case):
    """A site whose application answers queries."""

    def test_queries_are_parts_of_their_pages(self) -> None:
        self.home(b"<!doctype html><title>x</title>")
        self.server.bodies["/documents.json"] = b'{"Ranking": "/graphql/sha256:ab/Ranking"}'
        self.server.bodies["/graphql/sha256:ab/Ranking?variables=%7B%22first%22%3A8%7D"] = b"{}"
        self.server.bodies["/api/x?a=1"] = b"1"
        self.crawler.ask_for(
            [
                Query(pages="/", document="Ranking", variables={"first": 8}),
                Query(pages="/", path="/api/x?a=1"),
            ],
            "/documents.json",
        )
        found = self.crawler.site("/", 10)
        self.assertEqual(
            self.pages(found),
            [["/", "/graphql/sha256:ab/Ranking?variables=%7B%22first%22%3A8%7D", "/api/x?a=1"]],
        )

    def test_a_query_without_a_shared_answer_and_documents_that_are_none_are_named(self) -> None:
        self.home(b"home")
        self.server.bodies["/documents.json"] = b"[1]"
        with self.assertRaisesRegex(LoadgenError, r"/documents\.json: no addresses of documents"):
            self.crawler.ask_for([], "/documents.json")
        self.crawler.ask_for([Query(pages="/", path="/gone")], "")
        with self.assertRaisesRegex(LoadgenError, "/gone: the query has no answer that is shared"):
            self.crawler.site("/", 10)

    def test_the_first_answer_of_an_application_passes_without_an_etag_and_is_asked_for_again(self) -> None:
        self.home(b"home")
        self.server.bodies["/"] = b"home"
        self.server.fields["/"] = {"Cache-Status": "edge; hit"}
        found = self.crawler.site("/", 10)
        self.assertTrue(found.resources[0].is_shared)
