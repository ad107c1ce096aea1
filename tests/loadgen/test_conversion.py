"""What is said of values that do not fit."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from twisted.trial.unittest import SynchronousTestCase

from loadgen.conversion import place_and_problem, sentence
from loadgen.run.messages.scenario import Scenario


class Lengths(msgspec.Struct):
    """Lengths that scenarios do not have."""

    text: Annotated[str, Meta(min_length=2)] = "xx"
    few: Annotated[list[int], Meta(max_length=1)] = []


class ConversionTests(SynchronousTestCase):
    """By :func:`sentence`."""

    def said(self, given: object, kind: Any) -> str:
        error = self.assertRaises(msgspec.ValidationError, msgspec.convert, given, kind)
        return sentence(str(error))

    def test_each_says_where_and_what_would_do(self) -> None:
        base = {"v": 1, "title": "x", "users": 5, "duration_s": 1}
        for changed, words in (
            ({"title": 3}, "title: give text, not a whole number"),
            ({"users": 0}, "users: give a whole number of 1 or more"),
            ({"users": 1.5}, "users: give a whole number, not one with a fraction"),
            ({"duration_s": -1}, "duration_s: give a number above 0"),
            ({"duration_s": 1e9}, "duration_s: give a number of 86400 or less"),
            ({"thresholds": "p99"}, "thresholds: give a list, not text"),
            ({"session": 3}, "session: give a table, not a whole number"),
            ({"session": {"think": {"mean_s": "x"}}}, "session.think.mean_s: give a number, not text"),
            ({"arrivals": {"steps": [[1]]}}, "arrivals.steps[0]: give a list of 2 things, not 1"),
            ({"mutations": {"path": "x", "share": 1}}, "mutations.path: write it as the pattern"),
            ({"v": 9}, "v: there is no 9"),
        ):
            self.assertIn(words, self.said({**base, **changed}, Scenario))
        del base["users"]
        self.assertEqual(self.said(base, Scenario), "users is missing")

    def test_lengths(self) -> None:
        self.assertEqual(self.said({"text": "x"}, Lengths), "text: give text of at least 2 characters")
        self.assertEqual(self.said({"few": [1, 2]}, Lengths), "few: give a list of at most 1 things")

    def test_what_is_not_known_is_said_as_it_comes(self) -> None:
        self.assertEqual(place_and_problem("It is Monday - at `$.a[...].b`"), ("a.b", "It is Monday"))
        self.assertEqual(sentence("It is Monday"), "It is Monday")
