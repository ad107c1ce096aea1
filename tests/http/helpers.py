"""Driving the parser: whole input, input cut anywhere, and what came out as comparable values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edge.http.errors import ProtocolError
from edge.http.events import NEED_DATA, Data, EndOfMessage, Event, Limits, RequestHead
from edge.http.parser import RequestParser

HOST = b"Host: example.org\r\n"

Outcome = list[Event | tuple[int, str]]


def _add(events: Outcome, event: Event) -> None:
    """Append, joining neighbouring pieces of data: how a body is cut has no meaning."""
    last = events[-1] if events else None
    if isinstance(event, Data) and isinstance(last, Data):
        events[-1] = Data(last.data + event.data)
    else:
        events.append(event)


def run(pieces: Iterable[bytes], limits: Limits | None = None) -> tuple[Outcome, bytes]:
    """All events of all requests in *pieces*, and the bytes left over; each message is answered at once.

    A refusal comes as (status, explanation) at the end.
    """
    parser = RequestParser(limits)
    events: Outcome = []
    for piece in pieces:
        parser.receive(piece)
        try:
            while (event := parser.next_event()) is not NEED_DATA:
                assert isinstance(event, RequestHead | Data | EndOfMessage)
                _add(events, event)
                if isinstance(event, EndOfMessage):
                    parser.start_next_cycle()
        except ProtocolError as problem:
            events.append((problem.status, problem.explanation))
    return events, parser.trailing


def parse(data: bytes, limits: Limits | None = None) -> Outcome:
    """The events of *data*, given whole."""
    return run([data], limits)[0]


def only_head(data: bytes, limits: Limits | None = None) -> RequestHead:
    """The head of the one request in *data*."""
    head = parse(data, limits)[0]
    assert isinstance(head, RequestHead), head
    return head


def status_of(data: bytes, limits: Limits | None = None) -> int | None:
    """The status that *data* is refused with; None: not refused."""
    last = parse(data, limits)[-1:]
    return next((event[0] for event in last if isinstance(event, tuple)), None)


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """*data* in two pieces in every way, and a byte at a time."""
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
    yield [data[i : i + 1] for i in range(len(data))]
