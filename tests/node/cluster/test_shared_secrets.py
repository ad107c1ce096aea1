"""The exchange of what all nodes agree on, over connections that the test makes and breaks."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import RequestTransmissionFailed, ResponseFailed, ResponseNeverReceived
from twisted.web.resource import Resource

from edge.node.cluster.peer_endpoints import MOST_BYTES
from edge.node.cluster.shared_secrets import PATIENCE, ROUND_SECONDS, SecretsResource, SharedSecrets
from edge.node.process.channel_limits import ChannelLimits
from tests.node.serving import Connection


class Words:
    """A document that merges: a set of words."""

    def __init__(self, *words: str) -> None:
        self.words = set(words)

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(sorted(self.words))

    def merge(self, data: bytes) -> bool:
        before = len(self.words)
        try:
            self.words.update(msgspec.msgpack.decode(data, type=list[str]))
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from None
        return len(self.words) > before


class Network:
    """Brings posts to nodes; a name that is not there cannot be reached, one in *silent* does not answer."""

    def __init__(self) -> None:
        self.nodes: dict[str, Callable[[bytes], bytes]] = {}
        self.silent: set[str] = set()
        self.statuses: dict[str, int] = {}
        self.posts: list[str] = []

    async def post(self, name: str, target: str, body: bytes) -> tuple[int, bytes]:
        self.posts.append(name)
        if name in self.silent:
            try:
                await Deferred()
            except CancelledError:  # as HTTP's client says it
                raise ResponseFailed([Failure()]) from None
        if name in self.statuses:
            return self.statuses[name], b"no"
        if name not in self.nodes:
            raise ConnectionLost
        return 200, self.nodes[name](body)


class SharedSecretsTests(SynchronousTestCase):
    """Three nodes."""

    def setUp(self) -> None:
        self.clock, self.network = Clock(), Network()
        self.words: dict[str, Words] = {}
        self.secrets: dict[str, SharedSecrets] = {}
        for name in "abc":
            others = [one for one in "abc" if one != name]
            secrets = SharedSecrets(self.network, lambda others=others: others, Random(1), self.clock)
            self.words[name] = Words(name)
            secrets.add("words", self.words[name])
            self.addCleanup(secrets.stop)
            self.secrets[name] = secrets
            self.network.nodes[name] = secrets.merge

    def known(self) -> list[str]:
        return ["".join(sorted(self.words[name].words)) for name in "abc"]

    def test_one_request_brings_two_nodes_together(self) -> None:
        self.secrets["a"].meet("b")
        self.assertEqual((self.known(), self.network.posts), (["ab", "ab", "c"], ["b"]))

    def test_what_has_changed_is_told_all_and_that_ends(self) -> None:
        self.secrets["a"].share()
        self.assertEqual(self.known()[0], "abc")
        self.assertEqual(self.network.posts, ["b", "c"])

    def test_what_was_missed_is_made_up_for_soon(self) -> None:
        for secrets in self.secrets.values():
            secrets.start()
        self.clock.pump([ROUND_SECONDS] * 6)
        self.assertEqual(self.known(), ["abc"] * 3)

    def test_a_node_that_does_not_answer_holds_nothing_up_and_is_told_later(self) -> None:
        self.network.silent.add("b")
        self.secrets["a"].share()
        self.words["a"].words.add("x")
        self.secrets["a"].share()
        self.assertEqual(self.words["c"].words, {"a", "b", "c", "x"} - {"b"})
        self.assertEqual(self.network.posts, ["b", "c", "c"], "one exchange at a time with each")
        self.network.silent.clear()
        self.clock.advance(PATIENCE)
        self.assertIn("x", self.words["b"].words)

    def test_a_program_that_does_not_know_it_yet_is_no_trouble_and_a_failure_is_logged_once(self) -> None:
        logged: list[str] = []
        self.patch(self.secrets["a"]._counted, "warn", lambda kind, text: logged.append(text))
        self.network.statuses["b"] = 404
        del self.network.nodes["c"]
        self.secrets["a"].share()
        self.assertEqual(len(logged), 1)
        self.assertIn("could not be told c", logged[0])

    def test_a_connection_that_ends_in_the_middle_is_said_in_words(self) -> None:
        logged: list[str] = []
        self.patch(self.secrets["a"]._counted, "warn", lambda kind, text: logged.append(text))
        for kind in (ResponseFailed, ResponseNeverReceived, RequestTransmissionFailed):

            def breaks(body: bytes, kind: Any = kind) -> bytes:
                raise kind([Failure(ConnectionLost())])

            self.network.nodes["b"] = breaks
            self.secrets["a"].share()
            [line] = logged
            self.assertIn("could not be told b: Connection to the other side was lost", line)
            logged.clear()

    def test_what_takes_too_long_is_said_and_what_the_end_breaks_off_is_not(self) -> None:
        logged: list[str] = []
        self.patch(self.secrets["a"]._counted, "warn", lambda kind, text: logged.append(text))
        self.network.silent.add("b")
        self.secrets["a"].meet("b")
        self.clock.advance(PATIENCE)
        self.assertEqual(
            logged, [f"what all nodes agree on could not be told b: no answer within {PATIENCE:g} s"]
        )
        self.secrets["a"].meet("b")
        self.secrets["a"].stop()
        self.assertEqual(len(logged), 1)

    def test_documents_that_only_one_of_two_has_are_left_alone(self) -> None:
        more = Words("more")
        self.secrets["a"].add("more", more)
        self.secrets["a"].meet("b")
        self.secrets["b"].meet("a")
        self.assertEqual((self.known()[:2], more.words), (["ab", "ab"], {"more"}))

    def test_after_the_end_nothing_is_asked(self) -> None:
        self.network.silent.add("b")
        self.secrets["a"].share()
        self.secrets["a"].share()
        self.secrets["a"].stop()
        self.clock.pump([ROUND_SECONDS] * 5)
        self.assertEqual(self.network.posts.count("b"), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    # Over HTTP

    def ask(self, method: str, body: bytes) -> Any:
        root = Resource()
        root.putChild(b"secrets", SecretsResource(self.secrets["a"].merge))
        connection = Connection(root, limits=ChannelLimits(body_bytes=MOST_BYTES))
        head = f"{method} /secrets HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.send(head.encode() + body)
        connection.turn()
        return connection.answers()[0]

    def test_an_exchange_over_http(self) -> None:
        answer = self.ask("POST", self.secrets["b"].encode())
        self.assertEqual((answer.status, answer.fields["cache-control"]), (200, "no-store"))
        self.secrets["b"].merge(answer.body)
        self.assertEqual(self.known()[:2], ["ab", "ab"])

    def test_what_is_no_exchange_changes_nothing(self) -> None:
        pack = msgspec.msgpack.encode
        for body in (
            b"",
            b"\xc1",
            pack([]),
            pack({"words": 1}),
            pack({"words": b"\xc1"}),
            pack({str(n): b"" for n in range(17)}),
            pack({"x" * 33: b""}),
        ):
            self.assertEqual(self.ask("POST", body).status, 400, body)
        self.assertEqual(self.ask("GET", b"").status, 405)
        self.assertEqual(self.ask("POST", b"x" * (MOST_BYTES + 1)).status, 413)
        self.assertEqual(self.known(), ["a", "b", "c"])
