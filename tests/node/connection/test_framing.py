"""The framing of answers: whatever the application says, nothing leaves that a client could misread."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from edge.http.fields import Fields
from edge.node.connection.framing import OutgoingAnswer, UnreadableError, interim_head, switching_head


def fields(**values: bytes) -> Headers:
    headers = Headers()
    for name, value in values.items():
        headers.addRawHeader(name.replace("_", "-").encode(), value)
    return headers


class HeadTests(SynchronousTestCase):
    """Heads, and how the body after them is delimited."""

    def setUp(self) -> None:
        self.answer = OutgoingAnswer(head_only=False, closing=False)

    def test_a_length_delimits_the_body_and_the_connection_stays(self) -> None:
        head = self.answer.head(200, b"OK", fields(content_length=b"5"))
        self.assertEqual(head, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        self.assertFalse(self.answer.closing)

    def test_without_a_length_the_end_of_the_connection_delimits_the_body(self) -> None:
        """RFC 9112 section 6.3."""
        head = self.answer.head(200, b"OK", fields())
        self.assertEqual(head, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        self.assertTrue(self.answer.closing)

    def test_a_transfer_coding_takes_the_length_away(self) -> None:
        """RFC 9112 section 6.2: a sender must not send both."""
        head = self.answer.head(200, b"OK", fields(content_length=b"5", transfer_encoding=b"chunked"))
        self.assertEqual(head, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.assertEqual((self.answer.closing, self.answer.body(b"123456")), (False, b"123456"))

    def test_statuses_without_a_body_need_no_delimiter_and_get_no_body(self) -> None:
        for status in (204, 304):
            answer = OutgoingAnswer(head_only=False, closing=False)
            answer.head(status, b"", fields())
            self.assertEqual((answer.body(b"body"), answer.sent, answer.closing, answer.short),
                             (b"", 0, False, False), status)  # fmt: skip

    def test_the_answer_to_head_has_the_length_and_no_body(self) -> None:
        answer = OutgoingAnswer(head_only=True, closing=False)
        self.assertIn(b"Content-Length: 5\r\n", answer.head(200, b"OK", fields(content_length=b"5")))
        self.assertEqual((answer.body(b"12345"), answer.short, answer.closing), (b"", False, False))

    def test_connection_is_ours_to_say_and_the_application_s_close_is_heard(self) -> None:
        """In any case, among other options, once."""
        head = self.answer.head(200, b"OK", fields(content_length=b"0", connection=b"Foo, CLOSE"))
        self.assertEqual(head, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        kept = OutgoingAnswer(head_only=False, closing=False)
        head = kept.head(200, b"OK", fields(content_length=b"0", connection=b"keep-alive"))
        self.assertNotIn(b"Connection", head)
        self.assertFalse(kept.closing)

    @given(st.binary(max_size=40))
    def test_no_reason_phrase_ends_the_line(self, reason: bytes) -> None:
        head = OutgoingAnswer(False, False).head(200, reason, fields(content_length=b"0"))
        line, *rest = head.split(b"\r\n")
        self.assertEqual(rest, [b"Content-Length: 0", b"", b""])
        self.assertTrue(line.startswith(b"HTTP/1.1 200 "))
        self.assertFalse(any((byte < 32 and byte != 9) or byte == 127 for byte in line))

    def test_there_is_one_head(self) -> None:
        self.answer.start()
        self.assertRaises(RuntimeError, self.answer.start)


class BodyTests(SynchronousTestCase):
    """Bodies that are as long as was said, or are not."""

    def setUp(self) -> None:
        self.answer = OutgoingAnswer(head_only=False, closing=False)
        self.answer.head(200, b"OK", fields(content_length=b"5"))

    def test_a_body_of_the_length_is_whole_and_keeps_the_connection(self) -> None:
        self.assertEqual(self.answer.body(b"123"), b"123")
        self.assertTrue(self.answer.short)
        self.assertEqual(self.answer.body(b"45"), b"45")
        self.assertEqual((self.answer.short, self.answer.sent, self.answer.closing), (False, 5, False))

    def test_what_is_too_much_stays_here_and_the_connection_ends(self) -> None:
        """It would be read as the beginning of the next answer."""
        self.assertEqual(self.answer.body(b"1234567"), b"12345")
        self.assertEqual(self.answer.body(b"8"), b"")
        self.assertEqual((self.answer.sent, self.answer.closing, self.answer.short), (5, True, False))

    def test_a_body_up_to_the_end_of_the_connection_is_never_short(self) -> None:
        answer = OutgoingAnswer(head_only=False, closing=False)
        answer.head(200, b"OK", fields())
        self.assertEqual(answer.body(b"123"), b"123")
        self.assertFalse(answer.short)


class PassedTests(SynchronousTestCase):
    """Answers of applications, whose fields are a list."""

    def passed(
        self, status: int, fields: Fields, length: int | None, **more: bool
    ) -> tuple[OutgoingAnswer, bytes]:
        answer = OutgoingAnswer(more.get("head_only", False), more.get("closing", False))
        return answer, answer.passed_head(status, fields, length, b"now", more.get("chunks", True))

    def test_a_length_that_is_known_is_said_and_kept(self) -> None:
        answer, head = self.passed(200, [(b"A", b"b")], 3)
        self.assertEqual(head, b"HTTP/1.1 200 OK\r\nDate: now\r\nA: b\r\nContent-Length: 3\r\n\r\n")
        self.assertEqual((answer.body(b"ab"), answer.short, answer.body(b"cd")), (b"ab", True, b"c"))
        self.assertEqual((answer.end([]), answer.short, answer.closing), (b"", False, True))

    def test_without_one_there_are_chunks_or_the_end_of_the_connection(self) -> None:
        answer, head = self.passed(200, [(b"date", b"then")], None)
        self.assertEqual(head, b"HTTP/1.1 200 OK\r\ndate: then\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.assertEqual(answer.body(b"abc") + answer.body(b""), b"3\r\nabc\r\n")
        self.assertEqual(answer.end([(b"T", b"u")]), b"0\r\nT: u\r\n\r\n")
        answer, head = self.passed(200, [], None, chunks=False)
        self.assertTrue(head.endswith(b"Connection: close\r\n\r\n"))
        self.assertEqual((answer.body(b"abc"), answer.end([])), (b"abc", b""))

    def test_answers_without_a_body_have_neither(self) -> None:
        for status, length, said in (
            (204, None, b""),
            (204, 5, b""),
            (304, 5, b"Content-Length: 5\r\n"),
            (304, None, b""),
        ):
            answer, head = self.passed(status, [(b"Date", b"x")], length)
            self.assertTrue(head.endswith(b"Date: x\r\n" + said + b"\r\n"), head)
            self.assertEqual((answer.body(b"abc"), answer.end([]), answer.short), (b"", b"", False))
        answer, head = self.passed(200, [], None, head_only=True)
        self.assertNotIn(b"chunked", head)
        self.assertEqual(answer.body(b"abc"), b"")

    def test_what_could_be_misread_is_not_sent(self) -> None:
        for fields in (
            [(b"A", b"b\r\n c")], [(b"A", b"b\rc")], [(b"A", b"\x00")], [(b"A", b"\x7f")], [(b"A:", b"b")],
            [(b"", b"b")], [(b"Transfer-Encoding", b"chunked")], [(b"content-length", b"1")],
            [(b"Upgrade", b"x")],
        ):  # fmt: skip
            for made in (
                lambda fields=fields: self.passed(200, fields, 0),
                lambda fields=fields: interim_head(103, fields),
                lambda fields=fields: switching_head(b"websocket", fields),
            ):
                with self.assertRaises(UnreadableError):
                    made()
        for status, length in ((199, 0), (600, 0), (200, -1), (200, 1 << 63)):
            with self.assertRaises(UnreadableError):
                self.passed(status, [], length)
        for status in (100, 101, 200):
            with self.assertRaises(UnreadableError):
                interim_head(status, [])

    def test_white_space_and_other_octets_that_values_may_have_pass(self) -> None:
        value = b"\ta b\t" + bytes(range(0x80, 0x100))
        self.assertIn(b"A: " + value + b"\r\n", self.passed(200, [(b"A", value)], 0)[1])
