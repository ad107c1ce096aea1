"""What rides on other answers: the load of all nodes in a word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.digits import DIGITS
from edge.http.answer import head_304
from edge.load.document import NodeLoad
from edge.load.riding import NODES, cache_control, ride, tag_of

DATE = b"Tue, 14 Nov 2023 22:13:20 GMT"


def node(name: str = "n1", weight: float = 0.5, utilization: float = 0.5) -> NodeLoad:
    return NodeLoad(name, f"http://{name}", "alive", weight, utilization, 0.0, 0.0, 0, 0, 0.0)


def line(count: int) -> bytes:
    return cache_control(ride([node(f"n{n}") for n in range(count)]))


class RidingTests(SynchronousTestCase):
    """A directive of Cache-Control."""

    def test_four_nodes_take_at_most_60_bytes_and_a_304_at_most_200_whatever_there_are(self) -> None:
        self.assertLessEqual(len(line(4)), 60)
        for count in range(1, 300):
            lines = line(count) + b"Access-Control-Allow-Origin: *\r\n"
            self.assertLessEqual(len(head_304(DATE, b"x" * 16, lines, close=True)), 200)
        self.assertEqual(line(NODES + 1), b"Cache-Control: no-store\r\n")

    def test_only_a_node_that_must_not_be_chosen_has_the_weight_0(self) -> None:
        words = [ride([node(weight=weight)])[4] for weight in (0.0, 0.001, 0.5, 1.0)]
        self.assertEqual(words, [DIGITS[0], DIGITS[1], DIGITS[32], DIGITS[63]])

    @given(st.floats(0, 1), st.floats(0, 50))
    def test_figures_come_back_as_they_were_but_for_their_last_bits(self, weight: float, load: float) -> None:
        word = ride([node(weight=weight, utilization=load)])
        self.assertLessEqual(abs(DIGITS.index(word[4]) / 63 - weight), 1 / 63)
        self.assertLessEqual(abs(DIGITS.index(word[5]) / 48 - min(load, 63 / 48)), 0.5 / 48 + 1e-9)

    def test_other_nodes_or_places_have_another_tag(self) -> None:
        tags = {
            tag_of([("a", "http://a")]), tag_of([("a", "http://b")]), tag_of([]),
            tag_of([("a", "http://a"), ("b", "http://b")]), tag_of([("b", "http://b"), ("a", "http://a")]),
        }  # fmt: skip
        self.assertEqual(len(tags), 5)
        self.assertEqual(ride([node()])[:4], tag_of([("n1", "http://n1")]))
