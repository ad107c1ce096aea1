"""What is stored of answers whose heads are the same."""

from __future__ import annotations

from hashlib import sha256

from twisted.trial.unittest import SynchronousTestCase

from edge.cache.policy import Refusal, Rules
from edge.http.fields import Fields
from edge.node.applications.making import Whole, make
from edge.node.process.answers import FilledAnswer
from edge.resource import etag_of

FIELDS: Fields = [(b"Content-Type", b"text/plain"), (b"Cache-Control", b"s-maxage=60")]


class SameHeadTests(SynchronousTestCase):
    """What a head says is read once for all answers that have it; what is each one's own is not."""

    def made(self, name: bytes, whole: Whole) -> FilledAnswer:
        made = make(name, whole, Rules())
        assert isinstance(made, FilledAnswer)
        return made

    def test_each_has_its_own_body_name_status_and_times(self) -> None:
        for number, body in enumerate((b"one" * 200, b"two" * 200, b"")):
            name, asked = b"/%d" % number, 10.0 * number
            made = self.made(name, Whole(200 + number, FIELDS, body, asked, asked + 1, 1_000_000))
            (identity,) = made.representations
            self.assertEqual((made.record.name, made.record.status), (name, 200 + number))
            self.assertEqual((identity.body, identity.etag), (body, etag_of(sha256(body).digest())))
            self.assertEqual((made.asked_ms, made.born_ms), (asked * 1000, asked * 1000))

    def test_only_what_is_long_enough_is_told_to_vary_by_coding(self) -> None:
        for _ in range(2):
            for body, varies in ((b"x" * 1000, True), (b"x", False)):
                (identity,) = self.made(b"/", Whole(200, FIELDS, body, 0.0, 0.0, 5)).representations
                self.assertEqual(b"Vary: Accept-Encoding\r\n" in identity.lines_200, varies)

    def test_without_a_date_each_is_of_the_second_in_which_it_came(self) -> None:
        for wall in (1_000_000, 1_000_001, 1_000_000):
            self.assertEqual(self.made(b"/", Whole(200, FIELDS, b"", 0.0, 0.0, wall)).record.date, wall)

    def test_fields_in_another_order_or_case_are_others(self) -> None:
        first = self.made(b"/", Whole(200, FIELDS, b"", 0.0, 0.0, 5)).representations[0].lines_200
        for fields in (FIELDS[::-1], [(name.lower(), value) for name, value in FIELDS]):
            lines = self.made(b"/", Whole(200, fields, b"", 0.0, 0.0, 5)).representations[0].lines_200
            self.assertNotEqual(lines, first)

    def test_what_is_refused_is_refused_each_time(self) -> None:
        fields: Fields = [*FIELDS, (b"Cache-Groups", b"not readable")]
        for _ in range(2):
            self.assertIs(make(b"/", Whole(200, fields, b"", 0.0, 0.0, 5), Rules()), Refusal.GROUPS)
