"""Questions over HTTP/1.1, byte for byte; which may be asked twice; which connection they go on."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.parser import Data, EndOfMessage, RequestHead, RequestParser
from edge.upstream import question
from edge.upstream.retry import may_repeat
from edge.upstream.reuse import FRESH_SECONDS, IDLE_SECONDS, Resting, rest_of


class WritingTests(SynchronousTestCase):
    """What goes to a server."""

    def test_a_question_has_the_bytes_of_the_target_and_its_fields_in_order(self) -> None:
        self.assertEqual(
            question.head(b"GET", b"/%7ea//b?x=%2f&&y", b"example.org", [(b"A", b"1"), (b"a", b"2")]),
            b"GET /%7ea//b?x=%2f&&y HTTP/1.1\r\nHost: example.org\r\nA: 1\r\na: 2\r\n\r\n",
        )

    def test_a_body_has_one_length_or_chunks(self) -> None:
        for method, length, line in (
            (b"POST", 3, b"Content-Length: 3\r\n"),
            (b"POST", 0, b"Content-Length: 0\r\n"),
            (b"DELETE", 0, b""),
            (b"GET", 3, b"Content-Length: 3\r\n"),
            (b"PUT", None, b"Transfer-Encoding: chunked\r\n"),
        ):
            head = question.head(method, b"/", b"x", [], length)
            self.assertEqual(head, method + b" / HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n")

    def test_expectations_and_upgrades_are_our_own_lines(self) -> None:
        head = question.head(b"GET", b"/", b"x", [], 0, b"websocket")
        self.assertIn(b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", head)
        self.assertIn(
            b"\r\nExpect: 100-continue\r\n\r\n", question.head(b"PUT", b"/", b"x", [], 3, b"", True)
        )

    @given(st.lists(st.binary(min_size=1, max_size=50)), st.booleans())
    def test_a_strict_parser_reads_what_was_written(self, pieces: list[bytes], chunked: bool) -> None:
        length = None if chunked else sum(map(len, pieces))
        data = question.head(b"PUT", b"/a?b", b"x", [(b"A", b"1")], length)
        data += b"".join(map(question.chunk, pieces)) + question.LAST_CHUNK if chunked else b"".join(pieces)
        parser = RequestParser()
        parser.receive(data)
        head = parser.next_event()
        assert isinstance(head, RequestHead)
        self.assertEqual((head.target, head.content_length), (b"/a?b", length))
        body = b""
        while isinstance(event := parser.next_event(), Data):
            body += event.data
        self.assertIsInstance(event, EndOfMessage)
        self.assertEqual((body, parser.trailing), (b"".join(pieces), b""))


class RepeatingTests(SynchronousTestCase):
    """Who may be asked twice."""

    def test_only_what_changes_nothing_or_says_so_may_be_repeated(self) -> None:
        for method in (b"GET", b"HEAD", b"OPTIONS"):
            self.assertTrue(may_repeat(method, []))
        for method in (b"POST", b"PUT", b"DELETE", b"PATCH"):
            self.assertFalse(may_repeat(method, [(b"Cookie", b"a")]))
            self.assertTrue(may_repeat(method, [(b"IDEMPOTENCY-Key", b'"a"')]))
        self.assertFalse(may_repeat(b"GET", [], b"websocket"))


class ReuseTests(SynchronousTestCase):
    """Which connection is taken."""

    def test_the_one_that_rested_the_shortest_is_taken_first(self) -> None:
        resting: Resting[str] = Resting(3)
        for number, name in enumerate("abc"):
            self.assertIsNone(resting.rest(name, float(number)))
        self.assertEqual([resting.take(3.0, True) for _ in range(4)], ["c", "b", "a", None])

    def test_the_oldest_makes_room(self) -> None:
        resting: Resting[str] = Resting(2)
        self.assertEqual([resting.rest(name, 0.0) for name in "abc"], [None, None, "a"])

    def test_what_may_not_be_repeated_waits_for_no_old_connection(self) -> None:
        resting: Resting[str] = Resting(2)
        resting.rest("a", 0.0)
        self.assertIsNone(resting.take(FRESH_SECONDS, False))
        self.assertEqual(resting.take(FRESH_SECONDS / 2, False), "a")
        resting.rest("a", 1.0)
        self.assertEqual(resting.take(1.0 + FRESH_SECONDS, True), "a")

    def test_how_many_rest_is_told_whatever_happens(self) -> None:
        told: list[int] = []
        resting: Resting[int] = Resting(3, told.append)
        random = Random(4)
        for now in range(500):
            what = random.randrange(5)
            if what < 2:
                resting.rest(now, now, random.choice((0.0, 1.0, 9.0)))
            elif what == 2:
                resting.take(now, random.random() < 0.5)
            elif what == 3:
                resting.gone(now - random.randrange(3))
            else:
                resting.expired(now)
            self.assertEqual(sum(told), len(resting))
        resting.clear()
        self.assertEqual(sum(told), 0)

    def test_nothing_rests_longer_than_it_may(self) -> None:
        resting: Resting[str] = Resting(4)
        resting.rest("a", 0.0)
        resting.rest("b", 0.0, 4.0)
        self.assertEqual(resting.expired(3.9), [])
        self.assertIsNone(resting.take(4.0, True), "its server may be closing it")
        self.assertEqual(resting.expired(4.0), ["b"])
        self.assertEqual(resting.expired(IDLE_SECONDS), ["a"])
        self.assertEqual(resting.rest("c", 0.0, 0.0), "c", "it may not rest at all")
        resting.rest("d", 0.0)
        resting.gone("d")
        resting.gone("never there")
        self.assertEqual((len(resting), resting.clear()), (0, []))

    def test_servers_say_how_long_they_wait(self) -> None:
        self.assertEqual(rest_of(None), IDLE_SECONDS)
        self.assertEqual(rest_of(b"timeout=5, max=100"), 4.0)
        self.assertEqual(rest_of(b"max=3;Timeout = 2"), 1.0)
        self.assertEqual(rest_of(b"timeout=999999999"), IDLE_SECONDS)
        self.assertEqual(rest_of(b"timeout=0"), 0.0)
        for said in (b"", b"xtimeout=1", b"timeout=-1", b"timeout=x", b"timeout=99999999999999999999"):
            self.assertEqual(rest_of(said), IDLE_SECONDS, said)
