"""What every fast path must do with real loopback sockets: run over both builds."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edge.fastpath.interface import FastPath, Handoff, Limits, Logging, Settings
from edge.http.answer import error_answer
from edge.logs.record import Record, unpack
from edge.logs.ring import Ring
from edge.networks import mapped
from edge.sites import ALONE, SiteHosts
from edge.table.segment import CounterBlock, Segment
from edge.table.site_counts import SiteCounts
from tests.fastpath import site
from tests.fastpath.site import BIG, BODY, DATE, EMPTY, PAGE, get
from tests.fastpath.threads import thread_of
from tests.logs.records import ring_memory

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Base
else:
    Base = object

#: The first takes what no site names.
SITES = (SiteHosts(b"", default=True), SiteHosts(b"blog.example", (b"blog.example",)))


class ServingSuite(Base):
    """What holds for each connection, over TCP and over TLS.

    Mixed into a test case; :meth:`make` is the build under test.  Clocks are moved by hand.
    """

    def make(self, segment: Segment, settings: Settings) -> FastPath:
        """The fast path under test, as worker 0."""
        raise AssertionError("the test case says which build")

    def start(
        self,
        limits: Limits | None = None,
        recognise: bool = True,
        log_every: int = 0,
        sites: Sequence[SiteHosts] = ALONE,
    ) -> FastPath:
        """A fast path that listens on a port of its own, as listener 7."""
        segment = site.published(sites=len(sites) if sites is not ALONE else 0)
        self.addCleanup(segment.close)
        self.segment = segment
        log = None
        if log_every:
            memory, self.wake = ring_memory(), os.eventfd(0, os.EFD_NONBLOCK)
            self.addCleanup(os.close, self.wake)
            self.ring, log = Ring(memory), Logging(memory, log_every, self.wake)
        fastpath = self.make(segment, Settings(limits=limits or Limits(), log=log, sites=sites))
        self.addCleanup(fastpath.close)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.listener.setblocking(False)
        fastpath.listen(self.listener.fileno(), 7, recognise)
        self.secure(fastpath)
        self.fastpath = fastpath
        return fastpath

    def secure(self, fastpath: FastPath) -> None:
        """Over TLS: give the listener its certificate."""

    def client(self, *data: bytes, receive_buffer: int = 0, source: str = "127.0.0.1") -> socket.socket:
        """A connection from *source* that has sent *data*; *receive_buffer*: 0 = as the kernel likes."""
        connection = socket.socket()
        connection.bind((source, 0))
        self.addCleanup(connection.close)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect(self.listener.getsockname())
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        for each in data:
            connection.sendall(each)
        return connection

    def settle(self) -> list[Handoff]:
        """Runs until nothing has been ready for 20 ms, or something is handed off."""
        handoffs: list[Handoff] = []
        with select.epoll() as poll:
            poll.register(self.fastpath.fileno(), select.EPOLLIN)
            while not handoffs and poll.poll(0.02):
                handoffs = self.fastpath.run()
        return handoffs

    def received(self, connection: socket.socket) -> bytes:
        """What has come so far."""
        data = b""
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            while more := connection.recv(1 << 20):
                data += more
        return data

    def at_end(self, connection: socket.socket) -> bool:
        """Whether the other side has closed."""
        try:
            return connection.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    def counted(self, name: str) -> int:
        """A counter of the worker."""
        return CounterBlock(self.segment, 0).read()[name]

    def advance(self, seconds: int) -> None:
        """Lets time pass."""
        self.fastpath.advance(seconds)  # type: ignore[attr-defined]
        self.fastpath.tick()

    def test_requests_are_answered_on_one_connection(self) -> None:
        """One after the other, in pieces, and several at once."""
        self.start()
        connection = self.client(get(EMPTY))
        self.settle()
        self.assertIn(b"200 OK", self.received(connection))
        connection.sendall(get(EMPTY)[:9])
        self.settle()
        self.assertEqual(self.received(connection), b"")
        connection.sendall(get(EMPTY)[9:] + get(PAGE))
        self.settle()
        self.assertEqual(self.received(connection).count(b"HTTP/1.1 200 OK\r\n"), 2)
        self.assertEqual(
            (self.counted("requests"), self.counted("accepts"), self.counted("connections")), (3, 1, 1)
        )
        connection.close()
        self.settle()
        self.assertEqual((self.fastpath.connections(), self.counted("connections")), (0, 0))

    def test_a_peer_that_has_finished_sending_is_answered(self) -> None:
        """A half-closed connection is not a dead one."""
        self.start()
        connection = self.client(get(EMPTY))
        connection.shutdown(socket.SHUT_WR)
        self.settle()
        self.assertIn(b"200 OK", self.received(connection))
        self.assertEqual(self.fastpath.connections(), 0)

    def test_a_slow_head_gets_408(self) -> None:
        """Ten seconds from its first byte, whatever else arrives."""
        self.start()
        connection = self.client(b"GET / HTTP/1.1\r\n")
        self.settle()
        self.advance(6)
        connection.sendall(b"X: y\r\n")
        self.settle()
        self.assertEqual(self.fastpath.connections(), 1)
        self.advance(5)
        answer = self.received(connection)
        date = answer.partition(b"\r\nDate: ")[2].partition(b"\r\n")[0]
        self.assertEqual(answer, error_answer(408, date=date))
        self.assertEqual(len(date), len(DATE))
        self.assertTrue(self.at_end(connection))
        self.assertEqual(self.counted("timeouts_head"), 1)
        self.advance(3)
        self.assertEqual(self.fastpath.connections(), 0)

    def test_a_slow_head_is_a_line_of_the_log(self) -> None:
        """Whatever share of requests is logged: who it was, and how long he was waited for."""
        self.start(log_every=100)
        connection = self.client(b"GET /secret HTTP/1.1\r\nX: ")
        self.settle()
        self.advance(11)
        (record,) = self.logged()
        answer = self.received(connection)
        self.assertEqual((record.status, record.method, record.target), (408, b"-", b"-"))
        self.assertEqual((record.protocol, record.cache, record.host), (0, "", b""))
        self.assertEqual(record.sent, len(answer.partition(b"\r\n\r\n")[2]))
        self.assertEqual(record.address[-4:], bytes((127, 0, 0, 1)))
        self.assertTrue(10e6 <= record.duration <= 12e6, record.duration)
        self.assertGreater(record.at, 1_700_000_000_000_000)

    def test_a_slow_head_is_counted_of_the_site_that_takes_what_names_no_host(self) -> None:
        """As Twisted counts it; where no site does, of nobody's row."""
        for sites, row in ((SITES, 0), (SITES[1:], len(SITES) - 1)):
            self.start(sites=sites)
            connection = self.client(b"GET / HTTP/1.1\r\nHost: blog.example")
            self.settle()
            self.advance(11)
            sent = len(self.received(connection).partition(b"\r\n\r\n")[2])
            rows = SiteCounts(self.segment, 0).read()
            self.assertEqual(rows[row].by_class, (0, 0, 0, 1, 0), rows)
            self.assertEqual(
                [one.sent for one in rows], [sent * (place == row) for place in range(len(rows))]
            )

    def test_a_head_that_follows_a_request_has_its_own_time(self) -> None:
        """The deadline begins with the first byte of *this* head."""
        self.start()
        connection = self.client(get(EMPTY)[:9])
        self.settle()
        self.advance(8)
        connection.sendall(get(EMPTY)[9:] + b"GET")
        self.settle()
        self.advance(8)
        self.assertIn(b"200 OK", self.received(connection))
        self.assertFalse(self.at_end(connection))
        self.advance(3)
        self.assertIn(b"408", self.received(connection))

    def test_an_idle_connection_is_closed(self) -> None:
        """After 75 seconds without a request, used or not."""
        self.start()
        connections = [self.client(get(EMPTY)), self.client()]
        self.settle()
        self.advance(60)
        self.assertEqual(self.fastpath.connections(), 2)
        self.advance(16)
        self.assertEqual((self.fastpath.connections(), self.counted("timeouts_idle")), (0, 2))
        self.received(connections[0])
        self.assertTrue(self.at_end(connections[0]) and self.at_end(connections[1]))

    def test_a_slow_reader_gets_everything(self) -> None:
        """In order, without more being read from it meanwhile."""
        self.start()
        connection = self.client(get(BIG) * 40)
        got = b""
        for _ in range(20_000):
            self.settle()
            got += self.received(connection)
            if len(got) > 40 * 200_000:
                break
        heads, bodies = got.split(BODY)[:-1], got.count(BODY)
        self.assertEqual((bodies, self.counted("ok")), (40, 40))
        self.assertEqual({head.partition(b"\r\n")[0] for head in heads}, {b"HTTP/1.1 200 OK"})

    def test_a_reader_that_takes_nothing_is_cut(self) -> None:
        """After 30 seconds, or at once when too much is waiting in all."""
        self.start()
        self.client(get(BIG) * 100)
        self.settle()
        self.assertEqual(self.fastpath.connections(), 1)
        self.advance(31)
        if self.fastpath.connections():  # what its kernel took at first was acknowledged late
            self.advance(31)
        self.assertEqual((self.fastpath.connections(), self.counted("timeouts_write")), (0, 1))
        self.start(Limits(pending_bytes=1000))
        self.client(get(BIG) * 100)
        self.settle()
        self.assertEqual(self.fastpath.connections(), 0)

    def test_a_connection_moves_to_twisted_and_back(self) -> None:
        """With the bytes read so far; it counts all the time."""
        self.start()
        connection = self.client(get(EMPTY) + b"POST /x HTTP/1.1\r\n")
        (handoff,) = self.settle()
        self.assertEqual((handoff.listener, handoff.data), (7, b"POST /x HTTP/1.1\r\n"))
        self.assertIn(b"200 OK", self.received(connection))
        self.advance(1000)
        self.assertEqual((self.fastpath.connections(), self.at_end(connection)), (1, False))
        self.fastpath.adopt(handoff.fd, handoff.layer)
        with self.assertRaises(OSError):
            self.fastpath.adopt(handoff.fd)
        connection.sendall(get(EMPTY))
        self.settle()
        self.assertIn(b"200 OK", self.received(connection))
        connection.sendall(b"X")
        (handoff,) = self.settle()
        theirs = socket.socket(fileno=handoff.fd)
        if handoff.layer is not None:
            handoff.layer.discard()
        self.fastpath.release(handoff.fd)
        theirs.close()
        self.assertEqual(self.fastpath.connections(), 0)
        self.assertEqual((self.counted("handoffs"), self.counted("returns")), (2, 1))

    def test_closing_lets_the_client_read(self) -> None:
        """Even when it had sent more than was read."""
        self.start()
        connection = self.client(get(EMPTY, b"Connection: close") + b"x" * 1000)
        self.settle()
        self.assertIn(b"Connection: close\r\n", self.received(connection))
        connection.close()
        self.settle()
        self.assertEqual(self.fastpath.connections(), 0)

    def test_requests_are_sampled_for_the_access_log(self) -> None:
        """Every third one here, with its peer; who reads them is woken, if it sleeps."""
        self.start(log_every=3)
        self.client(get(EMPTY) * 7)
        self.settle()
        first, _ = self.logged()
        self.assertEqual(
            (first.address, first.method, first.target, first.status, first.sent, first.cache),
            (mapped(bytes((127, 0, 0, 1))), b"GET", EMPTY, 200, 0, "hit"),
        )
        self.assertLess(abs(first.at / 1e6 - time.time()), 60)
        self.assertLess(first.duration, 60_000_000)
        with self.assertRaises(BlockingIOError):
            os.eventfd_read(self.wake)
        self.assertTrue(self.ring.sleeps(True))
        self.client(get(PAGE) * 2)
        self.settle()
        self.assertEqual(os.eventfd_read(self.wake), 1)
        self.assertEqual([record.sent for record in self.logged()], [600])

    def logged(self) -> list[Record]:
        """What has been logged since."""
        packed = list(iter(self.ring.read, None))
        return [record for one in packed if (record := unpack(one)) is not None]


class LoopSuite(ServingSuite):
    """The rest: what is the same whatever a connection speaks, and what is about the loop itself."""

    def take(self, connection: socket.socket, count: int) -> int:
        """Reads *count* bytes, or up to the end; how many there were."""
        got = 0
        for _ in range(1000):
            self.settle()
            try:
                while got < count and (data := connection.recv(min(count - got, 1 << 16))):
                    got += len(data)
                break
            except ConnectionResetError:
                break
            except BlockingIOError:
                continue
        self.settle()
        return got

    def test_an_answer_is_taken_at_the_least_rate_or_cut(self) -> None:
        """In each period anew; whether the kernel takes all of it meanwhile, or some at each time."""
        for send_buffer, least_rate, taken, stays in (
            (1 << 20, 20_000, 300_000, True),
            (1 << 20, 20_000, 20_000, False),
            (1 << 20, 0, 200_000, True),
            (1 << 14, 40_000, 100_000, False),
            (1 << 14, 0, 200_000, True),
        ):
            with self.subTest(send_buffer=send_buffer, least_rate=least_rate, taken=taken):
                self.start(Limits(write_seconds=10, least_rate=least_rate))
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
                connection = self.client(get(BIG) * 200, receive_buffer=1 << 17)
                self.take(connection, 950_000)  # from now on the window moves as it is read
                self.assertEqual(self.fastpath.connections(), 1)
                for _ in range(6):
                    self.take(connection, taken)
                    self.advance(6)
                self.assertEqual(self.fastpath.connections(), 1 if stays else 0)
                self.assertEqual(self.counted("timeouts_write"), 0 if stays else 1)

    def test_what_the_kernel_has_of_an_answer_is_taken_at_the_least_rate_or_reset(self) -> None:
        """However the connection ends on our side: nothing much is left where no limit counts it."""
        for ending in ("idle", "close", "half-close"):
            for taken, stays in ((30_000, True), (100, False)):
                with self.subTest(ending=ending, taken=taken):
                    self.start(Limits(write_seconds=10, least_rate=1000))
                    self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                    last = get(BIG, b"Connection: close") if ending == "close" else get(BIG)
                    connection = self.client(get(BIG) * 2 + last, receive_buffer=1 << 12)
                    self.settle()
                    self.assertEqual((self.counted("ok"), self.fastpath.connections()), (3, 1))
                    if ending == "half-close":
                        connection.shutdown(socket.SHUT_WR)
                        self.settle()
                    elif ending == "idle":
                        self.advance(76)
                    got = 0
                    for seconds in (3, 11, 11, 11):
                        got += self.take(connection, taken)
                        self.advance(seconds)
                    self.assertEqual(self.fastpath.connections(), 1 if stays else 0)
                    self.assertEqual(self.counted("timeouts_write"), 0 if stays else 1)
                    if stays:  # and gets all of it; then it is over
                        got += self.take(connection, 700_000)
                        self.advance(31)
                        self.assertGreater(got, 3 * 200_000)
                        self.assertEqual(self.fastpath.connections(), 0)

    def test_a_connection_that_cannot_be_taken_back_stays_handed_off(self) -> None:
        """Here because its descriptor has become one that epoll refuses: that of a file."""
        self.start()
        self.client(b"POST /x HTTP/1.1\r\n")
        (handoff,) = self.settle()
        with open(__file__, "rb") as file:
            os.dup2(file.fileno(), handoff.fd)
        with self.assertRaises(OSError):
            self.fastpath.adopt(handoff.fd)
        self.assertEqual((self.fastpath.connections(), self.counted("returns")), (1, 0))
        self.fastpath.release(handoff.fd)
        os.close(handoff.fd)  # it was not closed before
        self.assertEqual(self.fastpath.connections(), 0)

    def test_a_listener_may_hand_off_everything(self) -> None:
        """TLS and Unix listeners do: their connections count, but are not read here."""
        self.start(recognise=False)
        self.client(get(EMPTY))
        (handoff,) = self.settle()
        self.assertEqual(handoff.data, b"")
        socket.socket(fileno=handoff.fd).close()
        self.fastpath.release(handoff.fd)

    def test_connections_are_limited(self) -> None:
        """In all, and from one address; places that become free are given again."""
        self.start(Limits(connections=5, connections_per_address=2))
        connections = [self.client() for _ in range(3)]
        self.settle()
        self.assertEqual((self.fastpath.connections(), self.counted("refused_address")), (2, 1))
        self.assertTrue(self.at_end(connections[2]))
        connections[0].close()
        self.settle()
        self.client()
        self.settle()
        self.assertEqual(self.fastpath.connections(), 2)
        self.start(Limits(connections=2))
        for _ in range(3):
            self.client()
        self.settle()
        self.assertEqual((self.fastpath.connections(), self.counted("refused_total")), (2, 1))

    def test_one_address_leaves_half_of_the_connections_to_others(self) -> None:
        """Whatever its own limit is."""
        self.start(Limits(connections=20, connections_per_address=1000))
        for _ in range(25):
            self.client(source="127.0.0.2")
            self.settle()
        self.assertEqual((self.fastpath.connections(), self.counted("refused_address")), (10, 15))
        for number in range(10):
            self.client(source=f"127.0.0.{3 + number}")
            self.settle()
        self.assertEqual((self.fastpath.connections(), self.counted("refused_total")), (20, 0))

    def test_one_address_leaves_others_the_buffers_that_they_need(self) -> None:
        """Answers that it does not take, and requests that it does not finish, are in one pool."""
        partial = (
            b"POST /.edge/revalidate HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n" + b"a" * 65000
        )
        for hoarding, buffered in ((partial, 65_000), (get(BIG) * 3, 380_000)):
            with self.subTest(hoarding[:20]):
                self.start(Limits(connections_per_address=1000, pending_bytes=4_000_000))
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
                for number in range(50):
                    self.client(hoarding, receive_buffer=1 << 12, source="127.0.0.2")
                    if number % 10 == 9:
                        self.settle()
                held = self.fastpath.connections()
                self.assertGreater(self.counted("refused_share"), 0)
                self.assertTrue(1_000_000 < held * buffered <= 2_000_000, held)
                refused = self.counted("refused_share")
                for number in range(20):
                    other = self.client(get(BIG), source=f"127.0.0.{3 + number}")
                    self.assertEqual(self.take(other, 200_000), 200_000)
                self.assertEqual(
                    (self.counted("refused_share"), self.fastpath.connections()), (refused, held + 20)
                )

    def test_draining_finishes_what_has_begun(self) -> None:
        """And what had already connected; idle connections are closed."""
        self.start()
        idle, busy = self.client(), self.client(get(EMPTY)[:9])
        self.settle()
        queued = self.client(get(EMPTY))
        self.fastpath.drain()
        self.assertTrue(self.at_end(idle))
        self.assertIn(b"Connection: close\r\n", self.received(queued))
        busy.sendall(get(EMPTY)[9:])
        self.settle()
        self.assertIn(b"Connection: close\r\n", self.received(busy))
        self.assertEqual(self.fastpath.connections(), 0)

    def test_what_draining_accepts_may_be_handed_off(self) -> None:
        """The next run gives it out, though no event announces it."""
        self.start()
        self.client(b"POST /x HTTP/1.1\r\n")
        self.fastpath.drain()
        (handoff,) = self.fastpath.run()
        self.assertEqual(handoff.data, b"POST /x HTTP/1.1\r\n")
        socket.socket(fileno=handoff.fd).close()
        self.fastpath.release(handoff.fd)

    def test_a_connection_may_end_after_the_fast_path(self) -> None:
        """Who has it still says so, or would give it back."""
        self.start()
        self.client(b"POST /x HTTP/1.1\r\n")
        (handoff,) = self.settle()
        self.fastpath.close()
        with self.assertRaises(OSError):
            self.fastpath.adopt(handoff.fd)
        self.fastpath.release(handoff.fd)
        os.close(handoff.fd)

    # ---- waiting ----

    def waiting(self) -> int:
        """A fast path that also waits for a descriptor; the one to write to."""
        self.start()
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        self.fastpath.watch(read)
        return write

    def meanwhile(self, work: Callable[[], None]) -> None:
        """Runs *work* in a thread, which ends before the test does; what it raises fails the test."""
        thread_of(self, work).start()

    def asked(self, times: int = 1) -> None:
        """A client that waits for each answer before it asks again, in its own thread."""
        with socket.create_connection(self.listener.getsockname(), 20) as connection:
            for _ in range(times):
                connection.sendall(get(EMPTY))
                self.assertIn(b"200 OK", connection.recv(65536))

    def test_a_wait_answers_until_the_watched_descriptor_is_readable(self) -> None:
        """One wait for all requests; between them the table's writer may reclaim what it likes."""
        write = self.waiting()
        epochs: list[int] = []

        def work() -> None:
            self.asked(20)
            for _ in range(10_000):  # the answer is there before the reader has left the table
                epochs.append(self.segment.worker_epochs()[0])
                if not epochs[-1]:
                    break
                time.sleep(0.001)  # which it cannot while this thread has the interpreter
            os.write(write, b"x")

        self.meanwhile(work)
        self.assertEqual(self.fastpath.run(None), [])
        self.assertEqual((self.counted("requests"), epochs[-1]), (20, 0))

    def test_what_is_ready_is_served_before_the_watched_descriptor_has_its_turn(self) -> None:
        """More than one batch of it; and it does not wait for more."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
        write = self.waiting()
        clients = []
        for _ in range(3):
            clients += [self.client() for _ in range(100)]
            self.settle()
        for client in clients:
            client.sendall(get(EMPTY))
        os.write(write, b"x")
        self.assertEqual(self.fastpath.run(None), [])
        self.assertEqual(self.counted("requests"), 300)
        self.assertEqual(self.fastpath.run(None), [])

    def test_connections_that_come_at_once_are_served_in_one_wait(self) -> None:
        """However few a listener accepts in one go; without waiting, too."""
        self.waiting()
        for timeout, answered in ((0.05, 60), (0.0, 120)):
            for _ in range(60):
                self.client(get(EMPTY))
            self.assertEqual(self.fastpath.run(timeout), [])
            self.assertEqual((self.counted("accepts"), self.counted("requests")), (answered, answered))

    def test_a_wait_ends_in_time(self) -> None:
        """With requests and without, and not before."""
        self.waiting()
        for client in (None, self.client(get(EMPTY))):
            until = time.monotonic() + 0.02
            self.assertEqual(self.fastpath.run(0.02), [])
            self.assertGreaterEqual(time.monotonic(), until)
            if client is not None:
                self.assertIn(b"200 OK", self.received(client))

    def test_a_wait_ends_with_a_connection_for_twisted(self) -> None:
        """It cannot wait."""
        self.waiting()
        self.meanwhile(lambda: self.client(b"POST /x HTTP/1.1\r\n") and None)
        (handoff,) = self.fastpath.run(None)
        self.assertEqual(handoff.data, b"POST /x HTTP/1.1\r\n")
        socket.socket(fileno=handoff.fd).close()
        self.fastpath.release(handoff.fd)

    def test_a_turn_is_bounded(self) -> None:
        """Nothing but the number of events ends this wait."""
        self.waiting()
        self.meanwhile(lambda: self.asked(2100))
        self.assertEqual(self.fastpath.run(None), [])
        self.assertTrue(2000 <= self.counted("requests") <= 2048, self.counted("requests"))
        while self.counted("requests") < 2100:
            self.fastpath.run(0.01)

    def test_a_set_that_is_broken_is_an_error(self) -> None:
        """Else the process would spin, and say nothing."""
        self.start()
        with open(os.devnull, "rb") as file:
            os.dup2(file.fileno(), self.fastpath.fileno())
        with self.assertRaises(OSError):
            self.fastpath.run(1.0)

    def test_a_descriptor_that_cannot_be_watched_is_refused(self) -> None:
        """It is closed, or a file."""
        self.start()
        with self.assertRaises(OSError):
            self.fastpath.watch(1_000_000)
        with open(os.devnull, "rb") as file, self.assertRaises(OSError):
            self.fastpath.watch(file.fileno())
