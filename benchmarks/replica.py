"""What a cold join costs the cores: a node with nothing reads the whole log of another."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import psutil

from edge.gossip.changes import Change, Record, decode_message, encode_message
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows

_NOW = 1_700_000_000_000
_LINES = b"Content-Type: text/html; charset=utf-8\r\nCache-Control: no-cache\r\n"


class JoinCost(NamedTuple):
    """CPU time and bytes that a cold join takes, for each entry."""

    #: CPU seconds for each entry.
    sender: float
    receiver: float
    #: Bytes for each entry: on the wire, and of resident memory at the receiver.
    wire: float
    memory: float
    #: Bytes of a repair exchange between equals.
    repair: int


def measure(directory: Path, entries: int) -> JoinCost:
    """Join a table of *entries*; both nodes keep theirs in files in *directory*."""
    directory.mkdir()
    rows = Rows(str(directory / "a"))
    sender = Replica("a", rows, _NOW)
    for begin in range(0, entries, 500):
        changes = []
        for number in range(begin, min(begin + 500, entries)):
            record = Record(0, number.to_bytes(32, "big"), 1000, _LINES, _LINES)
            changes.append(Change(b"/page/%d.html" % number, "a", number + 1, _NOW << 16 | 1, 0, (record,)))
        sender._take(changes, {})
    sender._positions["a"] = (_NOW, entries)
    sender.save(_NOW)
    receiver = Replica("b", Rows(str(directory / "b")), _NOW)
    process = psutil.Process()
    before = process.memory_info().rss
    spent = {"sender": 0.0, "receiver": 0.0}
    wire = 0
    (message,) = receiver.notice("a", sender.version_vector(), _NOW)[:1]
    while True:
        began = time.process_time()
        answer = encode_message(sender.receive("b", message, _NOW).replies[0])
        spent["sender"] += time.process_time() - began
        wire += len(answer)
        began = time.process_time()
        received = receiver.receive("a", decode_message(answer), _NOW)
        receiver.save(_NOW)
        spent["receiver"] += time.process_time() - began
        if not received.replies:
            break
        message = received.replies[0]
    memory = process.memory_info().rss - before
    question = sender.repair_round()
    repair = len(encode_message(question)) + sum(
        len(encode_message(reply)) for reply in receiver.receive("a", question, _NOW).replies
    )
    return JoinCost(
        spent["sender"] / entries, spent["receiver"] / entries, wire / entries, memory / entries, repair
    )
