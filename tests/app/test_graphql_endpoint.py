"""The endpoint over ASGI: what is shared, what is refused, what is done once; in several frameworks."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from graphql import GraphQLError, build_client_schema, build_schema, get_introspection_query
from twisted.trial.unittest import SynchronousTestCase

from edge.app import changed, changes, share, tag
from edge.app.graphql import Context, Documents, GraphQL, Limits, OnceInMemory
from tests.asgi_client import Got, ask

SCHEMA = """
type Query {
  people(first: Int! = 10): [Person!]!
  untagged: String
  shared: String
  broken: String
  away: String
  refused: String
  slow: String
  later(ms: Int!): String
  who: String
  long: String
}
type Person { name: String!, friend: Person }
type Mutation { greet(name: String!): Int!, spoil: Int, wait: Int }
"""
DOCUMENTS = {
    "People": "query People($first: Int! = 10) { people(first: $first) { name } }",
    "Untagged": "query Untagged { untagged }",
    "Shared": "query Shared { shared }",
    "Broken": "query Broken { people { name } broken shared }",
    "Away": "query Away { away }",
    "Refused": "query Refused { people { name } refused shared }",
    "Slow": "query Slow { slow }",
    "Later": "query Later($ms: Int!) { later(ms: $ms) }",
    "Who": "query Who { who }",
    "Long": "query Long { long }",
    "Greet": "mutation Greet($name: String!) { greet(name: $name) }",
    "Spoil": "mutation Spoil { spoil }",
    "Wait": "mutation Wait { wait }",
}


class Gone(Exception):
    """The database is away."""


class Root:
    """Resolvers, as graphql-core finds them by default."""

    def __init__(self) -> None:
        self.greeted: list[str] = []
        self.goes_on = threading.Event()


def schema_of(root: Root) -> Any:
    """A schema of graphql-core whose resolvers block, but one."""
    schema = build_schema(SCHEMA)

    def resolve(kind: str, name: str, function: Any) -> None:
        schema.get_type(kind).fields[name].resolve = function

    def people(_: Any, _info: Any, first: int) -> list[dict[str, str]]:
        tag("people")
        return [{"name": f"{number}"} for number in range(first)]

    def shared(_: Any, _info: Any) -> str:
        tag("mine")
        share(edge=5)
        return "yes"

    def broken(_: Any, _info: Any) -> str:
        raise ZeroDivisionError("secret of the house")

    def away(_: Any, _info: Any) -> str:
        raise Gone("secret of the database")

    def refused(_: Any, _info: Any) -> str:
        raise GraphQLError("not for you")

    def slow(_: Any, _info: Any) -> str:
        root.goes_on.wait(30)
        tag("slow")
        return "at last"

    async def later(_: Any, _info: Any, ms: int) -> str:
        await asyncio.sleep(ms / 1000)
        tag("later")
        return f"{ms}"

    def greet(_: Any, info: Any, name: str) -> int:
        root.greeted.append(name)
        info.context.fields.append((b"set-cookie", b"greeted=1"))
        changed("people")
        if name == "nobody":
            raise GraphQLError("whom?")
        return len(root.greeted)

    def spoil(_: Any, _info: Any) -> int:
        root.greeted.append("spoilt")
        raise ZeroDivisionError

    def wait(_: Any, _info: Any) -> int:
        root.greeted.append("waiting")
        root.goes_on.wait(30)
        return 1

    resolve("Query", "people", people)
    resolve("Query", "untagged", lambda *_: "u")
    resolve("Query", "shared", shared)
    resolve("Query", "broken", broken)
    resolve("Query", "away", away)
    resolve("Query", "refused", refused)
    resolve("Query", "slow", slow)
    resolve("Query", "later", later)
    resolve("Query", "who", lambda _, info: info.context.who)
    resolve("Query", "long", lambda *_: "x" * 2_000_000)
    resolve("Mutation", "greet", greet)
    resolve("Mutation", "spoil", spoil)
    resolve("Mutation", "wait", wait)
    return schema


class EndpointTestCase(SynchronousTestCase):
    """One endpoint, whose resolvers are called in two threads."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        for name, text in DOCUMENTS.items():
            (self.folder / f"{name}.graphql").write_text(text)
        self.root = Root()
        self.schema = schema_of(self.root)
        self.threads = ThreadPoolExecutor(2)
        self.addCleanup(self.threads.shutdown)
        self.addCleanup(self.root.goes_on.set)
        self.make()

    def make(self, **options: Any) -> None:
        documents = Documents.read(self.folder, self.schema)
        options = {"threads": self.threads, "unavailable": (Gone,), **options}
        self.graphql = self.application = GraphQL(self.schema, documents, **options)

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Got:
        self.said = io.StringIO()
        with contextlib.redirect_stderr(self.said):
            return asyncio.run(ask(self.application, method, target, body, headers))

    def get(self, name: str, /, **variables: Any) -> Got:
        return self.ask("GET", self.graphql.address(name, variables))

    def post(self, name: str, key: str = "", variables: Any = None, **headers: str) -> Got:
        headers = {"content_type": "application/json", **headers}
        if key:
            headers["idempotency_key"] = key
        body = json.dumps({"variables": variables or {}}).encode()
        return self.ask("POST", self.graphql.address(name), body, **headers)

    def message(self, got: Got) -> str:
        return json.loads(got.body)["errors"][0]["message"]


class SharingTests(EndpointTestCase):
    """What the edge may keep."""

    def test_an_answer_that_names_its_groups_may_be_shared(self) -> None:
        got = self.get("People", first=2)
        self.assertEqual(json.loads(got.body), {"data": {"people": [{"name": "0"}, {"name": "1"}]}})
        self.assertEqual(got.status, 200)
        self.assertEqual(got.fields["content-type"], "application/graphql-response+json; charset=utf-8")
        self.assertEqual(got.fields["cache-groups"], '"people"')
        self.assertEqual(got.fields["cdn-cache-control"], "max-age=3600, stale-if-error=86400")
        self.assertEqual(got.fields["cache-control"], "no-cache")

    def test_an_answer_without_groups_is_not_shared_since_nobody_could_take_it_back(self) -> None:
        got = self.get("Untagged")
        self.assertEqual(got.status, 200)
        self.assertNotIn("cdn-cache-control", got.fields)

    def test_what_a_resolver_says_of_sharing_goes_first(self) -> None:
        self.assertEqual(self.get("Shared").fields["cdn-cache-control"], "max-age=5")

    def test_a_fault_is_no_success_is_not_shared_and_does_not_tell_what_it_was(self) -> None:
        got = self.get("Broken")
        self.assertEqual(got.status, 500)
        self.assertEqual(list(json.loads(got.body)), ["errors"])
        self.assertNotIn(b"secret", got.body)
        self.assertIn("ZeroDivisionError: secret of the house", self.said.getvalue())
        self.assertIn("the resolver of broken failed", self.said.getvalue())
        self.not_shared(got)

    def test_what_cannot_be_had_now_may_be_tried_again_and_fills_no_log(self) -> None:
        got = self.get("Away")
        self.assertEqual((got.status, got.fields["retry-after"]), (503, "1"))
        self.assertNotIn(b"secret", got.body)
        self.assertEqual(self.said.getvalue(), "")
        self.not_shared(got)

    def test_what_a_resolver_refuses_is_told_with_what_else_was_found_and_not_shared(self) -> None:
        got = self.get("Refused")
        self.assertEqual((got.status, self.message(got)), (294, "not for you"))
        self.assertEqual(json.loads(got.body)["data"]["shared"], "yes")
        self.not_shared(got)

    def not_shared(self, got: Got) -> None:
        self.assertEqual(got.fields["cache-control"], "no-store")
        self.assertNotIn("cdn-cache-control", got.fields)
        self.assertNotIn("cache-groups", got.fields)

    def test_what_is_too_long_is_refused(self) -> None:
        got = self.get("Long")
        self.assertEqual(
            (got.status, self.message(got)), (500, "the answer has more than 1,048,576 bytes: ask for less")
        )
        self.not_shared(got)

    def test_what_takes_too_long_is_given_up(self) -> None:
        self.make(limits=Limits(seconds=0.2))
        for name, variables in (("Slow", {}), ("Later", {"ms": 60_000})):
            got = self.get(name, **variables)
            self.assertEqual((got.status, self.message(got)), (503, "this took longer than 0.2 seconds"))
            self.not_shared(got)

    def test_many_small_steps_that_take_too_long_are_given_up_in_their_thread(self) -> None:
        """Or the thread would be busy with what nobody waits for."""
        self.schema.get_type("Person").fields["name"].resolve = lambda *_: time.sleep(0.01) or "x"
        self.make(limits=Limits(seconds=0.2))
        self.assertEqual(self.get("People", first=1_000_000).status, 503)
        self.threads.shutdown(wait=True)  # would take hours

    def test_resolvers_that_are_coroutines_need_no_threads(self) -> None:
        self.make(threads=None)
        got = self.get("Later", ms=1)
        self.assertEqual(json.loads(got.body), {"data": {"later": "1"}})
        self.assertEqual(got.fields["cache-groups"], '"later"')
        self.assertEqual(self.get("People", first=1).fields["cache-groups"], '"people"')

    def test_head_is_the_answer_without_its_body(self) -> None:
        got = self.ask("HEAD", self.graphql.address("People"))
        self.assertEqual((got.status, got.body), (200, b""))
        self.assertEqual(got.fields["cache-groups"], '"people"')
        self.assertGreater(int(got.fields["content-length"]), 100)


class AddressTests(EndpointTestCase):
    """One meaning, one address."""

    def test_another_spelling_is_sent_to_the_canonical_one(self) -> None:
        canonical = self.graphql.address("People", {"first": 2})
        path = canonical.partition("?")[0]
        identifier, spaced = self.graphql.identifiers["People"], '{ "first": 2 }'
        for target in (
            f"{path}?variables={quote(spaced)}",
            f"{path}?variables=%7b%22first%22:2%7d",
            f"{canonical}&utm_source=x",
            f"{canonical}&extensions=%7B%7D",
            f"{path}/?variables=%7B%22first%22%3A2%7D",
            canonical.replace("/People", ""),
            canonical.replace("sha256:", "sha256%3A"),
            canonical.replace("People", "%50eople"),
            f"/graphql?documentId={identifier}&operationName=People&variables=%7B%22first%22%3A2%7D",
        ):
            got = self.ask("GET", target)
            self.assertEqual((got.status, got.fields.get("location")), (308, canonical), target)
            self.assertEqual(got.fields["cache-control"], "no-store")
        self.assertEqual(self.ask("GET", f"{path}?variables=%7B%7D").fields["location"], path)
        self.assertEqual(self.ask("GET", f"{path}?").status, 200)

    def test_unknown_hashes_and_names_are_not_there(self) -> None:
        path = self.graphql.address("People")
        for target in (
            f"/graphql/sha256:{'0' * 64}/People",
            path.replace("/People", "/Other"),
            path.upper().replace("/GRAPHQL", "/graphql"),
            "/graphql/People",
            f"/graphql/sha256:{'0' * 100_000}",
            "/graphql",
            "/graphql/",
            f"{path}/more",
            "/graphql?query=%7Bwho%7D",
            "/graphqlx",
        ):
            got = self.ask("GET", target)
            self.assertEqual((got.status, got.fields["cache-control"]), (404, "no-store"), target[:60])
            self.assertIn("errors", json.loads(got.body))

    def test_variables_that_are_wrong_are_said(self) -> None:
        path = self.graphql.address("People")
        for query, status, said in (
            ("variables=%7B%22second%22%3A2%7D", 400, "People has no variable $second"),
            ("variables=%7B%22first%22%3A%22x%22%7D", 422, "Int cannot represent non-integer value"),
            ("variables=%7B%22first%22%3Anull%7D", 422, "must not be null"),
            ("variables=x", 400, "no JSON"),
            ("variables=%7B%7D&variables=%7B%7D", 400, "variables stand twice"),
            ("&".join(["a=1"] * 40), 400, "cannot be read"),
        ):
            got = self.ask("GET", f"{path}?{query}")
            self.assertEqual((got.status, got.fields["cache-control"]), (status, "no-store"), query)
            self.assertIn(said, self.message(got))
            self.assertNotIn("data", json.loads(got.body))

    def test_other_methods_are_refused(self) -> None:
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "QUERY"):
            got = self.ask(method, self.graphql.address("People"))
            self.assertEqual((got.status, got.fields["allow"]), (405, "GET, HEAD, POST"))

    def test_the_list_of_documents_is_shared_for_a_minute(self) -> None:
        got = self.ask("GET", "/graphql/documents.json")
        self.assertEqual(got.fields["cdn-cache-control"], "max-age=60")
        self.assertEqual(json.loads(got.body), self.graphql.addresses)


class MutationTests(EndpointTestCase):
    """By POST alone, from here alone, once."""

    def greet(self, key: str = "k", name: str = "Ann", **headers: str) -> Got:
        return self.post("Greet", key, {"name": name}, **headers)

    def test_a_get_changes_nothing(self) -> None:
        got = self.get("Greet", name="Ann")
        self.assertEqual((got.status, got.fields["allow"]), (405, "POST"))
        self.assertEqual(self.root.greeted, [])

    def test_a_mutation_says_what_it_changed_and_is_kept_by_nobody(self) -> None:
        got = self.greet()
        self.assertEqual(json.loads(got.body), {"data": {"greet": 1}})
        self.assertEqual(got.fields["cache-group-invalidation"], '"people"')
        self.assertEqual(got.fields["cache-control"], "no-store")
        self.assertEqual(got.fields["set-cookie"], "greeted=1")
        self.assertNotIn("cdn-cache-control", got.fields)

    def test_the_same_again_gives_the_first_answer(self) -> None:
        first, again = self.greet(), self.greet()
        self.assertEqual((again.status, again.body), (first.status, first.body))
        self.assertEqual(again.fields["idempotent-replayed"], "true")
        self.assertEqual(self.root.greeted, ["Ann"])
        self.assertEqual(self.greet('"k"').body, first.body)  # a string of RFC 9651

    def test_what_was_refused_is_refused_again_without_being_done(self) -> None:
        self.assertEqual(self.greet("k", "nobody").status, 294)
        self.assertEqual(self.message(self.greet("k", "nobody")), "whom?")
        self.assertEqual(self.root.greeted, ["nobody"])

    def test_another_request_with_the_same_key_is_refused(self) -> None:
        self.greet()
        self.assertEqual(self.greet(name="Bob").status, 422)
        self.assertEqual(self.post("Spoil", "k").status, 422)
        self.assertEqual(self.root.greeted, ["Ann"])

    def test_a_key_is_one_visitors(self) -> None:
        visitors = iter(["ann", "bob"])
        self.make(context=lambda scope: Context(scope, next(visitors)))
        self.greet()
        self.greet()
        self.assertEqual(self.root.greeted, ["Ann", "Ann"])

    def test_a_mutation_without_a_key_or_with_one_that_is_none_is_refused(self) -> None:
        for key in ("", "k" * 201, "\x07"):
            self.assertEqual(self.greet(key).status, 400)
        self.assertEqual(self.root.greeted, [])

    def test_what_failed_may_be_tried_again(self) -> None:
        self.assertEqual([self.post("Spoil", "k").status for _ in range(2)], [500, 500])
        self.assertEqual(self.root.greeted, ["spoilt", "spoilt"])

    def test_what_took_too_long_is_not_begun_beside_itself(self) -> None:
        self.make(limits=Limits(seconds=0.2))
        self.assertEqual([self.post("Wait", "k").status for _ in range(2)], [503, 409])
        self.assertEqual(self.root.greeted, ["waiting"])

    def test_the_same_at_the_same_time_is_done_once(self) -> None:
        async def both() -> list[int]:
            address = self.graphql.address("Wait")
            headers = {"content_type": "application/json", "idempotency_key": "k"}
            asked = [
                asyncio.ensure_future(ask(self.graphql, "POST", address, b'{"variables":{}}', headers))
                for _ in range(5)
            ]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            self.root.goes_on.set()
            return sorted(got.status for got in await asyncio.gather(*asked))

        self.assertEqual(asyncio.run(both()), [200, 409, 409, 409, 409])
        self.assertEqual(self.root.greeted, ["waiting"])

    def test_pages_of_other_sites_change_nothing(self) -> None:
        for headers in (
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "https://localhost"},
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
            {"sec_fetch_site": "cross-site", "origin": "https://evil.example"},
        ):
            self.assertEqual(self.greet("k", **headers).status, 403, headers)
        self.assertEqual(self.root.greeted, [])
        self.assertEqual(self.greet("a", origin="http://localhost", sec_fetch_site="same-origin").status, 200)
        self.assertEqual(self.greet("b", sec_fetch_site="none").status, 200)

    def test_origins_that_may_are_configured(self) -> None:
        self.make(origins=["https://shop.example"])
        self.assertEqual(
            self.greet("k", origin="https://shop.example", sec_fetch_site="cross-site").status, 200
        )

    def test_in_a_node_the_node_has_decided_that(self) -> None:
        """It knows the origins of the cluster: a page of n1 may ask n2."""

        class Node:
            def changed(self, groups: Any, settled: Any) -> None:
                settled(0)

        self.patch(changes, "node", Node())
        self.assertEqual(self.greet("k", origin="http://localhost:8001").status, 200)

    def test_bodies_that_are_none_are_refused(self) -> None:
        address = self.graphql.address("Greet")
        for body, kind, status in (
            (b"variables=1", "application/x-www-form-urlencoded", 415),
            (b"{}", "text/plain", 415),
            (b"", "application/json", 400),
            (b"[]", "application/json", 400),
            (b"\xff", "application/json", 400),
            (b"[" * 60_000, "application/json", 400),
            (b'{"variables":[]}', "application/json", 400),
            (b'{"variables":{"name":"a","name":"b"}}', "application/json", 400),
            (b'{"variables":{"name":"a","other":"b"}}', "application/json", 400),
            (b" " * 70_000, "application/json", 413),
            (b'{"variables":{}}', "application/json", 422),
        ):
            got = self.ask("POST", address, body, content_type=kind, idempotency_key=f"k{len(body)}")
            self.assertEqual(got.status, status, body[:50])
            self.assertIn("errors", json.loads(got.body))
        self.assertEqual(self.root.greeted, [])

    def test_a_document_may_be_named_in_the_body(self) -> None:
        said = {"documentId": self.graphql.identifiers["Greet"], "variables": {"name": "Ann"}}
        headers = {"content_type": "application/json; charset=utf-8", "idempotency_key": "k"}
        got = self.ask("POST", "/graphql", json.dumps(said).encode(), **headers)
        self.assertEqual(json.loads(got.body), {"data": {"greet": 1}})
        for wrong in ({"documentId": "sha256:0"}, {"documentId": 1}, {}, {"query": "{ who }"}):
            self.assertIn(
                self.ask("POST", "/graphql", json.dumps(wrong).encode(), **headers).status, (400, 404)
            )

    def test_a_query_by_post_is_answered_and_shared_by_nobody(self) -> None:
        got = self.post("Shared")
        self.assertEqual((got.status, got.fields["cache-control"]), (200, "no-store"))
        self.assertNotIn("cdn-cache-control", got.fields)

    def test_keys_that_cannot_be_looked_up_now_change_nothing(self) -> None:
        class Away(OnceInMemory):
            def begin(self, who: str, key: str, fingerprint: str) -> None:
                raise Gone

        self.make(once=Away())
        got = self.greet()
        self.assertEqual((got.status, got.fields["retry-after"]), (503, "1"))
        self.assertEqual(self.root.greeted, [])


class DevelopmentTests(EndpointTestCase):
    """Free-form documents."""

    def free(self, text: str, **said: Any) -> Got:
        body = json.dumps({"query": text, **said}).encode()
        return self.ask("POST", "/graphql", body, content_type="application/json")

    def test_without_the_switch_they_are_not_there(self) -> None:
        self.assertEqual(self.free("{ who }").status, 404)
        self.assertEqual(self.ask("GET", "/graphql").status, 404)

    def test_with_the_switch_they_are_answered_within_limits(self) -> None:
        self.make(development=True, limits=Limits(depth=3, aliases=2, fields=6))
        got = self.free("query ($n: Int!) { people(first: $n) { name } }", variables={"n": 1})
        self.assertEqual(json.loads(got.body), {"data": {"people": [{"name": "0"}]}})
        self.assertEqual(got.fields["cache-control"], "no-store")
        for text, said in (
            ("{ whom }", "document:1:3: Cannot query field 'whom'"),
            ("{", "Syntax Error"),
            ("{ a: who b: who c: who }", "3 aliases, and may have 2"),
            ("{ people { friend { friend { name } } } }", "4 levels, and may have 3"),
            ("{ who shared broken away refused slow long }", "7 fields, and may have 6"),
            ("{" * 30_000, "document"),
            ("{ who } #" + "x" * 40_000, "32,768 bytes at most"),
        ):
            got = self.free(text)
            self.assertEqual(got.status, 422, text[:40])
            self.assertIn(said, self.message(got))

    def test_graphiql_is_shown_to_developers(self) -> None:
        self.make(development=True)
        got = self.ask("GET", "/graphql")
        self.assertEqual(got.fields["content-type"], "text/html; charset=utf-8")
        self.assertIn(b"GraphiQL.createFetcher", got.body)
        loaded = re.findall(
            rb'(?:src|href)="https://[^"]+@[0-9.]+/[^"]+" (integrity="sha384-[^"]{64}")', got.body
        )
        self.assertEqual((len(loaded), got.body.count(b"https://unpkg.com/")), (4, 5))

    def test_tools_may_ask_for_the_schema(self) -> None:
        self.make(development=True)
        got = self.free(get_introspection_query())
        self.assertEqual(build_client_schema(json.loads(got.body)["data"]).query_type.name, "Query")
        self.assertEqual(
            self.free("{ __schema " + "{ types { fields { type " * 7 + "{ name" + "}" * 23).status, 422
        )


class FrameworkTests(EndpointTestCase):
    """Mounted in what a site is made with; the answers are the same."""

    def check(self, application: Any) -> None:
        self.application = application
        address = self.graphql.address("People", {"first": 2})
        got = self.ask("GET", address)
        self.assertEqual((got.status, got.fields["cache-groups"]), (200, '"people"'))
        self.assertEqual(self.ask("GET", f"{address}&x=1").fields["location"], address)
        self.assertEqual(self.post("Greet", "k", {"name": "Ann"}).status, 200)
        self.assertEqual(self.ask("GET", f"{self.graphql.addresses['People']}x").status, 404)

    def test_starlette(self) -> None:
        from starlette.applications import Starlette
        from starlette.routing import Mount

        self.check(Starlette(routes=[Mount("/graphql", self.graphql)]))

    def test_fastapi(self) -> None:
        from fastapi import FastAPI

        application = FastAPI()
        application.mount("/graphql", self.graphql)
        self.check(application)

    def test_below_two_mounts(self) -> None:
        from starlette.applications import Starlette
        from starlette.routing import Mount

        self.make(at="/shop/api/")
        self.check(Starlette(routes=[Mount("/shop", Starlette(routes=[Mount("/api", self.graphql)]))]))

    def test_a_framework_that_takes_off_the_path_before_it(self) -> None:
        async def mounted(scope: Any, receive: Any, send: Any) -> None:
            taken = {**scope, "root_path": "/graphql", "path": scope["path"].removeprefix("/graphql")}
            del taken["raw_path"]
            await self.graphql(taken, receive, send)

        self.check(mounted)

    def test_one_that_is_mounted_elsewhere_than_it_was_told_says_so(self) -> None:
        got = self.ask("GET", "/elsewhere/sha256:0")
        self.assertIn("was told that it is at /graphql, and is asked at /elsewhere", self.message(got))

    def test_alone_with_websockets_refused(self) -> None:
        self.check(self.graphql)
        error = self.assertRaises(RuntimeError, asyncio.run, self.graphql({"type": "websocket"}, None, None))
        self.assertIn("HTTP only", str(error))


class StrawberryTests(SynchronousTestCase):
    """A schema that strawberry has made, with blocking resolvers and with coroutines."""

    def test_its_resolvers_find_context_and_name_groups(self) -> None:
        import strawberry

        @strawberry.type
        class Query:
            @strawberry.field
            def me(self, info: strawberry.Info) -> str:
                tag("me")
                return info.context.who

            @strawberry.field
            async def you(self) -> str:
                tag("you")
                return "you"

        schema = strawberry.Schema(Query)._schema
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "Both.graphql").write_text("query Both { me you }")
        documents = Documents.read(folder, schema)
        with ThreadPoolExecutor(1) as threads:
            for used in (None, threads):
                graphql = GraphQL(schema, documents, threads=used, context=lambda scope: Context(scope, "I"))
                got = asyncio.run(ask(graphql, "GET", graphql.address("Both")))
                self.assertEqual(json.loads(got.body), {"data": {"me": "I", "you": "you"}})
                self.assertEqual(got.fields["cache-groups"], '"me", "you"')


class OnceTests(SynchronousTestCase):
    """Keys of one process."""

    def test_keys_are_bounded_in_number_and_age(self) -> None:
        now = [0.0]
        once = OnceInMemory(3, lambda: now[0])
        for number in range(5):
            self.assertIsNone(once.begin("v", f"k{number}", "p"))
            once.finish("v", f"k{number}", 200, b"a")
        self.assertIsNone(once.begin("v", "k0", "p"))
        self.assertEqual(once.begin("v", "k4", "p"), ("p", 200, b"a"))
        now[0] = 61.0
        self.assertIsNone(once.begin("v", "k0", "p"))  # begun a minute ago, and never ended
        self.assertEqual(once.begin("v", "k4", "p"), ("p", 200, b"a"))
        now[0] = 8 * 86_400.0
        self.assertIsNone(once.begin("v", "k4", "p"))
