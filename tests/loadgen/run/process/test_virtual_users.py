"""What users ask for when they look at a page, on a wire in memory, and what is made of the answers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.calendar import TICKS
from loadgen.models.users import BEGIN
from loadgen.run.process.virtual_users import READING_NS
from loadgen.wire.interface import CLOSED, OK, TIMEOUT
from tests.loadgen.run.process.visit import ABOUT, HOME, Visit
from tests.loadgen.run.samples import Published, etag

PATHS = st.sampled_from(["/", "/style.css", "/news.png", "/sw.js"])


class ColdTests(SynchronousTestCase):
    """Nothing is kept yet."""

    def test_the_page_comes_first_then_what_belongs_to_it_and_the_smart_client(self) -> None:
        visit = Visit()
        self.assertEqual(visit.view(), ["GET /"])
        self.assertEqual(
            visit.respond_to_all(),
            ["GET /style.css", "GET /app.js", "GET /font.woff2", "GET /sw.js", "GET /module.js"],
        )
        self.assertEqual((visit.counts["bodies"], visit.counts["requests"]), (6, 6))
        self.assertNotIn("wrong_answers", visit.counts)

    def test_what_follows_is_due_when_a_browser_has_read_the_page(self) -> None:
        visit = Visit()
        visit.view()
        visit.pass_time(0.05)
        visit.respond(visit.wire.sent[0])
        self.assertEqual({sent.due for sent in visit.wire.sent[1:]}, {visit.clock.now + READING_NS})
        read = visit.clock.now + READING_NS
        visit.respond_to_all()
        self.assertEqual({request.planned for request, *_ in visit.recorded[1:]}, {read})

    def test_another_page_needs_only_what_no_page_before_had(self) -> None:
        """The rest of it is confirmed."""
        visit = Visit(pages=[HOME, ABOUT])
        visit.load_page()
        self.assertEqual(visit.view(), ["GET /about"])
        self.assertEqual(visit.respond_to_all(), ["GET /news.png", "POST /.edge/revalidate"])
        paths = [line.split()[1] for line in visit.wire.sent[-1].body.decode().splitlines()]
        self.assertEqual(paths, ["/style.css", "/sw.js"])
        self.assertEqual((visit.counts["validators"], visit.counts["not_modified"]), (2, 2))

    def test_what_is_kept_of_another_page_is_as_old_as_the_newest_that_has_it(self) -> None:
        """So a version that only that one has seen is what is asked about."""
        visit = Visit(pages=[HOME, HOME, ABOUT])
        visit.load_page()
        visit.publish("/style.css", b"h1 { color: green }")
        visit.pass_time(1)
        visit.load_page()
        visit.pass_time(1)
        visit.load_page()
        self.assertIn(visit.published.etag("/style.css").encode(), visit.wire.sent[-1].body)
        self.assertEqual(visit.counts["wrong_answers"], 0)

    def test_nothing_is_conditional(self) -> None:
        visit = Visit()
        visit.load_page()
        for sent in visit.wire.sent:
            self.assertNotIn(b"If-None-Match", sent.request)
            self.assertNotIn("~etag", sent.line)

    def test_a_page_that_failed_has_no_assets_and_is_not_kept(self) -> None:
        visit = Visit()
        visit.view()
        visit.answer(visit.wire.sent[0], 404)
        self.assertEqual(visit.wire.waiting(), [])
        self.assertEqual(visit.recorded[0][2], "status 404")
        self.assertEqual(visit.view(), ["GET /"])


class WarmTests(SynchronousTestCase):
    """Pages that are kept."""

    def test_one_batch_confirms_a_whole_page(self) -> None:
        visit = Visit()
        visit.load_page()
        self.assertEqual(visit.view(), ["POST /.edge/revalidate"])
        paths = [line.split()[1] for line in visit.wire.sent[-1].body.decode().splitlines()]
        self.assertEqual(paths, ["/", "/style.css", "/app.js", "/sw.js"])
        self.assertEqual(visit.respond_to_all(), [])
        counts = visit.counts
        self.assertEqual((counts["batches"], counts["validators"], counts["not_modified"]), (1, 4, 4))
        self.assertEqual(counts["fresh_hits"], 1)

    def test_every_further_one_is_the_same_batch(self) -> None:
        visit = Visit()
        visit.load_page(0)
        visit.load_page(1)
        visit.view(0)
        visit.view(1)
        one, other = visit.wire.waiting()
        self.assertEqual(one.body, other.body)

    def test_a_picture_is_fresh_for_its_minute(self) -> None:
        visit = Visit(pages=[ABOUT] * 3)
        visit.load_page()
        visit.pass_time(59)
        visit.view()
        self.assertNotIn(b"/news.png", visit.wire.sent[-1].body)
        self.assertEqual(visit.counts["fresh_hits"], 1)
        visit.pass_time(1)
        visit.view()
        self.assertIn(b"/news.png", visit.wire.sent[-1].body)

    def test_a_page_of_which_all_is_fresh_asks_nothing(self) -> None:
        found = Published().site()
        for one in found.resources:
            one.max_age = 86_400 * 365
        visit = Visit(site=found)
        visit.load_page()
        self.assertEqual(visit.view(), [])
        self.assertEqual(visit.counts["fresh_hits"], 5)

    def test_a_page_of_one_thing_is_a_conditional_get(self) -> None:
        found = Published().site()
        found.pages, found.beside, found.worker = [[0]], [], []
        visit = Visit(site=found)
        visit.load_page()
        self.assertEqual(visit.view(), ["GET /"])
        self.assertIn(b"If-None-Match: ", visit.wire.sent[-1].request)
        visit.respond_to_all()
        self.assertEqual((visit.counts["not_modified"], visit.counts["batches"]), (1, 0))

    def test_who_came_back_after_an_hour_has_what_was_current_then(self) -> None:
        visit = Visit()
        visit.users.keep(0, HOME, BEGIN - 3600 * TICKS)
        self.assertEqual(visit.view(), ["POST /.edge/revalidate"])
        self.assertEqual(visit.respond_to_all(), [])


class ChangedTests(SynchronousTestCase):
    """Something is published meanwhile."""

    def test_a_stale_line_leads_to_a_conditional_get(self) -> None:
        visit = Visit()
        visit.load_page()
        visit.publish("/style.css", b"h1 { color: green }")
        visit.view()
        self.assertEqual(visit.respond_to_all(), ["GET /style.css"])
        self.assertIn(b"If-None-Match: ", visit.wire.sent[-1].request)
        self.assertEqual((visit.counts["not_modified"], visit.counts["bodies"]), (3, 7))
        self.assertEqual(visit.site.resources[2].current.decode(), visit.published.etag("/style.css"))
        self.assertNotIn("wrong_answers", visit.counts)

    def test_a_page_that_is_gone_is_forgotten(self) -> None:
        """The next view asks for it as for one never seen."""
        visit = Visit()
        visit.load_page()
        visit.publish("/", b"<h1>new</h1>")
        visit.view()
        visit.respond(visit.wire.waiting()[0])
        visit.answer(visit.wire.waiting()[0], 404)
        self.assertEqual(visit.recorded[-1][2], "status 404")
        self.assertEqual(visit.view(), ["GET /"])
        self.assertNotIn(b"If-None-Match", visit.wire.sent[-1].request)

    def test_who_has_it_is_asked_about_the_new_version_then(self) -> None:
        visit = Visit()
        visit.load_page(0)
        visit.load_page(1)
        visit.publish("/style.css", b"h1 { color: green }")
        visit.pass_time(1)
        visit.load_page(0)
        visit.pass_time(1)
        self.assertEqual(visit.view(0), ["POST /.edge/revalidate"])
        self.assertIn(visit.published.etag("/style.css").encode(), visit.wire.sent[-1].body)
        self.assertEqual(visit.respond_to_all(), [])

    def test_who_has_not_seen_it_still_asks_about_the_old_version(self) -> None:
        visit = Visit()
        old = visit.published.etag("/style.css").encode()
        visit.load_page(0)
        visit.load_page(1)
        visit.publish("/style.css", b"h1 { color: green }")
        visit.pass_time(1)
        visit.load_page(0)
        visit.pass_time(1)
        visit.view(1)
        self.assertIn(old + b" /style.css", visit.wire.sent[-1].body)
        self.assertEqual(visit.respond_to_all(), ["GET /style.css?~etag=" + old.decode()])

    def test_a_node_that_confirms_what_was_superseded_is_found_out(self) -> None:
        visit = Visit()
        visit.load_page(0)
        visit.load_page(1)
        visit.publish("/style.css", b"h1 { color: green }")
        visit.pass_time(1)
        visit.load_page(0)
        visit.pass_time(5)
        visit.view(1)
        visit.answer(visit.wire.waiting()[0], 200, b'{"v":1,"seq":1,"stale":[]}')
        probes = visit.wire.waiting()
        self.assertEqual(
            [(sent.line, sent.node) for sent in probes], [("GET /style.css", node) for node in range(4)]
        )
        visit.respond_to_all()
        self.assertEqual(visit.counts["stale_confirmations"], 1)
        self.assertEqual(len(visit.recorded), visit.counts["requests"])

    def test_within_the_bound_nobody_is_suspected(self) -> None:
        visit = Visit(stale_ticks=10 * TICKS)
        visit.load_page(0)
        visit.load_page(1)
        visit.publish("/style.css", b"h1 { color: green }")
        visit.pass_time(1)
        visit.load_page(0)
        visit.pass_time(5)
        visit.view(1)
        visit.answer(visit.wire.waiting()[0], 200, b'{"v":1,"seq":1,"stale":[]}')
        self.assertEqual(visit.wire.waiting(), [])

    @settings(max_examples=40)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("view"), st.integers(0, 3), st.sampled_from([HOME, ABOUT])),
                st.tuples(st.just("publish"), PATHS, st.integers(0, 3)),
            ),
            max_size=30,
        )
    )  # fmt: skip
    def test_a_cluster_that_is_right_is_never_called_wrong(self, steps: list[tuple[str, int, int]]) -> None:
        """Whoever looks at what while whatever is published, also again; and every ask is recorded once."""
        looked = [page for what, _, page in steps if what == "view"]
        visit = Visit(pages=looked, policy="random")
        for what, which, number in steps:
            visit.pass_time(2)
            if what == "view":
                visit.load_page(which)
            else:
                visit.publish(which, b"version %d of %r" % (number, which))  # type: ignore[arg-type]
        self.assertEqual((visit.counts["wrong_answers"], visit.counts["stale_confirmations"]), (0, 0))
        self.assertEqual(visit.counts["failed"], 0)
        self.assertEqual(len(visit.recorded), visit.counts["requests"])
        self.assertEqual(visit.sender.waiting(), 0)


class BrokenTests(SynchronousTestCase):
    """Answers that are none: counted, and nothing else."""

    def test_asks_that_failed_are_counted_with_their_reason(self) -> None:
        for status, error, reason in (
            (0, CLOSED, "closed early"),
            (0, TIMEOUT, "timeout"),
            (503, OK, "status 503"),
        ):
            visit = Visit(nodes=1)
            visit.view()
            for _ in range(3):
                visit.answer(visit.wire.waiting()[0], status, error=error)
                visit.clock.now += 2_000_000_000
                visit.sender.turn(visit.clock.now)
            self.assertEqual([one[2] for one in visit.recorded], [reason])
            self.assertEqual(visit.counts["failed"], 1)

    def test_a_batch_without_a_list_of_what_is_stale_is_a_wrong_answer(self) -> None:
        for body in (
            b"", b"[]", b"{}", b"5", b"null", b'{"stale":5}', b'{"stale":{"0":1}}', b'{"stale":[4]}',
            b'{"stale":[-1]}', b'{"stale":["0"]}', b'{"stale":[true]}', b'{"stale":[0.5]}', b'{"stale":[0]',
            b"\xff\xfe", b'{"stale":[99999999999999999999999]}', b'{"x":' + b"[" * 100_000, b'{"stale":null}',
        ):  # fmt: skip
            visit = Visit()
            visit.load_page()
            visit.view()
            visit.answer(visit.wire.waiting()[0], 200, body)
            self.assertEqual(visit.counts["wrong_answers"], 1, body[:30])
            self.assertEqual(visit.recorded[-1][2], "")

    def test_a_body_that_is_not_its_etags_is_wrong(self) -> None:
        visit = Visit()
        visit.view()
        visit.answer(visit.wire.sent[0], 200, b"something else", etag(b"").encode())
        self.assertEqual(visit.counts["wrong_answers"], 1)

    def test_a_load_document_that_is_none_is_wrong_and_moves_nobody(self) -> None:
        for body in (b"", b"{}", b"\xff", b'{"x":' + b"[" * 100_000, b'{"v":2}'):
            visit = Visit(policy="smart")
            visit.view()
            (asked,) = (sent for sent in visit.wire.waiting() if sent.line == "GET /.edge/load")
            visit.answer(asked, 200, body, b"tag")
            self.assertEqual(visit.counts["wrong: a load document that is none"], 1, body[:30])
            self.assertEqual(visit.users.document[0], 0)

    @settings(max_examples=60)
    @given(st.binary(max_size=60), st.sampled_from([200, 204, 206, 304, 400, 404]), st.binary(max_size=16))
    def test_nothing_that_a_node_says_stops_the_run(self, body: bytes, status: int, tag: bytes) -> None:
        visit = Visit(policy="smart")
        visit.load_page()
        visit.pass_time(10)
        visit.view()
        for sent in visit.wire.waiting():
            visit.answer(sent, status, body, tag)
        self.assertGreaterEqual(len(visit.recorded), 2)
