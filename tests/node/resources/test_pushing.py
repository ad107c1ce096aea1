"""/.edge/socket over a channel: handshake, pushes, and clients that misbehave."""

from __future__ import annotations

import itertools
import json
import os
from base64 import urlsafe_b64decode
from typing import Any

from msgspec.structs import replace
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from edge.cache.group_changes import Stamp
from edge.cache.group_history import GroupChange, group_hash
from edge.load.document import LoadDocument, encode, node_load
from edge.load.report import unknown
from edge.load.riding import ride
from edge.load.riding import tag_of as tag_of_nodes
from edge.node.process.group_news import GroupNews, pack, unpack
from edge.node.resources.pushing import (
    LEAST_PERIOD,
    LONGEST_ROUND,
    MOST_PERIOD,
    PACE,
    SHARE,
    period,
    round_seconds,
)
from edge.node.resources.pushsocket import BEHIND_BYTES
from edge.resource import Resource
from edge.table.site_state import StateEntry
from tests.node.serving import NOW, parse_answers
from tests.node.tables import BODIES, Site, representation
from tests.node.tables import tag as tag_of

ASK = (
    b"GET /.edge/socket%b HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b\r\n"
)


class PushingTests(SynchronousTestCase):
    """One connection to a small site."""

    def setUp(self) -> None:
        self.site = Site(self.mktemp_directory())
        self.addCleanup(self.site.close)
        self.publish_load(1)
        self.connection = self.site.connect(frozenset({b"http://friend"}))
        self.addCleanup(self.site.pushing.stop)
        self.frames = Frames(ConnectionType.CLIENT)
        self.read = 0

    def mktemp_directory(self) -> str:
        path = self.mktemp()
        os.makedirs(path)
        return path

    def publish_load(self, number: int) -> None:
        one = representation(0, b'{"v": 1, "number": %d}\n' % number)
        self.site.writer.put(Resource(b"/.edge/load", NOW, (one,)), counts=False)

    def publish_nodes(self, number: int, *weights: float) -> None:
        reports = [replace(unknown(f"n{i}"), weight=weight) for i, weight in enumerate(weights)]
        nodes = tuple(node_load(report, "") for report in reports)
        one = representation(0, encode(LoadDocument("", number, 0, nodes)))
        self.site.writer.put(Resource(b"/.edge/load", NOW, (one,)), counts=False)

    def publish_cluster(self, number: int, *weights: float, url: str = "http://n") -> LoadDocument:
        """The load of nodes that have a tag."""
        reports = [replace(unknown(f"n{i}"), weight=weight) for i, weight in enumerate(weights)]
        nodes = tuple(node_load(report, f"{url}{i}") for i, report in enumerate(reports))
        tag = tag_of_nodes((node.id, node.url) for node in nodes)
        document = LoadDocument("", number, NOW * 1000 + number, nodes, tag=tag)
        one = representation(0, encode(document))
        self.site.writer.put(Resource(b"/.edge/load", NOW, (one,)), counts=False)
        return document

    def told(self) -> list[Any]:
        """What has come: documents and changes as they are, words as (seconds, at, word)."""
        found: list[Any] = []
        for one in self.events():
            if isinstance(one, TextMessage):
                found.append(json.loads(one.data))
            elif isinstance(one, BytesMessage):
                data = bytes(one.data)
                self.assertEqual(data[:2], b"\4\0")
                at = int.from_bytes(data[4:10], "big")
                found.append((int.from_bytes(data[2:4], "big"), at, data[10:].decode("ascii")))
        return found

    def open(
        self, query: bytes = b"", lines: bytes = b"Origin: http://localhost:8080\r\n", more: bytes = b""
    ) -> int:
        self.connection.send(ASK % (query, lines) + more)
        head, end, _ = self.connection.transport.written.partition(b"\r\n\r\n")
        self.read = len(head) + len(end)
        return int(head.split()[1])

    def events(self) -> list[Any]:
        written = self.connection.transport.written
        self.frames.receive_data(written[self.read :])
        self.read = len(written)
        return list(self.frames.events())

    def messages(self) -> list[Any]:
        return [json.loads(one.data) for one in self.events() if isinstance(one, TextMessage)]

    def test_both_topics_come_at_once_and_when_they_change(self) -> None:
        self.assertEqual(self.open(), 101)
        load, changed = self.messages()
        self.assertEqual(load, {"type": "load", "document": {"v": 1, "number": 1}})
        self.assertEqual(changed["type"], "changed")
        self.connection.pass_time(2)
        self.assertEqual(self.messages(), [])
        self.publish_load(2)
        self.connection.pass_time(1)
        self.assertEqual([one["document"]["number"] for one in self.messages()], [2])
        self.site.put(b"/new", representation(0, b"new"))
        self.connection.pass_time(1)
        self.assertEqual(self.messages(), [{"type": "changed", "seq": changed["seq"] + 1}])

    def repeated(self) -> int:
        """What is to be done again and again."""
        return sum(isinstance(call.func, LoopingCall) for call in self.connection.clock.getDelayedCalls())

    def test_a_worker_to_which_nobody_listens_wakes_for_nothing(self) -> None:
        before = self.repeated()
        self.open()
        self.assertEqual(self.repeated(), before + 2)
        self.connection.send(self.frames.send(CloseConnection(1000)))
        self.assertEqual(self.repeated(), before)

    def test_in_version_2_the_nodes_come_once_and_their_figures_in_a_word(self) -> None:
        first = self.publish_cluster(1, 0.5, 0.25, 1, 0)
        self.assertEqual(self.open(b"?topics=load&v=2"), 101)
        document, word = self.told()
        self.assertEqual(document["document"]["tag"], first.tag)
        self.assertEqual(word, (5, first.at, ride(first.nodes)))
        second = self.publish_cluster(2, 0.5, 0.5, 1, 0)
        before = len(self.connection.transport.written)
        self.connection.pass_time(5)
        self.assertEqual(self.told(), [(5, second.at, ride(second.nodes))])
        self.assertEqual(len(self.connection.transport.written) - before, 24)
        # Another place of a node is other nodes, and cannot wait.
        third = self.publish_cluster(3, 0.5, 0.5, 1, 0, url="http://m")
        self.connection.pass_time(5)
        document, word = self.told()
        self.assertEqual((document["document"]["nodes"][0]["url"], word[1]), ("http://m0", third.at))

    def test_in_version_2_what_has_no_word_comes_as_a_document(self) -> None:
        """More than 16 nodes, a document of another program; and versions that nobody knows yet are 2."""
        self.publish_cluster(1, *[0.5] * 17)
        self.assertEqual(self.open(b"?topics=load&v=7"), 101)
        self.assertEqual([one["document"]["seq"] for one in self.told()], [1])
        self.publish_cluster(2, *[0.5] * 17)
        self.connection.pass_time(5)
        self.publish_load(3)
        self.connection.pass_time(5)
        self.assertEqual([one["document"].get("seq", 3) for one in self.told()], [2, 3])
        self.publish_cluster(4, 0.5)
        self.connection.pass_time(5)
        self.assertEqual(len(self.told()), 2)

    def test_in_version_2_topics_have_the_same_names(self) -> None:
        self.publish_cluster(1, 0.5)
        self.open(b"?topics=changed&v=2")
        self.assertEqual([one["type"] for one in self.told()], ["changed"])
        self.connection.send(self.frames.send(TextMessage('{"type":"subscribe","topics":["load"]}')))
        document, word = self.told()
        self.assertEqual((document["type"], len(word[2])), ("load", 6))
        self.connection.send(self.frames.send(TextMessage('{"type":"subscribe","topics":["word"]}')))
        (goodbye,) = self.events()
        self.assertEqual(goodbye.reason, "There is no topic 'word'; there are load, changed and status")

    def test_versions_that_are_none_are_the_first(self) -> None:
        self.publish_cluster(1, 0.5)
        for version in (b"", b"1", b"0", b"02", b"x", b"2.0", b"-2", b"9" * 99):
            self.connection = self.site.connect()
            self.addCleanup(self.site.pushing.stop)
            self.frames = Frames(ConnectionType.CLIENT)
            self.assertEqual(self.open(b"?topics=load&v=" + version), 101)
            self.assertEqual(len(self.told()), 1, version)

    def test_one_topic(self) -> None:
        self.assertEqual(self.open(b"?topics=changed"), 101)
        self.publish_load(2)
        self.connection.pass_time(1)
        self.assertEqual([one["type"] for one in self.messages()], ["changed"])

    def test_a_client_chooses_other_topics_later(self) -> None:
        self.open(b"?topics=changed")
        self.messages()
        self.connection.send(self.frames.send(TextMessage('{"type":"subscribe","topics":["load"]}')))
        self.assertEqual([one["type"] for one in self.messages()], ["load"])
        self.site.put(b"/new", representation(0, b"new"))
        self.publish_load(2)
        self.connection.pass_time(1)
        self.assertEqual([one["type"] for one in self.messages()], ["load"])

    def test_what_was_subscribed_to_is_not_told_twice(self) -> None:
        self.open(b"?topics=changed")
        self.publish_load(2)
        self.connection.pass_time(2)
        self.messages()
        text = '{"type":"subscribe","topics":["load","changed"]}'
        self.connection.send(self.frames.send(TextMessage(text)))
        self.connection.pass_time(3)
        self.assertEqual([one["type"] for one in self.messages()], ["load"])

    def test_other_messages_end_the_connection_with_the_reason(self) -> None:
        deep = '{"type":"subscribe","topics":["load"],"x":' + "[" * 4000
        all_topics = '{"type":"subscribe","topics":["all"]}'
        for text in ("hello", "{}", all_topics, '{"type":"subscribe"}', "\0", deep):
            self.setUp()
            self.open()
            self.connection.send(self.frames.send(TextMessage(text)))
            [end] = [one for one in self.events() if isinstance(one, CloseConnection)]
            self.assertEqual(end.code, 1008)
            self.assertIn("all" if "all" in text else "subscribe", end.reason)

    def test_a_topic_that_is_not_for_everybody_cannot_be_chosen_later_either(self) -> None:
        self.connection = self.site.connect(audience="local")
        self.open()
        self.connection.send(self.frames.send(TextMessage('{"type":"subscribe","topics":["load","status"]}')))
        [end] = [one for one in self.events() if isinstance(one, CloseConnection)]
        self.assertEqual((end.code, "status" in end.reason), (1008, True))

    def test_refusals_leave_the_connection_for_other_requests(self) -> None:
        for query, lines, status in (
            (b"", b"Origin: http://evil\r\n", 403),
            (b"?topics=all", b"", 400),
            (b"", b"Origin: https://localhost:8080\r\n", 403),
        ):
            self.setUp()
            self.assertEqual(self.open(query, lines), status)
            self.assertEqual(self.site.pushing.sockets, set())
            self.connection.send(b"GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual([one.status for one in self.connection.answers()], [status, 200])
        self.setUp()
        self.connection.send(b"GET /.edge/socket HTTP/1.1\r\nHost: a\r\n\r\n")
        (answer,) = parse_answers(self.connection.transport.written)
        self.assertEqual((answer.status, answer.fields["upgrade"]), (426, "websocket"))

    def test_a_page_whose_name_was_led_to_our_address_is_refused(self) -> None:
        for scheme, secure, status in ((b"http", False, 403), (b"https", True, 101)):
            self.setUp()
            self.connection = self.site.connect(frozenset(), secure=secure)
            ask = ASK.replace(b"localhost:8080", b"evil.example") % (
                b"",
                b"Origin: %b://evil.example\r\n" % scheme,
            )
            self.connection.send(ask)
            self.assertEqual(int(self.connection.transport.written.split()[1]), status)

    def test_a_friendly_origin_and_a_client_that_is_no_browser(self) -> None:
        self.assertEqual(self.open(lines=b"Origin: http://friend\r\n"), 101)
        self.setUp()
        self.assertEqual(self.open(lines=b""), 101)

    def test_frames_that_come_with_the_handshake_are_read(self) -> None:
        self.assertEqual(self.open(more=self.frames.send(CloseConnection(1000))), 101)
        self.assertIsInstance(self.events()[-1], CloseConnection)
        self.assertTrue(self.connection.transport.half_closed)
        self.assertEqual(self.site.pushing.sockets, set())

    def test_who_takes_nothing_gets_nothing_more_and_is_cut_off(self) -> None:
        self.open()
        transport = self.connection.transport
        transport.stalled = True
        for number in range(2, 20):
            self.publish_load(number)
            self.connection.pass_time(1)
        self.assertLess(transport.unsent, 300)  # one push
        self.assertFalse(transport.aborted)
        for _ in range(20):
            self.connection.send(self.frames.send(Pong()))  # it is there, but reads nothing
            self.connection.pass_time(1)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.site.pushing.sockets, set())

    def test_who_sends_pings_and_reads_no_pongs_is_cut_off(self) -> None:
        self.open()
        transport = self.connection.transport
        transport.stalled = True
        for number in range(BEHIND_BYTES // 127 + 2):
            if number % 90 == 89:
                self.connection.pass_time(1)
            if not transport.aborted:
                self.connection.send(self.frames.send(Ping(b"x" * 125)))
        self.assertTrue(transport.aborted)
        self.assertLess(transport.unsent, BEHIND_BYTES + 1000)

    def test_who_subscribes_and_reads_nothing_gets_it_once(self) -> None:
        self.open(b"?topics=load")
        transport = self.connection.transport
        self.messages()
        transport.stalled = True
        for _ in range(20):
            for topic in ("changed", "load"):
                text = json.dumps({"type": "subscribe", "topics": [topic]})
                self.connection.send(self.frames.send(TextMessage(text)))
        self.assertLess(transport.unsent, 100)
        transport.stalled = False
        transport.take(transport.unsent)
        self.connection.pass_time(2)
        self.assertEqual([one["type"] for one in self.messages()], ["changed", "load"])

    def test_what_is_true_now_comes_with_the_handshake(self) -> None:
        self.connection.transport.stalled = True
        self.open()
        self.assertEqual([one["type"] for one in self.messages()], ["load", "changed"])

    def test_who_takes_it_late_gets_the_newest_then(self) -> None:
        self.open()
        self.messages()
        transport = self.connection.transport
        transport.stalled = True
        for number in range(2, 9):
            self.publish_load(number)
            self.connection.pass_time(1)
        transport.stalled = False
        transport.take(transport.unsent)
        self.connection.pass_time(2)
        self.assertEqual([one["document"]["number"] for one in self.messages()], [2, 8])

    def test_figures_wait_for_their_turn_and_a_node_that_is_gone_does_not(self) -> None:
        self.open(b"?topics=load")
        self.publish_nodes(1, 0.5, 0.5)
        self.connection.pass_time(2)
        self.messages()
        for number in range(2, 6):  # four times a second
            self.publish_nodes(number, 0.5, number / 10)
            self.connection.clock.advance(0.25)
        self.assertEqual(len(self.messages()), 1)
        self.publish_nodes(6, 0.5, 0.0)
        self.connection.clock.advance(0.25)
        self.assertEqual([one["document"]["seq"] for one in self.messages()][-1:], [6])

    def test_many_connections_are_all_served_within_a_period(self) -> None:
        count = 2 * PACE
        others = [self.site.join(self.connection) for _ in range(count - 1)]
        self.open()
        self.connection.pass_time(5)
        self.assertEqual(len(self.site.pushing.sockets), count)
        before = [len(transport.written) for transport in others]
        self.publish_load(2)
        steps = int(period(count) / 0.05)
        served = []
        for _ in range(steps + 6):  # the look at the table, then a whole round
            self.connection.clock.advance(0.05)
            served.append(sum(len(one.written) > n for one, n in zip(others, before, strict=True)))
        self.assertEqual(served[-1], count - 1)
        self.assertLess(max(b - a for a, b in itertools.pairwise(served)), 3 * count / steps)

    def test_who_stays_does_not_wait_for_the_turns_of_those_who_have_gone(self) -> None:
        self.open()
        others = [self.site.join(self.connection) for _ in range(200)]
        for _ in range(3):  # in the middle of a round
            self.connection.pass_time(1)
            self.connection.clock.advance(0.05)
        for other in others:
            other.loseConnection()
        self.messages()
        for sequence in range(2, 6):
            self.publish_load(sequence)
            self.connection.pass_time(3 * LEAST_PERIOD)
            self.assertEqual([one["type"] for one in self.messages()], ["load"])

    def test_a_change_is_told_to_all_at_once_but_once_in_a_period(self) -> None:
        others = [self.site.join(self.connection) for _ in range(600)]
        self.connection.pass_time(5)
        before = [len(transport.written) for transport in others]
        self.site.put(b"/new", representation(0, b"new"))
        self.connection.clock.advance(0.25)
        told = lambda: sum(len(one.written) > n for one, n in zip(others, before, strict=True))  # noqa: E731
        self.assertEqual(told(), 600)
        before = [len(transport.written) for transport in others]
        for number in range(2):
            self.site.put(b"/new%d" % number, representation(0, b"new"))
            self.connection.clock.advance(0.25)
        self.assertLess(told(), 600)
        self.connection.clock.advance(LEAST_PERIOD)
        self.assertEqual(told(), 600)

    def test_the_period_grows_with_the_connections_and_stays_below_that_of_polls(self) -> None:
        self.assertEqual(period(1), LEAST_PERIOD)
        self.assertEqual(period(3 * PACE), 3.0)
        self.assertEqual(period(1_000_000), MOST_PERIOD)
        self.assertLess(MOST_PERIOD, 5)

    def test_load_documents_take_at_most_2_percent_of_the_link_and_news_none_of_that_time(self) -> None:
        count, link_bps = 400, 1e6
        self.connection = self.site.connect(link_bps=link_bps)
        others = [self.site.join(self.connection) for _ in range(count)]
        self.publish_nodes(1, 0.5, 0.5)
        self.connection.pass_time(30)
        sent = lambda: sum(len(one.written) for one in others)  # noqa: E731
        before = sent()
        for number in range(120):
            self.publish_nodes(number, 0.5, 0.1 + number / 1000)
            self.connection.clock.advance(0.25)
        self.assertLess((sent() - before) * 8 / 30, 1.1 * SHARE * link_bps)
        self.assertGreater((sent() - before) * 8 / 30, 0.8 * SHARE * link_bps)
        document = json.loads(others[0].written.rpartition(b'"document": ')[2].partition(b"}]}")[0] + b"}]}")
        self.assertGreater(document["ttl_ms"], 10_000)
        before_each = [len(one.written) for one in others]
        self.site.put(b"/new", representation(0, b"new"))
        self.publish_nodes(300, 0.5, 0.0)
        self.connection.pass_time(2)
        for one, length in zip(others, before_each, strict=True):
            self.assertIn(b"changed", one.written[length:])
            self.assertIn(b'"seq":300', one.written[length:])

    def test_the_round_grows_with_the_connections_up_to_what_clients_poll_at(self) -> None:
        self.assertEqual(round_seconds(10, 1000, 1e9), LEAST_PERIOD)
        self.assertEqual(round_seconds(50_000, 1250, 5e8), 50.0)
        self.assertEqual(round_seconds(1_000_000, 1250, 5e8), LONGEST_ROUND)
        self.assertEqual(round_seconds(1_000_000, 1250, 0), MOST_PERIOD)

    def settled(self, history: bytes = b"aaaaaa2\naaaaaa1\naaaaaa2 /a.txt\n") -> StateEntry:
        entry = StateEntry(self.site.writer)
        entry.settle(history, 0)
        return entry

    def ask(self, question: bytes) -> list[Any]:
        self.connection.send(self.frames.send(BytesMessage(question)))
        return [bytes(one.data) for one in self.events() if isinstance(one, BytesMessage)]

    def test_questions_are_answered_as_by_http(self) -> None:
        entry = self.settled()
        self.open(b"?topics=changed")
        self.assertEqual(self.ask(b"\1\0aaaaaa2"), [b"\x81\0"])
        self.assertEqual(self.ask(b"\1\1aaaaaa1"), [b"\x81\1aaaaaa2\n/a.txt\n"])
        self.assertEqual(self.ask(b"\1\2x"), [b"\x81\2?\n"])
        tag = urlsafe_b64decode(tag_of(BODIES[0]).strip('"'))
        copies = tag + b"\x06/a.txt" + bytes(12) + b"\x06/a.txt"
        self.assertEqual(self.ask(b"\2\3" + copies), [b"\x82\3\0\7aaaaaa2\0\1"])
        entry.open()
        self.assertEqual(self.ask(b"\1\4aaaaaa2"), [b"\x81\4?\n"])
        self.assertEqual(self.ask(b"\2\5" + copies), [b"\x82\5\0\0\0\1"])

    def news(self, *groups: str, everything: bool = False) -> None:
        """The supervisor says that *groups* have changed, one after the other, by the node n1."""
        changes = []
        for group in groups:
            self.sequence = getattr(self, "sequence", 0) + 1
            changes.append(GroupChange((group_hash(group),), "n1", 7, self.sequence))
        if everything:
            changes.append(GroupChange(None, "n1", 7, self.sequence, None))
        vector = {"n1": Stamp(7, getattr(self, "sequence", 0))}
        self.site.pushing.tell_groups(unpack(pack(GroupNews(changes, vector))))

    def follow(self, *groups: str) -> None:
        text = json.dumps({"type": "follow", "groups": [group_hash(group) for group in groups]})
        self.connection.send(self.frames.send(TextMessage(text)))

    def test_who_follows_a_group_is_told_at_once_that_it_has_changed(self) -> None:
        self.open(b"?topics=changed")
        self.news("ranking")
        self.messages()
        self.follow("ranking", "recent")
        [begun] = self.messages()
        self.assertEqual((begun["type"], "g" in begun), ("groups", False))
        self.news("ranking", "character:41")
        [told] = self.messages()
        self.assertEqual(told["g"], [group_hash("ranking")])
        self.assertNotEqual(told["at"], begun["at"])
        self.assertEqual(self.ask(b"\3\1" + told["at"].encode()), [b"\x83\1"])
        changed = b"%b\n%b\n%b\n" % (
            told["at"].encode(),
            group_hash("ranking").encode(),
            group_hash("character:41").encode(),
        )
        self.assertEqual(self.ask(b"\3\2" + begun["at"].encode()), [b"\x83\2" + changed])

    def test_a_storm_of_one_group_is_one_message_in_a_tenth_of_a_second(self) -> None:
        self.open(b"?topics=changed")
        self.follow("ranking")
        self.messages()
        for _ in range(1000):
            self.news("ranking")
            self.connection.clock.advance(0.001)
        told = self.messages()
        self.assertTrue(10 <= len(told) <= 11, len(told))
        self.connection.clock.advance(0.2)
        [last] = self.messages()
        self.assertEqual(self.ask(b"\3\1" + last["at"].encode()), [b"\x83\1"])
        self.connection.clock.advance(5)
        self.assertEqual(self.messages(), [])

    def test_what_may_have_changed_is_told_and_no_state_from_before_is_understood(self) -> None:
        self.open(b"?topics=changed")
        self.news("ranking")
        self.follow("recent")
        *_, begun = self.messages()
        self.news(everything=True)
        [told] = self.messages()
        self.assertIsNone(told["g"])
        [answer] = self.ask(b"\3\1" + begun["at"].encode())
        self.assertEqual(answer, b"\x83\1?" + told["at"].encode() + b"\n")

    def test_a_node_that_has_lost_touch_confirms_nothing(self) -> None:
        self.open(b"?topics=changed")
        self.news("ranking")
        self.site.segment.set_answers_lease(0)
        self.follow("ranking")
        *_, begun = self.messages()
        self.assertTrue(self.ask(b"\3\1" + begun["at"].encode())[0].startswith(b"\x83\1?"))
        self.site.segment.set_answers_lease(1 << 40)
        self.assertEqual(self.ask(b"\3\2" + begun["at"].encode()), [b"\x83\2"])

    def test_who_takes_nothing_is_told_later(self) -> None:
        self.open(b"?topics=changed")
        self.follow("ranking")
        self.messages()
        transport = self.connection.transport
        transport.stalled = True
        self.news("ranking")
        self.connection.clock.advance(0.5)
        self.news("ranking")
        transport.take(100_000)
        self.assertLessEqual(len(self.messages()), 1)
        self.connection.clock.advance(1.5)
        [told] = self.messages()[-1:]
        self.assertEqual(told["g"], [group_hash("ranking")])

    def test_what_cannot_be_followed_ends_the_connection_with_the_reason(self) -> None:
        for groups in (["short"], ["7m-zFnsC"] * 257, ["7m-zFns\u00e4"], [7], "7m-zFnsC"):
            self.setUp()
            self.open()
            text = json.dumps({"type": "follow", "groups": groups})
            self.connection.send(self.frames.send(TextMessage(text)))
            [end] = [one for one in self.events() if isinstance(one, CloseConnection)]
            self.assertEqual((end.code, bool(end.reason)), (1008, True))

    def test_where_there_is_no_state_nothing_can_be_said(self) -> None:
        self.open(b"?topics=changed")
        self.assertEqual(self.ask(b"\1\0aaaaaa2"), [b"\x81\0?\n"])

    def test_what_is_no_question_ends_the_connection_with_the_reason(self) -> None:
        for question in (b"", b"\1", b"\0\0", b"\xff\0", b"\2\0x", b"\2\0" + bytes(4000)):
            self.setUp()
            self.open()
            self.connection.send(self.frames.send(BytesMessage(question)))
            [end] = [one for one in self.events() if isinstance(one, CloseConnection)]
            self.assertEqual((end.code, bool(end.reason)), (1008, True))

    def test_who_asks_and_takes_no_answers_is_cut_off(self) -> None:
        self.settled(b"aaaaaa2\naaaaaa1\naaaaaa2 /" + b"x" * 4000 + b"\n")
        self.open()
        transport = self.connection.transport
        transport.stalled = True
        ask = self.frames.send(BytesMessage(b"\1\0aaaaaa1"))
        self.connection.send(ask * 50)
        self.assertTrue(transport.aborted)
        self.assertLess(transport.unsent, BEHIND_BYTES + 5000)

    def test_a_deploy_is_told_of_when_it_has_ended(self) -> None:
        entry = self.settled()
        self.open(b"?topics=changed")
        self.assertEqual([one["s"] for one in self.messages()], ["aaaaaa2"])
        entry.open()
        for number in range(4):
            self.site.put(b"/new%d" % number, representation(0, b"new"))
            self.connection.pass_time(2)
        self.assertEqual(self.messages(), [])
        entry.settle(b"aaaaaa3\naaaaaa1\n", 0)
        self.connection.clock.advance(0.25)
        self.assertEqual([one["s"] for one in self.messages()], ["aaaaaa3"])

    def test_this_node_alone_is_a_topic_for_who_asks(self) -> None:
        one = representation(0, b'{"v": 1, "node": "n1"}\n')
        self.site.writer.put(Resource(b"/.edge/status", NOW, (one,)), counts=False)
        self.open(b"?topics=status")
        self.assertEqual(self.messages(), [{"type": "status", "document": {"v": 1, "node": "n1"}}])

    def test_the_silent_are_pinged_and_given_up(self) -> None:
        self.open()
        self.events()
        self.connection.pass_time(40)
        self.assertTrue(self.events())
        self.connection.pass_time(50)
        self.assertTrue(self.connection.transport.aborted)
        self.assertEqual(self.site.pushing.sockets, set())

    def test_a_message_that_is_too_large_and_the_end_of_the_server(self) -> None:
        self.open()
        self.connection.send(self.frames.send(TextMessage("x" * 5000)))
        self.assertEqual([one.code for one in self.events() if isinstance(one, CloseConnection)], [1009])
        self.setUp()
        self.open()
        self.connection.site.drain()
        self.assertEqual([one.code for one in self.events() if isinstance(one, CloseConnection)], [1001])
        self.connection.pass_time(6)
        self.assertTrue(self.connection.transport.aborted)
