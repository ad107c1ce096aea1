"""Answers as a wire gives them, for what counts and adds them."""

from __future__ import annotations

from hypothesis import strategies as st

from loadgen.run.client.sender import LogicalRequest
from loadgen.wire.interface import OK, Answer

START = 10**12
MS = 1_000_000


def answer(
    node: int = 0, due: int = START, lag: int = 0, took: int = 10 * MS, status: int = 200, error: int = OK,
    size: int = 100,
) -> Answer:  # fmt: skip
    """One that was begun *lag* nanoseconds late and took so long from then."""
    begun = due + lag
    return Answer(
        1, node, status, error, due, begun, begun + 1000, begun + took, begun + took, 50, size, b"", -1, 0, 0
    )


def ask(planned: int = START) -> LogicalRequest:
    """What it answers."""
    return LogicalRequest(0, 0, planned, b"/", "document", lambda request, answer: None)


#: (answer, when the ask that it ends was planned; None: it ends none, why it failed).
Ended = tuple[Answer, "int | None", str]


@st.composite
def outcomes(draw: st.DrawFn) -> Ended:
    """Whatever can come of a request."""
    error = draw(st.sampled_from([0, 0, 0, 0, 1, 2, 5, 6]))
    due = START + draw(st.integers(0, 10**9))
    made = answer(
        draw(st.integers(0, 3)),
        due,
        draw(st.integers(0, 5 * MS)),
        draw(st.integers(2000, 3000 * MS)),
        0 if error else draw(st.sampled_from([200, 304, 404, 503])),
        error,
        0 if error else draw(st.integers(0, 10**6)),
    )
    planned = draw(st.one_of(st.none(), st.integers(due - 10**9, due)))
    reason = draw(st.sampled_from(["closed early", "status 503"])) if error or made.status > 400 else ""
    return made, planned, reason
