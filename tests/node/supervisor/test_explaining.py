"""Why an address is answered from the table, or not."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.group_changes import Change
from edge.cache.group_fields import GroupsError
from edge.config.applications import Application
from edge.errors import EdgeError
from edge.node.supervisor.answer_purging import AnswerPurging
from edge.node.supervisor.explaining import Explaining, KnownAnswer

SHOP = Application(
    name="shop", at="/", run="shop:app", share=("/ranking",), ignore_query=("utm_*",),
    vary=(("accept-language", ("de", "fr")),),
)  # fmt: skip
BLOG = Application(name="blog", at="/blog", run="blog:app")


class Answers:
    """What is known of each key."""

    def __init__(self) -> None:
        self.longest: float | None = None
        self.found: dict[bytes, KnownAnswer] = {}

    def known(self, name: bytes) -> KnownAnswer:
        return self.found.get(name, KnownAnswer(False))


class ExplainingTests(SynchronousTestCase):
    """``edgectl app explain URL``."""

    def setUp(self) -> None:
        self.answers, self.sure = Answers(), True

        async def is_published(path: bytes) -> bool:
            return path == b"/logo.png"

        self.explaining = Explaining(lambda: (SHOP, BLOG), self.answers, is_published, lambda: self.sure)

    def explain(self, url: str) -> dict[str, Any]:
        return self.successResultOf(Deferred.fromCoroutine(self.explaining.explain(url)))

    def sentence(self, url: str = "/blog/a") -> str:
        return str(self.explain(url)["keys"][0]["sentence"])

    def test_a_url_is_the_keys_that_it_may_be_stored_under(self) -> None:
        found = self.explain("https://shop.example/ranking?page=2&utm_source=x")
        self.assertEqual(found["application"], "shop")
        self.assertEqual({one["target"] for one in found["keys"]}, {"/ranking?page=2"})
        self.assertEqual(
            [one["fields"] for one in found["keys"]],
            [{"accept-language": ""}, {"accept-language": "de"}, {"accept-language": "fr"}],
        )
        self.assertEqual(self.explain("/blog")["application"], "blog")
        self.assertEqual(self.explain("/blogger")["application"], "shop")

    def test_files_of_the_webroot_win(self) -> None:
        self.assertIn("a file of the webroot", self.explain("/logo.png")["sentence"])

    def test_a_path_is_the_applications_that_is_asked_for_it_in_any_spelling(self) -> None:
        for url in ("/%62log", "/%62log/a", "/blog//a", "/blog/a%2Fb"):
            self.assertEqual(self.explain(url)["application"], "blog", url)
        for url in ("/blog%2Fa", "//blog/a", "/BLOG/a"):
            self.assertEqual(self.explain(url)["application"], "shop", url)

    def test_what_no_application_is_asked_for_is_said(self) -> None:
        for url in ("/blog/../a", "/blog/%2e%2e/a", "/a%00", "/a%5cb", "/./"):
            found = self.explain(url)
            self.assertIsNone(found["application"])
            self.assertIn("it is 404", found["sentence"], url)
        for url in ("/.edge", "/.edge/load", "/%2eedge/load", "//.edge/x"):
            self.assertIn("the node's own", self.explain(url)["sentence"], url)

    def test_each_reason_is_a_sentence(self) -> None:
        for known, words in (
            (
                KnownAnswer(True, 3, 57.4, groups=("ranking",)),
                "57 s; a change of ranking takes it back",
            ),
            (KnownAnswer(True, 3, 57.4), "it is in no cache group"),
            (KnownAnswer(True, 3, 57.4, doubtful=True), "doubtful"),
            (
                KnownAnswer(True, 70, -10, stale_while_revalidate=60),
                "stale while it is asked for anew",
            ),
            (KnownAnswer(True, 70, -10), "10 s over its lifetime"),
            (
                KnownAnswer(False, passed=42.0, why="SET_COOKIE"),
                "whole for another 42 s, since it sets",
            ),
            (KnownAnswer(False, why="NO_LIFETIME"), "it has no explicit lifetime for shared caches"),
            (KnownAnswer(False, failing=True), "has just failed"),
            (KnownAnswer(False, filled=True), "being asked for now"),
            (KnownAnswer(False, shareable=True), "who asks next fills it"),
            (KnownAnswer(False), "the first request passes whole"),
            (KnownAnswer(False, why="<script>"), "the first request passes whole"),
        ):
            self.answers.found[b"/blog/a"] = known
            self.assertIn(words, self.sentence())
        self.assertIn("`share` names it", self.sentence("/ranking"))

    def test_that_traces_keep_the_fast_path_from_relaying_is_said_of_what_is_passed(self) -> None:
        self.explaining = Explaining(
            lambda: (SHOP, BLOG), self.answers, self.explaining._is_published, lambda: True, is_traced=True
        )
        self.answers.found[b"/blog/a"] = KnownAnswer(False, passed=42.0, why="SET_COOKIE")
        self.assertIn("while traces are made Python passes it on", self.sentence())
        self.answers.found[b"/blog/a"] = KnownAnswer(True, 3, 57.4)
        self.assertNotIn("traces", self.sentence())

    def test_what_holds_for_all_answers_is_said_first(self) -> None:
        self.assertEqual(self.explain("/blog/a")["sentence"], "")
        self.answers.longest = 10.0
        self.assertIn("lives 10 s at most", self.explain("/blog/a")["sentence"])
        self.sure = False
        self.assertIn("has lost touch", self.explain("/blog/a")["sentence"])

    def test_what_is_no_address_is_refused_in_a_sentence(self) -> None:
        for url in ("ranking", "ftp://x/", "/ü", "http://[", "//"):
            work = Deferred.fromCoroutine(self.explaining.explain(url))
            if url == "//":
                self.successResultOf(work)
            else:
                self.failureResultOf(work, EdgeError)

    def test_nobody_answers_it(self) -> None:
        self.explaining = Explaining(
            lambda: (BLOG,), self.answers, self.explaining._is_published, lambda: True
        )
        work = Deferred.fromCoroutine(self.explaining.explain("/other"))
        self.assertIn("blog at /blog", str(self.failureResultOf(work, EdgeError).value))


class PurgingTests(SynchronousTestCase):
    """Stored answers, taken away by hand."""

    def setUp(self) -> None:
        self.changes: list[Change] = []
        self.settled: list[Deferred[int]] = []
        self.purging = AnswerPurging(lambda: (SHOP, BLOG), self.changed)

    def changed(self, change: Change) -> Deferred[int]:
        self.changes.append(change)
        self.settled.append(Deferred())
        return self.settled[-1]

    def test_a_group_is_that_of_each_application_unless_one_is_named(self) -> None:
        work = Deferred.fromCoroutine(self.purging.groups(["x", "y"], None))
        self.assertEqual([one.application for one in self.changes], ["shop", "blog"])
        self.assertNoResult(work)
        self.settled[0].callback(0)
        self.settled[1].callback(2)
        self.assertEqual(
            self.successResultOf(work),
            {"groups": ["x", "y"], "applications": ["shop", "blog"], "unsettled": 2},
        )
        Deferred.fromCoroutine(self.purging.groups(["x"], "blog"))
        self.assertEqual(self.changes[2], Change("blog", frozenset({"x"})))

    def test_what_cannot_be_is_refused(self) -> None:
        for groups, application, error in (
            (["x"], "wiki", EdgeError), (["x" * 129], None, GroupsError), (["ü"], None, GroupsError),
            ([f"{n}" for n in range(65)], None, GroupsError),
        ):  # fmt: skip
            work = Deferred.fromCoroutine(self.purging.groups(groups, application))
            self.failureResultOf(work, error)
        self.assertEqual(self.changes, [])

    def test_an_address_in_another_spelling_is_of_the_application_that_is_asked_for_it(self) -> None:
        Deferred.fromCoroutine(self.purging.address("/%62log/a"))
        self.assertEqual(self.changes, [Change("blog", frozenset(), (b"/%62log/a",))])

    def test_an_address_is_purged_in_all_its_variants(self) -> None:
        work = Deferred.fromCoroutine(self.purging.address("/ranking?a=1&utm_x=2"))
        self.assertEqual(self.changes, [Change("shop", frozenset(), (b"/ranking?a=1",))])
        self.settled[0].callback(0)
        self.assertTrue(self.successResultOf(work))
        purging = AnswerPurging(lambda: (BLOG,), self.changed)
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(purging.address("/other"))))
