"""W3C Trace Context, read strictly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.traces.context import MOST_MEMBERS, MOST_STATE, Context, read_context, read_state

TRACE, SPAN = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
GOOD = b"00-%b-%b-01" % (TRACE, SPAN)
KEYS = st.from_regex(rb"\A[a-z0-9][a-z0-9_*/@-]{0,20}\Z")
VALUES = st.from_regex(rb"\A[\x21-\x2b\x2d-\x3c\x3e-\x7e]{1,20}\Z")
CONTEXTS = st.builds(
    Context,
    st.binary(min_size=16, max_size=16).filter(any),
    st.binary(min_size=8, max_size=8).filter(any),
    st.sampled_from([0, 1, 2, 3]),
    st.dictionaries(KEYS, VALUES, max_size=10).map(
        lambda members: b",".join(map(b"=".join, members.items()))
    ),
)


class TraceparentTests(SynchronousTestCase):
    """The field ``traceparent``."""

    def test_the_example_of_the_recommendation(self) -> None:
        found = read_context(GOOD, b"congo=t61rcWkgMzE")
        assert found is not None
        self.assertEqual(
            found, (bytes.fromhex(TRACE.decode()), bytes.fromhex(SPAN.decode()), 1, b"congo=t61rcWkgMzE")
        )
        self.assertTrue(found.is_sampled)
        self.assertEqual(found.fields(), [(b"traceparent", GOOD), (b"tracestate", b"congo=t61rcWkgMzE")])

    def test_what_is_malformed_is_as_if_it_were_not_there(self) -> None:
        for wrong in (
            None,
            b"",
            GOOD.upper(),
            GOOD[:-1],
            GOOD + b"0",
            GOOD + b"-",
            GOOD + b"-more",  # of the version that is known
            b"ff" + GOOD[2:],
            b"g" + GOOD[1:],
            b" " + GOOD,
            GOOD + b"\n",
            GOOD + b", " + GOOD,  # two lines
            GOOD.replace(TRACE, b"0" * 32),
            GOOD.replace(SPAN, b"0" * 16),
            GOOD.replace(b"-", b"_"),
            GOOD.replace(TRACE, TRACE[:-1]),
            GOOD.replace(TRACE, TRACE + b"0"),
            GOOD.replace(b"a", "\N{ARABIC-INDIC DIGIT ONE}".encode()),
        ):
            self.assertIsNone(read_context(wrong, b"a=b"), wrong)

    def test_a_later_version_is_read_as_far_as_it_is_known(self) -> None:
        for later in (b"01" + GOOD[2:], b"cc" + GOOD[2:] + b"-what-ever is=new"):
            found = read_context(later, None)
            assert found is not None
            self.assertEqual(found.fields(), [(b"traceparent", GOOD)])
        self.assertIsNone(read_context(b"01" + GOOD[2:] + b".more", None))

    def test_flags_that_nobody_knows_are_not_passed_on(self) -> None:
        found = read_context(GOOD[:-2] + b"fd", None)
        assert found is not None
        self.assertEqual((found.flags, found.is_sampled), (1, True))

    @given(CONTEXTS)
    def test_what_is_said_is_read_as_it_was(self, context: Context) -> None:
        fields = dict(context.fields())
        self.assertEqual(read_context(fields[b"traceparent"], fields.get(b"tracestate")), context)

    @given(
        st.binary(max_size=80) | st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{30,34}-[0-9a-f]{14,18}-.*"),
        st.binary(),
    )
    def test_nothing_that_is_sent_raises_and_what_is_read_can_be_said(
        self, parent: bytes, state: bytes
    ) -> None:
        found = read_context(parent, state)
        if found is not None:
            fields = dict(found.fields())
            self.assertEqual(read_context(fields[b"traceparent"], fields.get(b"tracestate")), found)


class TracestateTests(SynchronousTestCase):
    """The field ``tracestate``."""

    def test_empty_members_and_white_space_are_no_harm(self) -> None:
        self.assertEqual(read_state(b" a=1 ,,\tb@c=2;3 , "), b"a=1,b@c=2;3")
        self.assertEqual(read_state(b'a="x,b=y"'), b'a="x,b=y"')  # two members: quotes mean nothing
        self.assertEqual(read_state(None), b"")

    def test_what_is_malformed_is_dropped_as_a_whole(self) -> None:
        members = [b"k%d=v" % number for number in range(MOST_MEMBERS + 1)]
        self.assertNotEqual(read_state(b",".join(members[:-1])), b"")
        for wrong in (
            b"a",
            b"=1",
            b"a=",
            b"A=1",
            b"a=1,a=2",
            b"a=1=2",
            b"a=\xff",
            b"a=1\x00",
            b"a b=1",
            b"a=" + b"v" * 257,
            b"k" * 257 + b"=1",
            b",".join(members),
            b"a=1," * 10_000,
        ):
            self.assertEqual(read_state(wrong), b"", wrong[:50])
        found = read_context(GOOD, b"A=1")
        assert found is not None
        self.assertEqual(found.fields(), [(b"traceparent", GOOD)])

    @given(st.lists(st.tuples(KEYS, st.binary(min_size=1, max_size=200)), max_size=40))
    def test_what_is_passed_on_is_the_first_members_whole(self, members: list[tuple[bytes, bytes]]) -> None:
        state = read_state(b",".join(b"%b=%b" % (key, value.hex().encode()) for key, value in members))
        self.assertLessEqual(len(state), MOST_STATE)
        kept = state.split(b",") if state else []
        self.assertEqual(kept, [b"%b=%b" % (k, v.hex().encode()) for k, v in members][: len(kept)])
