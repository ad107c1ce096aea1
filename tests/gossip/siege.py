"""A siege: a node with a valid certificate says whatever the schema of messages lets it say, to honest nodes.

The nodes are those of the simulator: real cores, a network that is quick.  One of them, *evil*, sends
messages beside its own: made from the schema (:mod:`tests.gossip.hostile`), with what is in use at its
victims among the values; a good part of them signed with its own key, since that is what it has.  Then it
goes, its certificate is revoked, and the honest nodes publish again what it had written over.  What is not
as before after that is a *lasting effect*.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from edge.gossip.batches import HASH_BYTES, Batch, statement
from edge.gossip.changes import (
    Changes,
    Message,
    Record,
    Repair,
    change_hash,
    decode_message,
    encode_message,
    unpack,
)
from edge.gossip.packet import ALIVE, Packet, decode, encode, load_statement
from edge.gossip.progress import Progress
from edge.gossip.schema import GossipError
from edge.load.report import LoadReport
from simulation.keyring import HashKeyring, fingerprint
from simulation.world import Node, Process, World
from tests.gossip.hostile import Attacker

HONEST, EVIL = ("n1", "n2", "n3"), "n4"
PATHS = [b"/", b"/index.html", b"/sw.js", b"/a%20b.html", *(b"/%d.css" % number for number in range(12))]
_PACKET, _MESSAGE = inspect.type_info(Packet), inspect.type_info(Message)
_BRINGING = inspect.type_info(Changes), inspect.type_info(Repair)


class Outcome(NamedTuple):
    """What a siege has led to."""

    #: Messages sent, and those of them that were decoded.
    sent: int
    decoded: int
    #: Sentences about what is not as before.
    lasting: list[str]
    #: Bytes of what the cores of one victim keep: after a quarter of the messages, and at the end.
    early: int
    late: int


class Siege:
    """The nodes, and what evil sends them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.world = World(seed, 4, tables=True)
        self.world.run(5)
        self.sent = self.decoded = 0
        self.sequence = 1
        #: What honest nodes have published: (node, path, records).
        self.honest: set[tuple[str, bytes, tuple[Record, ...]]] = set()
        for number, path in enumerate(PATHS):
            self.publish(HONEST[number % 3], path, b"%d" % number)
        self.world.run(5)
        self.attacker = Attacker(self.random, wrong=0.001)
        self.messages: list[Message] = []

    def node(self, name: str) -> Node:
        """A node of the world, which runs."""
        node = self.world.nodes[name]
        assert node.membership is not None and node.replica is not None
        return node

    def publish(self, name: str, path: bytes, text: bytes) -> None:
        """An honest node publishes."""
        record = Record(0, text.ljust(32, b"-"), len(text), b"Content-Type: text/html\r\n", b"")
        self.honest.add((name, path, (record,)))
        self.world.publish(name, lambda replica, now_ms: replica.put(path, 7, (record,), now_ms))

    def run(self, count: int) -> Outcome:
        """*count* hostile messages, and what comes of them."""
        early = 0
        for number in range(count):
            if number % 50 == 0:
                self._look_around()
                self.publish("n1", PATHS[0], b"again")
                self.report()
            self._attack(HONEST[number % 3])
            if number % 10 == 0:
                self.world.run(0.05)
            if number == count // 4:
                early = size(self.node("n1"))
        late = size(self.node("n1"))
        return Outcome(self.sent, self.decoded, self._aftermath(), early, late)

    def report(self) -> None:
        """All nodes tell their load."""
        self.sequence += 1
        for name in HONEST:
            membership = self.node(name).membership
            assert membership is not None
            membership.set_load(self._load(name), self.world.now)

    def _load(self, name: str) -> LoadReport:
        life = self.node(name).membership
        assert life is not None
        return LoadReport(name, life.me.generation, self.sequence, 0.2, 0.8, 1, 0, 1, 1, 0.1, False)

    @property
    def _evil(self) -> Process:
        return self.world.nodes[EVIL].process

    # Attacks

    def _look_around(self) -> None:
        """What evil can know: names, paths, generations, numbers, batches."""
        known: list[Any] = [*self.world.nodes, *PATHS, b"A: b\r\n", b"/evil"]
        for name in self.world.nodes:
            node = self.node(name)
            assert node.membership is not None and node.replica is not None
            me = node.membership.me
            known += [me.generation, me.host, me.port, node.membership.incarnation, self.sequence]
            for position in node.replica.version_vector():
                known += [position.generation, position.sequence]
            proof = node.replica.proof(name)
            if proof is not None:
                known += [proof.signer, proof.signature, proof.hashes]
        known.append(self.world.now_ms(self.world.nodes[EVIL]) << 16)
        self.attacker.known = known
        lives = [self._life(name) for name in self.world.nodes]
        near = (-1, 0, 0, 0, 0, 1, 2)
        self.attacker.hints = {
            **{field: list(self.world.nodes) for field in ("name", "origin", "accuser", "target")},
            "state": [0, 1, 2, 3],
            "generation": [life.me.generation + step for life in lives for step in near if step >= 0],
            "incarnation": [max(0, life.incarnation + step) for life in lives for step in near],
            "host": [life.me.host for life in lives], "port": [7000], "after": [0, 0, 1], "modified": [0, 7],
            "number": [life._number + step for life in lives for step in near],
        }  # fmt: skip

    def _attack(self, victim: str) -> None:
        self.sent += 1
        kind = self.random.random()
        with suppress(GossipError):
            if kind < 0.5:
                packet = decode(msgspec.msgpack.encode(self.attacker.value(_PACKET)))
                packet = decode(encode(self._signed_loads(packet)))
                self.world._hear(victim, self._evil, packet, self.random.random() < 0.5)
            else:
                message = decode_message(msgspec.msgpack.encode(self._table_message()))
                message = decode_message(encode_message(self._signed(message)))
                self.world._take(victim, self._evil, message)
            self.decoded += 1

    def _table_message(self) -> Any:
        """Any message, and more often than others those that bring changes."""
        value = self.attacker.value(_MESSAGE if self.random.random() < 0.4 else self.random.choice(_BRINGING))
        if self.random.random() < 0.9 and isinstance(value, list) and value:
            with suppress(IndexError, TypeError, KeyError):
                self._complete(value)
        return value

    def _complete(self, value: list[Any]) -> None:
        """What items refer to comes along: header lines and a batch."""
        heads, items, batches = {"changes": (8, 9, 10), "repair": (1, 2, 3)}[value[0]]
        value[heads] = [b"Content-Type: text/html\r\n", *value[heads]]
        value[batches] = [[EVIL, bytes(16), 1, 1, b"", b"x"], *value[batches]]
        for one in value[items]:
            item = one[1] if value[0] == "repair" else one
            item[5] = 0
            for record in item[4] or ():
                record[3:5] = [0, 0]

    def _signed_loads(self, packet: Packet) -> Packet:
        """Some load reports are signed by evil, with whatever name they have."""
        keys = HashKeyring(EVIL)
        loads = tuple(
            (age, report, keys.own, keys.sign(load_statement(report)))
            if self.random.random() < 0.8
            else (age, report, signer, signature)
            for age, report, signer, signature in packet.loads
        )
        return msgspec.structs.replace(packet, loads=loads)

    def _signed(self, message: Message) -> Message:
        """Most changes are signed by evil; some as its own, some under the name of another."""
        if not isinstance(message, Changes | Repair) or self.random.random() < 0.2:
            return message
        keys = HashKeyring(EVIL)
        origin = EVIL if self.random.random() < 0.8 else self.random.choice(HONEST)
        items = [one[1] if isinstance(message, Repair) else one for one in message.items]
        items = [(item[0], item[1], self._clock(item[2]), item[3], item[4], 0) for item in items][:64]
        unsigned = Batch(origin, keys.own, 0, 0, b"", b"x")
        pairs = unpack(message.heads, (unsigned,), [(origin, item) for item in items])
        hashes = b"".join(change_hash(change) for change, _ in pairs)[: 64 * HASH_BYTES]
        generation, head = 1, 1
        if isinstance(message, Changes):
            generation, head = message.generation, message.head
        signature = keys.sign(statement(origin, generation, head, hashes))
        batch = Batch(origin, keys.own, generation, head, hashes, signature)
        if isinstance(message, Repair):
            return Repair(message.heads, tuple((origin, item) for item in items), (batch,))
        proof = 0 if self.random.random() < 0.8 else None
        return msgspec.structs.replace(
            message, origin=origin, items=tuple(items), batches=(batch,), proof=proof, chains=()
        )

    def _clock(self, clock: int) -> int:
        """A date that wins, more often than not."""
        if self.random.random() < 0.4:
            return clock
        ahead = self.random.choice((0, 0, 1000, 86_400_000, 365 * 86_400_000, 9 * 365 * 86_400_000))
        return (self.world.now_ms(self.world.nodes[EVIL]) + ahead << 16) + self.random.randrange(100)

    # Afterwards

    def _aftermath(self) -> list[str]:
        """Evil goes and is revoked, what it wrote over is published again; what is not as before."""
        world = self.world
        generations = {name: self._life(name).me.generation for name in HONEST}
        world.crash(EVIL)
        world.run(30)
        self.report()
        world.run(30)
        left = [*self._members(generations, {EVIL}), *self._origins()]
        for name in HONEST:
            node = self.node(name)
            assert node.replica is not None and node.membership is not None
            keyring: Any = node.replica._keyring
            keyring.revoked[fingerprint(EVIL)] = 0
            node.replica.revoke(keyring.revoked)
            node.membership.expel(EVIL)
        world.run(60)
        for number, path in enumerate(PATHS):
            self.publish(HONEST[number % 3], path, b"%d" % number)
        self.report()
        world.run(60)
        return [*left, *self._members(generations, set()), *self._tables()]

    def _life(self, name: str) -> Any:
        return self.node(name).membership

    def _members(self, generations: dict[str, int], beside: set[str]) -> Iterator[str]:
        for name in HONEST:
            life = self._life(name)
            others = set(HONEST) - {name}
            if set(life.members) - beside != others:
                yield f"{name} knows {sorted(life.members)}"
            for other in others & set(life.members):
                member, theirs = life.members[other], self._life(other)
                update = member.latest
                if member.state != ALIVE or (update.host, update.port) != (theirs.me.host, theirs.me.port):
                    yield f"{name} takes {other} for {update}"
                if (update.generation, update.incarnation) != (theirs.me.generation, theirs.incarnation):
                    yield f"{name} has another life of {other}: {update}, it is {theirs.me}"
                load = life.load_of(other)
                if load is None or load[0] != self._load(other):
                    yield f"{name} has another load of {other}: {load}"
            if life.me.generation - generations[name] > 1000:
                yield f"{name} has gone from generation {generations[name]} to {life.me.generation}"

    def _origins(self) -> Iterator[str]:
        """What stands under the name of an honest node, and is none of its."""
        for name in HONEST:
            replica = self.node(name).replica
            assert replica is not None
            for change in replica.paths(b"", 100_000):
                if (
                    change.origin in HONEST
                    and (change.origin, change.path, change.records) not in self.honest
                ):
                    yield f"{name} has a change of {change.origin} that it never made: {change}"
            for position in replica.version_vector():
                if position.origin in HONEST:
                    own = self.node(position.origin).replica
                    assert own is not None
                    if position not in own.version_vector():
                        yield f"{name} has another position of {position.origin}: {position}"

    def _tables(self) -> Iterator[str]:
        tables = {}
        for name in HONEST:
            replica = self.node(name).replica
            assert replica is not None
            changes = replica.paths(b"", 10_000)
            tables[name] = {change.path: (change.origin, change.clock) for change in changes}
            if set(tables[name]) != set(PATHS):
                yield f"{name} has {sorted(set(tables[name]) ^ set(PATHS))[:5]} beside or not"
            for position in replica.version_vector():
                if position.origin not in HONEST:
                    yield f"{name} has a position of {position}"
            progress = Progress(name, replica)
            for other in HONEST:
                their = self.node(other).replica
                assert their is not None
                progress.note(other, their.version_vector())
                if replica.requests.is_distrusted(other):
                    yield f"{name} distrusts {other}"
            if progress.behind():
                yield f"{name} is behind: {progress.behind()}"
        if len({tuple(sorted(table.items())) for table in tables.values()}) != 1:
            yield f"the tables differ: {tables}"


def size(node: Node) -> int:
    """Bytes of what the cores of *node* keep in memory, and of its database, about."""
    seen: set[int] = set()
    waiting: list[Any] = [node.membership, node.replica]
    total = 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | Random) or callable(one):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset) or type(one).__name__ == "deque":
            waiting += list(one)
        elif isinstance(one, msgspec.Struct):
            waiting += [getattr(one, name) for name in one.__struct_fields__]
        elif type(one).__module__.startswith(("edge.", "simulation.")):
            waiting += list(vars(one).values()) if hasattr(one, "__dict__") else []
            waiting += [
                getattr(one, name) for name in getattr(type(one), "__slots__", ()) if hasattr(one, name)
            ]
    assert node.rows is not None
    return total + node.rows.size
