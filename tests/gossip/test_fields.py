"""What fields may hold that a node takes from others."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.fields import are_answer_lines, are_header_lines


class LinesOfAnswers(SynchronousTestCase):
    """Header lines of stored answers of applications."""

    def test_readers_are_told_the_groups_of_an_answer_that_another_node_has_filled(self) -> None:
        """An entry whose lines were refused would be filled by each node for itself."""
        self.assertTrue(are_answer_lines(b'Content-Type: text/html\r\nCache-Groups: "ranking"\r\n'))

    def test_what_is_for_one_reader_or_frames_a_message_is_in_none(self) -> None:
        for line in (b"Set-Cookie: a=b", b"Age: 3", b"Content-Length: 1", b"Transfer-Encoding: chunked"):
            self.assertFalse(are_answer_lines(line + b"\r\n"), line)
        self.assertFalse(are_header_lines(b"Connection: close\r\n"))
