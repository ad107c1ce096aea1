"""Requests that the native fast path holds until what they want is stored, over real sockets."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import replace

from edge.cache.record import unpack as record_of
from edge.cache.status import COLLAPSED, HIT, MISS, STORED, status_line
from edge.fastpath.answerer import monotonic_ms
from edge.fastpath.interface import Held, HeldEnd, Limits, Waited
from edge.logs.record import unpack
from edge.shares import NOBODY, network_of
from edge.table.layout import ticks_of
from tests.fastpath import site
from tests.fastpath.relay_case import RelayCase, come, get

WANTED = b"/app?x=1"


class HeldCase(RelayCase):
    """A fast path that holds what is nowhere."""

    def begin(self) -> None:
        self.relay.hold(True)
        self.told: list[Held] = []

    def turn(self) -> None:
        super().turn()
        self.told += self.relay.held()

    def limits(self) -> Limits:
        return Limits(pending_bytes=1 << 20)

    def held(self, data: bytes = b"", number: int = 1) -> tuple[socket.socket, Held]:
        """(client, what is told of the request in *data*)."""
        before = len(self.told)
        client = self.client(data or get(address=WANTED))
        self.until(lambda: len(self.told) == before + number)
        return client, self.told[-1]

    def many(self, count: int, data: bytes = b"") -> None:
        """So many clients."""
        for number in range(1, count + 1):
            self.client(data or get(address=WANTED))
            if number % 50 == 0:
                self.until(lambda number=number: len(self.told) + len(self.handoffs) == number)

    def store(self, name: bytes = WANTED, plain: bool = True) -> int:
        """The number of the slot of an answer under *name*, which is fresh."""
        now = ticks_of(monotonic_ms())
        made = site.answer(name)
        record = replace(record_of(made.record), born=now, asked=now).pack()
        until = (now + 16 * 3600) & 0xFFFFFFFF
        made = made._replace(record=record, until=until, plain=plain)
        number = site.writer_of(self.segment).put_answer(made)
        assert number is not None
        return number

    def expected(self, status: bytes, name: bytes = WANTED) -> bytes:
        """The answer, as it is sent for a hit, with another *status*."""
        client = self.client(get(address=name))
        hit = b""
        while b" in 0" not in hit:
            self.turn()
            hit += come(client) or b""
        self.assertEqual(hit.count(HIT), 1)
        return hit.replace(HIT, status)


def reset(client: socket.socket) -> None:
    """Have *client* go at once, and be known to be gone."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


class NetworkTests(HeldCase):
    """Addresses that are told apart."""

    def limits(self) -> Limits:
        return Limits(pending_bytes=1 << 20, connections_per_address=10)

    def test_whose_it_is_is_told(self) -> None:
        for address in ("127.0.0.1", "127.0.0.2", "::1"):
            self.client(get(address=WANTED), source=address)
            before = len(self.told)
            self.until(lambda before=before: len(self.told) > before)
            self.assertEqual(self.told[-1].network, network_of(address))


class HoldingTests(HeldCase):
    """What is held, and what is not."""

    def test_a_get_of_what_is_nowhere_waits_and_is_told(self) -> None:
        client, told = self.held()
        self.assertEqual((told.site, told.path, told.target), (0, b"/app", WANTED))
        self.assertTrue(self.relay.is_held(told.ticket))
        self.assertEqual(self.relay.head_of(told.ticket), get(address=WANTED))
        self.turns()
        self.assertIsNone(come(client))
        self.assertEqual(self.handoffs, [])

    def test_whose_it_is_is_told_where_addresses_are_told_apart(self) -> None:
        self.assertEqual(self.held()[1].network, NOBODY)

    def test_the_host_says_of_which_site(self) -> None:
        _, told = self.held(get(address=WANTED).replace(b"example.org", b"blog.example"))
        self.assertEqual(told.site, 1)

    def test_what_may_be_answered_otherwise_is_not_held(self) -> None:
        site.writer_of(self.segment).put(site.page(b"/folder/", b"x"))
        self.store(b"/app/own", plain=False)
        for data in (
            get(address=WANTED, method=b"HEAD"), get(address=b"/app?~etag=abc"), get(address=b"/.edge/x"),
            get(b"Authorization: Basic eA==\r\n", WANTED), get(b"Via: 1.1 edge\r\n", WANTED),
            get(b"Edge-Timing: 1\r\n", WANTED), get(b"Range: bytes=0-1\r\n", WANTED), get(address=b"/folder"),
            get(address=b"/app/own"), get(address=b"/" + b"x" * 4096), get().replace(b"GET", b"POST"),
        ):  # fmt: skip
            before = len(self.handoffs)
            self.client(data)
            self.until(lambda before=before: len(self.handoffs) > before)
            self.assertEqual((self.handoffs[-1].data, self.handoffs[-1].ticket), (data, 0))
        self.assertEqual(self.told, [])

    def test_files_and_answers_that_are_there_are_answered(self) -> None:
        self.store()
        for address in (site.PAGE, WANTED):
            client = self.client(get(address=address))
            self.until(lambda client=client: come(client))
        self.assertEqual((self.told, self.handoffs), ([], []))

    def test_nobody_waits_where_nobody_listens(self) -> None:
        self.relay.hold(False)
        self.client(get(address=WANTED))
        self.until(lambda: self.handoffs)
        self.assertEqual(self.told, [])

    def test_who_waits_is_counted_with_what_his_address_may_keep(self) -> None:
        """What one address may not keep is handed off, where it is counted, too."""
        request = get(b"X: " + b"x" * 7000 + b"\r\n", WANTED)
        self.many(200, request)
        self.assertTrue(self.told)
        self.assertTrue(self.handoffs)

    def test_many_in_one_turn_are_all_told(self) -> None:
        self.many(300)
        self.assertEqual(len({told.ticket for told in self.told}), len(self.told))


class EndTests(HeldCase):
    """What becomes of those who wait."""

    def test_what_is_stored_is_given_and_says_on_whose_account(self) -> None:
        ways = {
            Waited.HIT: HIT,
            Waited.FILLED: status_line(*MISS, STORED),
            Waited.COLLAPSED: status_line(*COLLAPSED),
        }
        waiting = {how: self.held() for how in ways}
        self.store()
        for how, (client, told) in waiting.items():
            self.assertIs(self.relay.look(told.ticket, how), HeldEnd.ANSWERED)
            self.assertIs(self.relay.look(told.ticket, how), HeldEnd.GONE)
            self.received(client, self.expected(ways[how]))
            client.sendall(get(address=site.PAGE))
            self.until(lambda client=client: come(client))
        self.assertEqual(self.handoffs, [])

    def test_only_a_hit_is_one_and_who_has_waited_is_counted_as_that(self) -> None:
        waiting = [self.held() for _ in range(3)]
        slot = self.store()
        for (_, told), how in zip(waiting, (Waited.FILLED, Waited.COLLAPSED), strict=False):
            self.relay.look(told.ticket, how)
        self.assertFalse(self.segment.take_hit(slot))
        self.assertEqual(self.count("answers_hit"), 0)
        self.relay.look(waiting[2][1].ticket, Waited.HIT)
        self.assertTrue(self.segment.take_hit(slot))
        self.assertEqual(self.count("answers_hit"), 0)
        self.assertEqual(
            [unpack(record).cache for record in iter(self.ring.read, None)], ["miss", "collapsed", "hit"]
        )

    def test_a_copy_that_is_current_is_confirmed(self) -> None:
        client, told = self.held(get(b'If-None-Match: "%b"\r\n' % site.etag(WANTED), WANTED))
        self.store()
        self.assertIs(self.relay.look(told.ticket, Waited.FILLED), HeldEnd.ANSWERED)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            self.turn()
            answer += come(client) or b""
        self.assertTrue(answer.startswith(b"HTTP/1.1 304"), answer)

    def test_what_is_not_there_after_all_is_handed_off_with_its_ticket(self) -> None:
        data = get(address=WANTED) + get(address=site.PAGE)
        _, told = self.held(data)
        self.assertIs(self.relay.look(told.ticket, Waited.FILLED), HeldEnd.HANDED)
        self.turn()
        self.assertEqual([(one.data, one.ticket) for one in self.handoffs], [(data, told.ticket)])
        self.assertFalse(self.relay.is_held(told.ticket))

    def test_what_the_table_alone_cannot_answer_is_handed_off(self) -> None:
        """Another status than 200."""
        _, told = self.held()
        self.store(plain=False)
        self.assertIs(self.relay.look(told.ticket, Waited.FILLED), HeldEnd.HANDED)

    def test_what_is_passed_on_meanwhile_is_not_asked_by_who_does_not_know_what_is_to_be_said(self) -> None:
        _, told = self.held()
        self.pass_on(WANTED)
        self.assertIs(self.relay.look(told.ticket, Waited.HIT), HeldEnd.HANDED)

    def test_who_is_let_go_is_handed_off(self) -> None:
        _, told = self.held()
        self.assertIs(self.relay.let_go(told.ticket), HeldEnd.HANDED)
        self.assertIs(self.relay.let_go(told.ticket), HeldEnd.GONE)
        self.turn()
        self.assertEqual([one.ticket for one in self.handoffs], [told.ticket])

    def test_how_long_he_has_waited_goes_with_who_is_handed_off(self) -> None:
        first, second = self.held()[1], self.held()[1]
        time.sleep(0.02)
        self.assertIs(self.relay.let_go(first.ticket), HeldEnd.HANDED)
        self.assertIs(self.relay.look(second.ticket, Waited.FILLED), HeldEnd.HANDED)
        self.turn()
        self.assertTrue(all(one.waited >= 0.02 for one in self.handoffs), self.handoffs)
        self.assertEqual(len(self.handoffs), 2)

    def test_what_is_pipelined_behind_is_served_in_its_order(self) -> None:
        client, first = self.held(get(address=WANTED) + get(address=site.PAGE))
        client.sendall(get(address=b"/app?second"))
        self.turns()
        self.store()
        self.assertIs(self.relay.look(first.ticket, Waited.FILLED), HeldEnd.ANSWERED)
        self.until(lambda: len(self.told) == 2)
        self.assertEqual(self.told[1].target, b"/app?second")
        got = b""
        while b"<p>identity</p>" not in got:
            self.turn()
            got += come(client) or b""
        self.assertLess(got.index(b"stored"), got.index(b"<p>identity</p>"))
        self.relay.let_go(self.told[1].ticket)
        self.turn()
        self.assertEqual([one.data for one in self.handoffs], [get(address=b"/app?second")])

    def test_behind_what_is_answered_another_one_may_be_handed_off_for_itself(self) -> None:
        _, told = self.held(get(address=WANTED) + get(address=WANTED, method=b"POST"))
        self.store()
        self.assertIs(self.relay.look(told.ticket, Waited.FILLED), HeldEnd.ANSWERED)
        self.turn()
        self.assertEqual([one.ticket for one in self.handoffs], [0])

    def test_who_goes_is_gone_also_when_another_one_has_his_descriptor(self) -> None:
        client, told = self.held()
        reset(client)
        self.until(lambda: not self.relay.is_held(told.ticket))
        _, other = self.held()
        self.assertEqual(other.ticket & 0xFFFFFFFF, told.ticket & 0xFFFFFFFF)
        self.assertNotEqual(other.ticket, told.ticket)
        for ticket in (told.ticket, 0, 1 << 63, (1 << 32) - 1):
            self.assertIs(self.relay.look(ticket, Waited.HIT), HeldEnd.GONE)
            self.assertIs(self.relay.let_go(ticket), HeldEnd.GONE)
            self.assertEqual(self.relay.head_of(ticket), b"")
        self.assertTrue(self.relay.is_held(other.ticket))

    def test_who_has_only_nothing_more_to_say_is_answered(self) -> None:
        client, told = self.held()
        client.shutdown(socket.SHUT_WR)
        self.turns()
        self.store()
        self.assertIs(self.relay.look(told.ticket, Waited.FILLED), HeldEnd.ANSWERED)
        self.assertIn(b" in 0", self.closed(client))
        self.assertEqual(self.fast_path.connections(), 0)

    def test_who_has_gone_before_it_is_told_is_not_told(self) -> None:
        client, _ = self.held()
        before = len(self.told)
        for _ in range(20):
            reset(self.client(get(address=WANTED)))
        self.turns(10)
        for told in self.told[before:]:
            self.until(lambda told=told: not self.relay.is_held(told.ticket))
        self.assertIsNone(come(client))

    def test_who_asks_to_close_is_closed(self) -> None:
        client, told = self.held(get(b"Connection: close\r\n", WANTED))
        self.store()
        self.relay.look(told.ticket, Waited.FILLED)
        self.assertIn(b"Connection: close", self.closed(client))

    def test_a_node_that_ends_answers_those_who_wait(self) -> None:
        client, told = self.held()
        self.fast_path.drain()
        self.store()
        self.assertIs(self.relay.look(told.ticket, Waited.FILLED), HeldEnd.ANSWERED)
        self.assertIn(b"Connection: close", self.closed(client))

    def test_nobody_waits_for_ever(self) -> None:
        _, told = self.held()
        self.fast_path.advance(299)  # type: ignore[attr-defined]
        self.fast_path.tick()
        self.assertTrue(self.relay.is_held(told.ticket))
        self.fast_path.advance(2)  # type: ignore[attr-defined]
        self.fast_path.tick()
        self.turn()
        self.assertEqual([(one.data, one.ticket) for one in self.handoffs], [(get(address=WANTED), 0)])

    def test_where_handoffs_have_no_room_they_are_for_later(self) -> None:
        self.many(300)
        ends = [self.relay.let_go(told.ticket) for told in self.told]
        self.assertEqual(ends.count(HeldEnd.HANDED), 256)
        later = [told for told, end in zip(self.told, ends, strict=True) if end is HeldEnd.LATER]
        self.assertEqual(len(later), len(self.told) - 256)
        self.turn()
        for told in later:
            self.assertIs(self.relay.let_go(told.ticket), HeldEnd.HANDED)

    def test_a_closed_fast_path_holds_nobody(self) -> None:
        client, told = self.held()
        self.fast_path.close()
        self.assertEqual(client.recv(10), b"")
        self.assertEqual((self.relay.held(), self.relay.is_held(told.ticket)), ([], False))
        self.assertIs(self.relay.look(told.ticket, Waited.HIT), HeldEnd.GONE)
