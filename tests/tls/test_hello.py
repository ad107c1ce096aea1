"""The recognisers of hellos, native and in Python."""

from __future__ import annotations

from collections.abc import Collection

from edge._tls import ffi, lib
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.tls.hello import X25519MLKEM768, Hello, Verdict, recognise
from tests.tls.hello_suite import GROUPS, HelloSuite
from tests.tls.hellos import message, records

_VERDICTS = {
    lib.EDGE_TLS_INCOMPLETE: Verdict.RECEIVE,
    lib.EDGE_TLS_RECOGNISED: Verdict.RECOGNISED,
    lib.EDGE_TLS_LET_GO: Verdict.LET_GO,
}


def native(data: bytes, groups: Collection[int] = GROUPS) -> Hello:
    """What the C says."""
    hello = ffi.new("edge_tls_hello *")
    verdict = _VERDICTS[lib.edge_tls_recognise(data, len(data), X25519MLKEM768 in groups, hello)]
    if verdict is not Verdict.RECOGNISED:
        return Hello(verdict)
    return Hello(verdict, bytes(hello.name[0 : hello.name_length]), hello.consumed)


class NativeHelloTests(HelloSuite, SynchronousTestCase):
    """The suite over C."""

    def recognise(self, data: bytes, groups: Collection[int] = GROUPS) -> Hello:
        return native(data, groups)

    @settings(max_examples=500, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=4), st.integers(0, 400))
    def test_it_says_what_the_twin_says(self, changes: list[tuple[int, int]], end: int) -> None:
        data = bytearray(records(message()))
        for at, value in changes:
            data[at % len(data)] = value
        for cut in bytes(data[:end]), bytes(data):
            self.assertEqual(native(cut), recognise(cut))


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
