"""What applications and nodes say to each other over edge-app/1, whoever took one of them over."""

from __future__ import annotations

from collections.abc import Callable

from edge.app.answering import ApplicationEnd
from edge.app.asking import NodeEnd
from edge.app.ends import End
from edge.app.messages import (
    WINDOW,
    Answer,
    Ask,
    Cancel,
    Changed,
    Close,
    Credit,
    Data,
    Drain,
    Message,
    Open,
    Opened,
    Ready,
    Settled,
    encode,
)

#: Exchanges that an application takes at once.
_AT_ONCE = 4


def application(data: bytes) -> None:
    """What an application says to a node that asks; the first byte says how it is cut."""
    end = NodeEnd()
    end.receive(encode(Ready(1, _AT_ONCE)))
    for method, length in ((b"GET", 0), (b"HEAD", 0), (b"POST", None)):
        end.ask(method, b"/", [], b"h", length=length)
    end.open(b"/", [], b"h")
    end.send(3, b"x" * (2 * WINDOW), False)
    _run(end, data)


def node(data: bytes) -> None:
    """What a node says to an application that answers."""
    end = ApplicationEnd(_AT_ONCE)
    end.changed([b"g"])
    _run(end, data)


def _run(end: End, data: bytes) -> None:
    """Each event is acted on as a shell does it; what breaks a rule ends it, with a sentence."""
    end.output()
    step, size = (data[:1] or b"\xff")[0] + 1, 0
    for start in range(1, len(data), step):
        for event in end.receive(data[start : start + step]):
            body = getattr(event, "body", b"")
            size += len(body)
            assert len(body) <= WINDOW
            if isinstance(end, ApplicationEnd) and isinstance(event, Ask):
                end.answer(event.number, 200, [], None, b"x" * (WINDOW + 1), more=True)
            elif isinstance(end, ApplicationEnd) and isinstance(event, Open):
                end.opened(event.number, [], b"")
            elif isinstance(end, NodeEnd) and isinstance(event, Changed):
                end.settled(event.number, 0)
            elif isinstance(event, Answer | Data | Message):
                end.taken(event.number, len(body))
    assert size <= len(data)
    assert end.running <= _AT_ONCE
    if end.broken is not None:
        assert end.broken.isprintable(), end.broken
        assert end.receive(encode(Drain())) == []


TARGETS: dict[str, Callable[[bytes], None]] = {"application": application, "application_node": node}

_FIELDS = [(b"content-type", b"text/plain")]
_ASK = Ask(1, b"GET", b"/a?b", _FIELDS, b"h", True, b"::1", b"/at", b"x", True, 3, 1000, 7)
SEEDS: dict[str, list[bytes]] = {
    "application": [
        b"\xff" + encode(Answer(1, 200, _FIELDS, 3, b"a", True)) + encode(Data(1, b"bc", False, _FIELDS)),
        b"\x05" + encode(Answer(3, 103, _FIELDS, None, b"", True)) + encode(Credit(3, WINDOW)),
        b"\xff"
        + encode(Opened(4, _FIELDS, b"p"))
        + encode(Message(4, b"m", True, False))
        + encode(Close(4, 1000, b"r")),
        b"\xff"
        + encode(Changed(1, [b"g"]))
        + encode(Changed(2, None))
        + encode(Drain())
        + encode(Cancel(2, b"r")),
    ],
    "application_node": [
        b"\xff"
        + encode(_ASK)
        + encode(Data(1, b"yz", False, []))
        + encode(Credit(1, 9))
        + encode(Cancel(1, b"r")),
        b"\x07"
        + encode(Open(1, b"/", _FIELDS, b"h", False, b"", b"", [b"p"]))
        + encode(Message(1, b"m", False, True)),
        b"\xff" + encode(Settled(1, 2)) + encode(_ASK._replace(number=9, more=False, length=None)),
    ],
}
