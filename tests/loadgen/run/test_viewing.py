"""What users do, on a wire in memory: what a visit asks for, what is made of the answers, when it ends."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.load.document import encode as encode_load
from loadgen.models.calendar import TICKS
from loadgen.models.draws import uniform
from loadgen.models.users import BEGIN, Users
from loadgen.run.choosing import Choosing
from loadgen.run.clock import NS, Clock
from loadgen.run.heads import Heads
from loadgen.run.scenario import Mutations
from loadgen.run.sender import Ask, Sender
from loadgen.run.site import Site
from loadgen.run.viewing import READING_NS, Viewing
from loadgen.wire.interface import CLOSED, OK, TIMEOUT, Answer
from tests.loadgen.run.memory_wire import MemoryWire, Sent
from tests.loadgen.run.samples import URLS, Published, etag, load

START = 5_000_000_000_000
HOME, ABOUT = 0, 1
PATHS = st.sampled_from(["/", "/style.css", "/news.png", "/sw.js"])


class Plan:
    """A calendar that a test can look into, and in which users act when the test says so."""

    def __init__(self) -> None:
        self.due: dict[int, int] = {}

    def add(self, user: int, tick: int) -> None:
        self.due[user] = tick

    def pop(self, until: int) -> list[tuple[int, int]]:
        """(tick, user) of those who are due before *until*."""
        found = sorted((tick, user) for user, tick in self.due.items() if tick < until)
        for _, user in found:
            del self.due[user]
        return found


class Visit:
    """Users, the cluster that answers them, and what is recorded."""

    def __init__(
        self,
        policy: str = "one",
        pages: Iterable[int] = (),
        lengths: int = 10**4,
        thinking: float = 1.0,
        mutations: Mutations | None = None,
        informed: int = 0,
        users: int = 4,
        nodes: int = 4,
        stale_ticks: int = TICKS,
    ) -> None:
        """*pages*: what is looked at, one after the other; the home page then."""
        self.published = Published()
        self.site = Site(self.published.site())
        self.clock = Clock(START)
        self.wire = MemoryWire(self.clock)
        self.counts: Counter[str] = Counter()
        self.users = Users(users, nodes)
        self.plan = Plan()
        random = uniform(np.random.default_rng(1))
        choosing = Choosing(self.users, policy, URLS[:nodes], random)
        looked = iter(pages)
        draws: dict[str, Callable[[], float]] = {
            "think": lambda: thinking,
            "pages": lambda: lengths,
            "page": lambda: next(looked, HOME),
            "uniform": random,
        }
        self.viewing = Viewing(
            self.site, self.users, self.plan, choosing, self.clock, self.wire, self.counts, draws,
            stale_ticks, mutations, informed,
        )  # fmt: skip
        self.viewing.sender = self.sender = Sender(
            self.wire, self.clock, self.users, choosing, Heads(URLS[:nodes]), random, self.viewing.ended,
            self.counts,
        )  # fmt: skip
        self.recorded: list[tuple[Ask, Answer | None, str]] = []
        self.viewing.record = lambda ask, answer, reason: self.recorded.append((ask, answer, reason))
        self.load = encode_load(load())

    def use(self, site: Site) -> None:
        """Another site."""
        self.viewing._site = self.viewing._shelf.site = site

    @property
    def tick(self) -> int:
        return self.clock.tick(self.clock.now)

    def pass_time(self, seconds: float) -> None:
        """Nobody does anything meanwhile."""
        self.clock.now += round(seconds * 1e9)

    def publish(self, path: str, body: bytes) -> None:
        """A new version."""
        self.published.bodies[path] = body

    def view(self, user: int = 0) -> list[str]:
        """What *user* asks for at once, when looking at the next page."""
        before = len(self.wire.sent)
        if not self.users.active[user]:
            self.viewing.arrive(user, self.tick)
        self.viewing.view(user, self.tick)
        return [sent.line for sent in self.wire.sent[before:]]

    def respond(self, sent: Sent) -> None:
        """As the cluster would."""
        method, _, target = sent.line.partition(" ")
        tag = re.search(rb'(?:If-None-Match: "|[?&]~etag=)([\w-]+)', sent.request)
        path = re.sub(r"[?&]~etag=.*", "", target)
        if path == "/.edge/load":
            self.answer(sent, 200, self.load, etag(self.load).encode())
        elif path == "/.edge/revalidate":
            pairs = [line.split() for line in sent.body.decode().splitlines()]
            stale = [place for place, (one, at) in enumerate(pairs) if one != self.published.etag(at)]
            body = json.dumps({"v": 1, "seq": 7, "stale": stale}, separators=(",", ":")).encode()
            self.answer(sent, 200, body)
        elif method == "POST":
            self.answer(sent, 201)
        else:
            current = self.published.etag(path).encode()
            same = tag is not None and tag[1] == current
            self.answer(sent, 304 if same else 200, b"" if same else self.published.bodies[path], current)

    def answer(
        self, sent: Sent, status: int = 200, body: bytes = b"", tag: bytes = b"", error: int = OK
    ) -> None:
        """Something of a test's own."""
        self.sender.answered(self.wire.answer(sent, status, body, tag, error))

    def respond_to_all(self) -> list[str]:
        """Until nothing is on its way; the lines of what followed from the answers."""
        before = len(self.wire.sent)
        while self.wire.waiting():
            self.respond(self.wire.waiting()[0])
        return [sent.line for sent in self.wire.sent[before:]]

    def load_page(self, user: int = 0) -> None:
        """One page view from its beginning to its end."""
        self.view(user)
        self.respond_to_all()


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
        self.assertEqual({ask.planned for ask in visit.sender._asks.values()}, {visit.clock.now + READING_NS})

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
        visit = Visit()
        found = visit.published.site()
        for one in found.resources:
            one.max_age = 86_400 * 365
        visit.use(Site(found))
        visit.load_page()
        self.assertEqual(visit.view(), [])
        self.assertEqual(visit.counts["fresh_hits"], 5)

    def test_a_page_of_one_thing_is_a_conditional_get(self) -> None:
        visit = Visit()
        found = visit.published.site()
        found.pages, found.beside, found.worker = [[0]], [], []
        visit.use(Site(found))
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

    @settings(max_examples=40, deadline=None)
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

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=60), st.sampled_from([200, 204, 206, 304, 400, 404]), st.binary(max_size=16))
    def test_nothing_that_a_node_says_stops_the_run(self, body: bytes, status: int, tag: bytes) -> None:
        visit = Visit(policy="smart")
        visit.load_page()
        visit.pass_time(10)
        visit.view()
        for sent in visit.wire.waiting():
            visit.answer(sent, status, body, tag)
        self.assertGreaterEqual(len(visit.recorded), 2)


class LoadTests(SynchronousTestCase):
    """Who reads load documents, and when."""

    def test_a_user_reads_one_with_its_first_page_and_again_when_it_is_old(self) -> None:
        visit = Visit(policy="smart")
        self.assertEqual(visit.view(), ["GET /", "GET /.edge/load"])
        visit.respond_to_all()
        visit.pass_time(4)
        self.assertNotIn("GET /.edge/load", visit.view())
        visit.respond_to_all()
        visit.pass_time(2)
        self.assertIn("GET /.edge/load", visit.view())
        self.assertEqual(visit.counts["load_polls"], 2)

    def test_policies_that_do_not_need_it_do_not_ask(self) -> None:
        self.assertEqual(Visit(policy="random").view(), ["GET /"])

    def test_one_document_is_decoded_once_for_all(self) -> None:
        visit = Visit(policy="smart")
        for user in range(4):
            visit.load_page(user)
        self.assertEqual(set(visit.users.document), {1})

    def test_who_has_a_socket_is_told_and_does_not_ask(self) -> None:
        visit = Visit(policy="smart", informed=2)
        visit.viewing.keep_informed(visit.clock.now)
        (feed,) = visit.wire.waiting()
        self.assertEqual(feed.line, "GET /.edge/load")
        visit.respond(feed)
        self.assertEqual(
            [visit.view(user) for user in (0, 1, 2)], [["GET /"], ["GET /"], ["GET /", "GET /.edge/load"]]
        )
        self.assertEqual(list(visit.users.document)[:2], [1, 1])
        self.assertEqual(visit.recorded, [])

    def test_what_sockets_are_told_is_read_four_times_a_second(self) -> None:
        visit = Visit(policy="smart", informed=2)
        for _ in range(100):
            visit.viewing.keep_informed(visit.clock.now)
            visit.pass_time(0.01)
        self.assertEqual(len(visit.wire.sent), 4)
        idle = Visit(policy="smart")
        idle.viewing.keep_informed(idle.clock.now)
        self.assertEqual(idle.wire.sent, [])

    def test_a_feed_cut_off_is_no_wrong_answer(self) -> None:
        """The node was killed while it answered: the next one is asked soon."""
        visit = Visit(policy="smart", informed=1)
        visit.viewing.keep_informed(visit.clock.now)
        visit.answer(visit.wire.sent[0], 200, b'{"v":1,"clus', b"tag", CLOSED)
        self.assertEqual(visit.counts["wrong_answers"], 0)


class SessionTests(SynchronousTestCase):
    """From arriving to leaving."""

    def test_page_views_follow_the_plan_whatever_the_answers(self) -> None:
        """As many as were drawn, so long apart as was drawn, though nobody answers."""
        visit = Visit(lengths=3, thinking=2.0)
        visit.viewing.arrive(0, BEGIN + 100)
        times = []
        for now in range(BEGIN, BEGIN + 10 * TICKS, 1000):
            for tick, user in visit.plan.pop(now):
                times.append(tick - BEGIN)
                visit.viewing.view(user, tick)
        self.assertEqual(times, [100, 100 + 2 * TICKS, 100 + 4 * TICKS])
        self.assertEqual((visit.counts["sessions"], visit.counts["page_views"]), (1, 3))

    def test_a_session_ends_with_its_last_page(self) -> None:
        visit = Visit(lengths=2)
        visit.view(3)
        self.assertEqual((visit.viewing.active, visit.users.active[3]), (1, 1))
        visit.view(3)
        self.assertEqual((visit.viewing.active, visit.users.active[3]), (0, 0))
        self.assertEqual(visit.plan.due, {3: BEGIN + TICKS})

    def test_connections_close_when_the_last_page_has_all_that_belongs_to_it(self) -> None:
        """Not before: what the page names would need new ones, that nobody closes."""
        visit = Visit(lengths=1, policy="smart")
        visit.view(3)
        while visit.wire.waiting():
            self.assertEqual(visit.wire.left, [])
            visit.respond(visit.wire.waiting()[0])
        self.assertEqual(visit.wire.left, [3])
        self.assertEqual(visit.counts["bodies"], 6)

    def test_they_stay_open_while_the_session_goes_on(self) -> None:
        visit = Visit(lengths=2)
        visit.load_page()
        self.assertEqual(visit.wire.left, [])
        visit.load_page()
        self.assertEqual(visit.wire.left, [0])

    def test_whose_last_page_needs_nothing_leaves_at_once(self) -> None:
        visit = Visit(lengths=2)
        found = visit.published.site()
        for one in found.resources:
            one.max_age = 86_400 * 365
        visit.use(Site(found))
        visit.load_page()
        self.assertEqual((visit.view(), visit.wire.left), ([], [0]))

    def test_who_gets_no_answer_leaves_as_well(self) -> None:
        visit = Visit(lengths=1, nodes=1)
        visit.view()
        for _ in range(3):
            visit.answer(visit.wire.waiting()[0], 0, error=TIMEOUT)
            visit.clock.now += 2_000_000_000
            visit.sender.turn(visit.clock.now)
        self.assertEqual((visit.wire.left, visit.counts["failed"]), ([0], 1))

    def test_requests_are_due_when_the_view_was_planned(self) -> None:
        visit = Visit()
        visit.viewing.arrive(0, BEGIN + 5000)
        visit.viewing.view(0, BEGIN + 5000)
        self.assertEqual(visit.wire.sent[0].due, START + 5000 * NS)

    def test_two_views_are_never_at_one_time(self) -> None:
        visit = Visit(thinking=0.0)
        visit.view()
        self.assertEqual(visit.plan.due, {0: BEGIN + 1})


class MutationTests(SynchronousTestCase):
    """Requests that change something."""

    def visit(self, share: float = 1.0) -> Visit:
        body = '{"user": {user}, "n": {n}}'
        return Visit(mutations=Mutations(path="/cart", share=share, body=body))

    def mutations(self, visit: Visit) -> list[Sent]:
        return [sent for sent in visit.wire.sent if sent.line == "POST /cart"]

    def test_a_share_of_the_views_has_one(self) -> None:
        visit = self.visit(0.3)
        for _ in range(1000):
            visit.load_page()
        self.assertLess(abs(len(self.mutations(visit)) - 300), 60)
        self.assertEqual(visit.counts["mutations"], len(self.mutations(visit)))

    def test_it_goes_home_once_and_is_never_sent_again(self) -> None:
        visit = self.visit()
        visit.view(2)
        (sent,) = self.mutations(visit)
        self.assertEqual((sent.node, sent.body), (2, b'{"user": 2, "n": 1}'))
        self.assertIn(b"Content-Type: application/json\r\n", sent.request)
        visit.answer(sent, 0, error=CLOSED)
        visit.clock.now += 10**10
        visit.sender.turn(visit.clock.now)
        self.assertEqual(len(self.mutations(visit)), 1)
        self.assertIn("closed early", [reason for _, _, reason in visit.recorded])

    def test_no_two_have_one_key_also_after_a_report_and_in_another_process(self) -> None:
        keys = []
        for visit in (self.visit(), self.visit()):
            for _ in range(3):
                visit.load_page()
                visit.counts.clear()  # as each second's report does
            for sent in self.mutations(visit):
                keys += re.findall(rb"Idempotency-Key: (\S+)\r\n", sent.request)
        self.assertEqual((len(keys), len(set(keys))), (6, 6))

    def test_a_refusal_is_a_failure(self) -> None:
        visit = self.visit()
        visit.view()
        visit.answer(self.mutations(visit)[0], 409)
        self.assertEqual(visit.recorded[-1][2], "status 409")
