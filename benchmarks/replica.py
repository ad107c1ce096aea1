"""What a cold join costs the cores: a node with nothing reads the whole log of another."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import psutil

from edge.gossip.changes import Record, decode_message, encode_message
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from edge.trust.authority import certify, create
from edge.trust.contexts import PeerCertificates
from edge.trust.keyring import NodeKeyring

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
    create(directory / "ca", "bench")
    keyrings = {node: keyring_of(directory / "ca", node, "bench") for node in "ab"}
    keyrings["b"].learn(keyrings["a"].chain(keyrings["a"].own))
    sender = Replica("a", Rows(str(directory / "a"), keyrings["a"]), _NOW)
    for number in range(entries):
        record = Record(0, number.to_bytes(32, "big"), 1000, _LINES, _LINES)
        sender.put(b"/page/%d.html" % number, 0, (record,), _NOW)
        if number % 500 == 0:
            sender.save(_NOW)
    sender.save(_NOW)
    receiver = Replica("b", Rows(str(directory / "b"), keyrings["b"]), _NOW)
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


def keyring_of(authority: Path, node: str, cluster: str) -> NodeKeyring:
    """The keyring of a new node *node*, with real keys, certified by the authority in a folder."""
    key, certificate, authorities = certify(authority, node, authority / node)
    certificates = PeerCertificates(node, certificate, key, authorities)
    certificates.load()
    return NodeKeyring(certificates, cluster)
