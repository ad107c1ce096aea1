"""WSGI and ASGI, as an application sees them: over a real connection, in one loop with the node's end."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.app.asking import NodeEnd
from edge.app.ends import Sendable
from edge.app.hosting import asgi as asgi_module
from edge.app.hosting.asgi import Asgi
from edge.app.hosting.connection import Connection
from edge.app.hosting.wsgi import Wsgi
from edge.app.marks import tag
from edge.app.messages import WINDOW, Answer, Cancel, Close, Data, Message, Opened, Ready
from tests.processes import PATIENCE

START = {"type": "http.response.start", "status": 200, "headers": [(b"A", b"b")]}


class Node:
    """The node's end, in the loop of the application."""

    def __init__(self, interface: Any) -> None:
        self.end = NodeEnd()
        self.ours, theirs = socket.socketpair()
        self.ours.setblocking(False)
        theirs.setblocking(False)
        self.theirs = theirs
        self.connection = Connection(interface, lambda connection: None)
        self.events: list[Any] = []

    async def open(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self.connection, sock=self.theirs)
        assert isinstance(await self.hear(), Ready)

    async def flush(self) -> None:
        await asyncio.get_running_loop().sock_sendall(self.ours, self.end.output())

    async def hear(self) -> Any:
        """The next thing that the application says."""
        while not self.events:
            loop = asyncio.get_running_loop()
            data = await asyncio.wait_for(loop.sock_recv(self.ours, 1 << 20), PATIENCE)
            assert data, "the application closed the connection"
            self.events += [one for one in self.end.receive(data) if not isinstance(one, Sendable)]
            assert self.end.broken is None, self.end.broken
            await self.flush()
        return self.events.pop(0)

    async def hear_what_is_there(self) -> None:
        """Take what has come, like credit, and send what may be sent for it."""
        await asyncio.sleep(0.001)
        try:
            data = self.ours.recv(1 << 20)
        except BlockingIOError:
            return
        self.events += [one for one in self.end.receive(data) if not isinstance(one, Sendable)]
        assert self.end.broken is None, self.end.broken
        await self.flush()

    async def until(self, happened: Callable[[], object]) -> None:
        """Wait until it is so."""
        until = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < until, "it has not happened"
            await asyncio.sleep(0.001)

    async def ask(self, method: bytes = b"GET", body: bytes | None = None, **more: Any) -> int:
        number = self.end.ask(method, b"/at/a%2Fb%C3%A4?q", [(b"x", b"y")], b"h:81",
                              length=0 if body is None else len(body), at=b"/at", **more)  # fmt: skip
        if body is not None:
            self.end.send(number, body, False)
        await self.flush()
        return number

    async def whole(self, *of: Any, **more: Any) -> tuple[Any, bytes]:
        """The head of the answer to a question, and all of its body."""
        await self.ask(*of, **more)
        answer = await self.hear()
        assert isinstance(answer, Answer), answer
        body, last = answer.body, answer
        while last.more:
            last = await self.hear()
            assert isinstance(last, Data), last
            body += last.body
            self.end.taken(last.number, len(last.body))
            await self.flush()
        return answer, body


class Base(SynchronousTestCase):
    """A test is a coroutine with a node."""

    def run_with(self, interface: Any, test: Callable[[Node], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            node = Node(interface)
            await node.open()
            await test(node)
            node.connection.abort()
            node.ours.close()
            await asyncio.sleep(0)

        asyncio.run(run())


class AsgiTests(Base):
    """ASGI 3."""

    def serve(self, application: Any, test: Callable[[Node], Coroutine[Any, Any, None]]) -> None:
        self.run_with(Asgi(application, {"kept": 1}), test)

    def test_what_it_is_told(self) -> None:
        told: list[Any] = []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            told.extend([scope, await receive(), await receive()])
            await send(START)
            await send({"type": "http.response.body", "body": b"x"})
            told.append(await receive())

        async def test(node: Node) -> None:
            answer, body = await node.whole(b"POST", b"abc", secure=True, peer="::1")
            self.assertEqual((answer.fields, answer.length, body), ([(b"a", b"b")], 1, b"x"))
            await asyncio.sleep(0)

        # The body comes whole in this turn, or in two.
        async def tolerant(scope: Any, receive: Any, send: Any) -> None:
            first = await receive()

            async def again() -> Any:
                return first

            await application(scope, again if not first["more_body"] else receive, send)

        self.serve(tolerant, test)
        scope = told[0]
        self.assertEqual((scope["path"], scope["raw_path"]), ("/at/a/b\u00e4", b"/at/a%2Fb%C3%A4"))
        self.assertEqual((scope["query_string"], scope["root_path"], scope["scheme"]), (b"q", "/at", "https"))
        self.assertEqual((scope["client"], scope["server"]), (("::1", 0), ("h", 81)))
        self.assertEqual(
            (scope["headers"], scope["state"]), ([(b"host", b"h:81"), (b"x", b"y")], {"kept": 1})
        )

    def test_hints_trailers_and_answers_without_a_body(self) -> None:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.early_hint", "links": [b"</a>"]})
            await send({**START, "trailers": True})
            await send({"type": "http.response.body", "body": b"x"})
            await send({"type": "http.response.trailers", "headers": [(b"T", b"t")]})

        async def test(node: Node) -> None:
            await node.ask()
            self.assertEqual((await node.hear()).status, 103)
            self.assertEqual((await node.hear()).body, b"x")
            self.assertEqual((await node.hear()).trailers, [(b"t", b"t")])
            await node.ask(b"HEAD")
            self.assertEqual([(await node.hear()).status, (await node.hear()).status], [103, 200])

        self.serve(application, test)

    def test_groups_that_are_named_after_the_head_come_in_trailers(self) -> None:
        """So a page may begin before it is known what it is made of."""

        async def application(scope: Any, receive: Any, send: Any) -> None:
            tag("early")
            await send({**START, "trailers": scope["method"] == "POST"})
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            tag("late", "early", "later")
            await send({"type": "http.response.body", "body": b"y"})
            if scope["method"] == "POST":
                await send({"type": "http.response.trailers", "headers": [(b"T", b"t")]})

        async def test(node: Node) -> None:
            late = (b"cache-groups", b'"late", "later"')
            for method, trailers in ((b"GET", [late]), (b"POST", [(b"t", b"t"), late])):
                await node.ask(method)
                self.assertIn((b"cache-groups", b'"early"'), (await node.hear()).fields)
                found: list[Any] = []
                while not found or found[-1].more:
                    found.append(await node.hear())
                self.assertEqual([(n.lower(), value) for n, value in found[-1].trailers], trailers)

        self.serve(application, test)

    def test_a_slow_visitor_holds_it_back_and_one_who_goes_ends_it(self) -> None:
        sent: list[int] = []
        ends: list[str] = []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            try:
                while True:
                    await send({"type": "http.response.body", "body": b"x" * WINDOW, "more_body": True})
                    sent.append(1)
            except OSError:
                ends.append((await receive())["type"])

        async def test(node: Node) -> None:
            number = await node.ask()
            await node.hear()
            await asyncio.sleep(0.05)
            self.assertLessEqual(len(sent), 1)
            node.end.taken(number, WINDOW)
            await node.flush()
            await node.hear()
            await asyncio.sleep(0.05)
            self.assertLessEqual(len(sent), 2)
            node.end.cancel(number, "gone")
            await node.flush()
            await node.until(lambda: ends)
            self.assertEqual(ends, ["http.disconnect"])

        self.serve(application, test)

    def test_who_does_not_notice_is_cancelled_after_a_grace(self) -> None:
        self.patch(asgi_module, "GRACE_SECONDS", 0.01)
        ends: list[str] = []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ends.append("cancelled")
                raise

        interface = Asgi(application, {})

        async def test(node: Node) -> None:
            node.end.cancel(await node.ask(), "gone")
            await node.flush()
            await node.until(lambda: ends and not interface.stuck)
            self.assertEqual(ends, ["cancelled"])

        self.run_with(interface, test)

    def test_messages_that_an_application_does_not_receive_stay_with_who_sends_them(self) -> None:
        """Long ones, too, of which only the last piece would be waited for."""
        size, count = 4 * WINDOW + 10, 10
        received: list[int] = []
        may_receive = asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            assert (await receive())["type"] == "websocket.connect"
            await send({"type": "websocket.accept"})
            await may_receive.wait()
            while (event := await receive())["type"] == "websocket.receive":
                received.append(len(event["bytes"]))

        async def test(node: Node) -> None:
            number = node.end.open(b"/", [], b"h")
            await node.flush()
            self.assertEqual(await node.hear(), Opened(number, [], b""))
            for _ in range(count):
                node.end.message(number, bytes(size), False)
            await node.flush()
            for _ in range(50):
                await node.hear_what_is_there()
            self.assertGreaterEqual(node.end.waiting(number), (count - 1) * size - WINDOW)
            may_receive.set()
            until = time.monotonic() + PATIENCE
            while len(received) < count:
                assert time.monotonic() < until, "they do not come"
                await node.hear_what_is_there()
            self.assertEqual(received, [size] * count)
            node.end.cancel(number, "")

        self.serve(application, test)

    def test_websockets_refused_in_words_and_closed_by_their_end(self) -> None:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            assert (await receive())["type"] == "websocket.connect"
            if scope["path"] == "/no":
                await send(
                    {"type": "websocket.http.response.start", "status": 401, "headers": [(b"a", b"b")]}
                )
                await send({"type": "websocket.http.response.body", "body": b"who?"})
                return
            await send({"type": "websocket.accept", "headers": [(b"C", b"d")]})
            while (event := await receive())["type"] == "websocket.receive":
                if event.get("text") == "fail":
                    raise RuntimeError("as you wish")
                if event.get("text") == "return":
                    return
                await send({"type": "websocket.send", "bytes": event["bytes"]})

        async def test(node: Node) -> None:
            number = node.end.open(b"/no", [], b"h")
            await node.flush()
            self.assertEqual(await node.hear(), Answer(number, 401, [(b"a", b"b")], None, b"who?", False))
            for said, code in (("return", 1000), ("fail", 1011)):
                number = node.end.open(b"/yes", [], b"h")
                await node.flush()
                self.assertEqual(await node.hear(), Opened(number, [(b"c", b"d")], b""))
                node.end.message(number, b"\0", False)
                node.end.message(number, said.encode(), True)
                await node.flush()
                self.assertEqual(await node.hear(), Message(number, b"\0", False, False))
                self.assertEqual(await node.hear(), Close(number, code, b""))

        self.serve(application, test)


class WsgiTests(Base):
    """WSGI (PEP 3333)."""

    def serve(self, application: Any, test: Callable[[Node], Coroutine[Any, Any, None]]) -> None:
        self.run_with(Wsgi(application, 2), test)

    def test_groups_that_are_named_after_the_head_come_in_trailers(self) -> None:
        def application(environment: Any, start_response: Any) -> Any:
            tag("early")
            start_response("200 OK", [])
            yield b"x"
            tag("late")
            yield b"y"

        async def test(node: Node) -> None:
            await node.ask()
            found = [await node.hear()]
            self.assertIn((b"cache-groups", b'"early"'), found[0].fields)
            while found[-1].more:
                found.append(await node.hear())
            self.assertEqual(found[-1].trailers, [(b"cache-groups", b'"late"')])

        self.serve(application, test)

    def test_what_it_is_told(self) -> None:
        told: dict[str, Any] = {}

        def application(environ: Any, start_response: Any) -> Any:
            told.update(environ, body=environ["wsgi.input"].read())
            start_response("201 Made", [("A", "b"), ("Connection", "close")])
            return [b"x", b"y"]

        async def test(node: Node) -> None:
            answer, body = await node.whole(b"POST", b"z" * 200_000, secure=True, peer="::1")
            self.assertEqual(
                (answer.status, answer.fields, answer.length, body), (201, [(b"a", b"b")], 2, b"xy")
            )

        self.serve(application, test)
        self.assertEqual((told["SCRIPT_NAME"], told["PATH_INFO"]), ("/at", "/a/b\xc3\xa4"))
        self.assertEqual((told["QUERY_STRING"], told["HTTP_X"], told["CONTENT_LENGTH"]), ("q", "y", "200000"))
        self.assertEqual((told["wsgi.url_scheme"], told["REMOTE_ADDR"]), ("https", "::1"))
        self.assertEqual(
            (told["SERVER_NAME"], told["SERVER_PORT"], told["body"]), ("h", "81", b"z" * 200_000)
        )

    def test_written_answers_late_errors_and_closing(self) -> None:
        closed: list[int] = []

        class Pieces:
            def __iter__(self) -> Any:
                yield from (b"", b"b", b"c")

            def close(self) -> None:
                closed.append(1)

        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [("A", "1")])
            start_response(
                "500 Oh", [("A", "2")], (ValueError, ValueError("x"), None)
            )  # nothing was sent yet
            start = start_response("200 OK", [("A", "3")], (ValueError, ValueError("x"), None))
            start(b"a")
            try:
                start_response("500 Oh", [], (KeyError, KeyError("late"), None))
            except KeyError:
                return Pieces()

        async def test(node: Node) -> None:
            answer, body = await node.whole()
            self.assertEqual((answer.status, answer.fields, body), (200, [(b"a", b"3")], b"abc"))
            answer, body = await node.whole(b"HEAD")
            self.assertEqual((answer.more, body), (False, b""))

        self.serve(application, test)
        self.assertEqual(closed, [1, 1])

    def test_the_piece_that_makes_an_answer_whole_goes_with_its_end_and_no_other_waits(self) -> None:
        def application(environ: dict[str, Any], start: Any) -> Any:
            start("200 OK", [("Content-Length", "6")] if environ["REQUEST_METHOD"] == "GET" else [])
            yield b"one"
            yield b"two"
            tag("late")

        async def test(node: Node) -> None:
            await node.ask()
            answer = await node.hear()
            self.assertEqual((answer.body, answer.more), (b"one", True))
            data = await node.hear()
            self.assertEqual((data.body, data.more, len(data.trailers)), (b"two", False, 1))
            await node.ask(b"DELETE")  # one that does not say how long it is
            await node.hear()
            pieces = [await node.hear() for _ in range(2)]
            self.assertEqual([(one.body, one.more) for one in pieces], [(b"two", True), (b"", False)])

        self.serve(application, test)

    def test_who_goes_ends_the_generator(self) -> None:
        ended: list[str] = []

        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            try:
                while True:
                    yield b"x" * WINDOW
            finally:
                ended.append("closed")

        interface = Wsgi(application, 1)

        async def test(node: Node) -> None:
            number = await node.ask()
            await node.hear()
            await asyncio.sleep(0.05)
            node.end.cancel(number, "gone")
            await node.flush()
            await node.until(lambda: ended and not interface.stuck)
            self.assertEqual(ended, ["closed"])

        self.run_with(interface, test)

    def test_websockets_are_not_spoken(self) -> None:
        async def test(node: Node) -> None:
            number = node.end.open(b"/", [], b"h")
            await node.flush()
            self.assertEqual((await node.hear()).status, 501)
            node.end.cancel(number, "")

        self.serve(lambda environ, start_response: [], test)

    def test_an_answer_that_fails_half_way_is_cut_off(self) -> None:
        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            yield b"half"
            raise RuntimeError("no more")

        async def test(node: Node) -> None:
            await node.ask()
            self.assertEqual((await node.hear()).body, b"half")
            cancelled = await node.hear()
            assert isinstance(cancelled, Cancel)
            self.assertEqual(cancelled.reason, b"RuntimeError: no more")

        self.serve(application, test)
