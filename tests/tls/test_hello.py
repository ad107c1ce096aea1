"""The recogniser of hellos in Python."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.tls.hello import Hello, Verdict, recognise
from tests.tls.hello_suite import GROUPS, HelloSuite
from tests.tls.hellos import message, records


class PythonHelloTests(HelloSuite, SynchronousTestCase):
    """The suite over the Python twin."""

    def recognise(self, data: bytes, groups: Collection[int] = GROUPS) -> Hello:
        return recognise(data, groups)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=4), st.integers(0, 400))
    def test_no_mutation_fails_and_verdicts_stay(self, changes: list[tuple[int, int]], end: int) -> None:
        """Whatever comes: what is let go stays so, and what is recognised needed all of its bytes."""
        data = bytearray(records(message()))
        for at, value in changes:
            data[at % len(data)] = value
        part, whole = recognise(bytes(data[:end])), recognise(bytes(data))
        if part.verdict is not Verdict.RECEIVE:
            self.assertEqual(part, whole)
