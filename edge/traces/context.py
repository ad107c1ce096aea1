"""W3C Trace Context: which trace a request is of (https://www.w3.org/TR/trace-context-2/).

``traceparent: 00-TRACE-SPAN-FLAGS`` names the trace (16 bytes), the span that caused the request (8 bytes),
and whether it is recorded; ``tracestate`` holds what other tracing systems want to be passed on.

Read strictly: what is malformed, ambiguous or of a version that cannot be is as if it were not there.  A
``tracestate`` that is malformed does no harm to its ``traceparent``.  Reading takes time linear in the bytes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edge.http.fields import Fields

TRACEPARENT, TRACESTATE = b"traceparent", b"tracestate"
#: The fields, as they are looked for among others.
NAMES = frozenset({TRACEPARENT, TRACESTATE})
#: The caller records the span; the trace's number is random.
SAMPLED, RANDOM = 1, 2

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_FIRST_VERSION, _NO_VERSION = b"00", b"ff"
#: Section 3.3.1.3: one member.  What is around it has been taken off.
_MEMBER = re.compile(rb"([a-z0-9][a-z0-9_*/@-]{0,255})=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256})")
#: Members of a tracestate (section 3.3.1.1), and its bytes that are passed on (section 3.3.1.5).
MOST_MEMBERS, MOST_STATE = 32, 512
#: Bytes of a tracestate that is read at all.
_READ_STATE = 8192


class Context(NamedTuple):
    """A place in a trace: a span, as those that it causes know it."""

    #: 16 bytes and 8 bytes, neither all zeros.
    trace_id: bytes
    span_id: bytes
    flags: int
    #: Like ``vendor=value,other=value``; b"": none.
    state: bytes = b""

    @property
    def is_sampled(self) -> bool:
        """Whether the span is recorded."""
        return bool(self.flags & SAMPLED)

    def fields(self) -> Fields:
        """How a request that this span causes says so."""
        said = b"00-%b-%b-%02x" % (self.trace_id.hex().encode(), self.span_id.hex().encode(), self.flags)
        return [(TRACEPARENT, said), *([(TRACESTATE, self.state)] if self.state else [])]


def read_context(traceparent: bytes | None, tracestate: bytes | None) -> Context | None:
    """What a request with these fields is caused by (lines of one name joined by commas); None: nothing."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent is not None else None
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == _NO_VERSION or (version == _FIRST_VERSION and more is not None):
        return None
    trace_id, span_id = bytes.fromhex(trace.decode()), bytes.fromhex(span.decode())
    if not any(trace_id) or not any(span_id):
        return None
    # Section 4.3: of flags only those that are known are passed on.
    return Context(trace_id, span_id, int(flags, 16) & (SAMPLED | RANDOM), read_state(tracestate))


def read_state(tracestate: bytes | None) -> bytes:
    """The members of *tracestate* that are passed on, the first ones; b"": none, or it is malformed."""
    if tracestate is None or len(tracestate) > _READ_STATE:
        return b""
    # Not list_members: quotes mean nothing here.
    members = [one for part in tracestate.split(b",") if (one := part.strip(b" \t"))]
    found = [_MEMBER.fullmatch(member) for member in members]
    keys = {one[1] for one in found if one is not None}
    if len(keys) < len(members) or len(members) > MOST_MEMBERS:  # malformed, or one key twice
        return b""
    state = b""
    for member in members:
        longer = b",".join(filter(None, (state, member)))
        if len(longer) > MOST_STATE:
            break
        state = longer
    return state
