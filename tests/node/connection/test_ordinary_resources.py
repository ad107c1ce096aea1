"""Ordinary ``twisted.web`` resources behind the strict channel."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.static import Data, File
from zope.interface import implementer

from edge.http import forms
from edge.node.connection import request as request_module
from tests.node.serving import Answer, Connection
from tests.node.transports import BUFFER


class Doing(Resource):
    """Renders with a function."""

    isLeaf = True

    def __init__(self, do: Any) -> None:
        super().__init__()
        self._do = do

    def render_GET(self, request: Any) -> Any:
        return self._do(request)

    def render_POST(self, request: Any) -> Any:
        return self._do(request)


def data() -> Resource:
    """Twisted's own, at ``/``."""
    root = Resource()
    root.putChild(b"", Data(b"data", "text/plain"))
    return root


def ask(root: Resource, request: bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", methods: str = "") -> Answer:
    """The one answer to *request*."""
    connection = Connection(root)
    connection.send(request)
    connection.turn()
    [answer] = connection.answers(methods)
    return answer


class OrdinaryResourceTests(SynchronousTestCase):
    """What applications do, well or not."""

    def test_twisteds_own_static_files_work(self) -> None:
        directory = self.mktemp()
        os.mkdir(directory)
        with open(os.path.join(directory, "a.txt"), "wb") as file:
            file.write(b"0123456789" * 1000)
        root = File(directory)
        answer = ask(root, b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual((answer.status, len(answer.body)), (200, 10_000))
        answer = ask(root, b"GET /a.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=5-7\r\n\r\n")
        self.assertEqual((answer.status, answer.body), (206, b"567"))
        self.assertEqual(ask(root, b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n").status, 404)

    def test_head_gets_no_body_even_from_a_resource_that_only_knows_get(self) -> None:
        def streaming(request: Any) -> int:
            request.write(b"a")
            request.write(b"b")
            request.finish()
            return NOT_DONE_YET

        for root in (Doing(lambda request: b"four"), Doing(streaming), data()):
            connection = Connection(root)
            connection.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
            self.assertEqual([answer.status for answer in connection.answers("HH")], [200, 200])

    def test_a_body_without_a_length_is_chunked_or_closes(self) -> None:
        def streaming(request: Any) -> int:
            request.write(b"one")
            request.write(b"two")
            request.finish()
            return NOT_DONE_YET

        answer = ask(Doing(streaming))
        self.assertEqual((answer.fields["transfer-encoding"], answer.body), ("chunked", b"onetwo"))
        answer = ask(Doing(streaming), b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual((answer.fields["connection"], answer.body), ("close", b"onetwo"))
        self.assertNotIn("transfer-encoding", answer.fields)

    def test_redirects_cookies_and_forms_work(self) -> None:
        def form(request: Any) -> bytes:
            request.addCookie(b"k", b"v")
            request.redirect(b"/elsewhere?" + request.args[b"name"][0] + request.getCookie(b"c"))
            return b""

        body = b"name=value"
        answer = ask(
            Doing(form),
            b"POST / HTTP/1.1\r\nHost: x\r\nCookie: c=1\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
        )
        self.assertEqual((answer.status, answer.fields["location"]), (302, "/elsewhere?value1"))
        self.assertEqual(answer.fields["set-cookie"], "k=v")

    def test_an_exception_is_500_without_a_traceback(self) -> None:
        def broken(request: Any) -> bytes:
            raise RuntimeError("secret detail")

        answer = ask(Doing(broken))
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"secret", answer.body)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(ask(Doing(lambda request: "not bytes")).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_an_exception_in_the_middle_of_an_answer_ends_the_connection(self) -> None:
        def broken(request: Any) -> bytes:
            request.write(b"begun")
            raise RuntimeError

        connection = Connection(Doing(broken))
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(connection.transport.aborted)
        self.flushLoggedErrors(RuntimeError)

    def test_a_malformed_form_is_400_for_who_asks_for_its_fields_and_a_body_for_who_does_not(self) -> None:
        form = (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\nContent-Length: 1\r\n\r\nx"
        )
        self.assertEqual(ask(Doing(lambda request: b"%d" % len(request.args)), form).status, 400)
        answer = ask(Doing(lambda request: request.content.read()), form)
        self.assertEqual((answer.status, answer.body), (200, b"x"))

    def test_a_form_can_be_read_after_its_body_and_the_body_after_it(self) -> None:
        def form(request: Any) -> bytes:
            return request.content.read(2) + request.args[b"a"][0] + request.content.read()  # type: ignore[no-any-return]

        body = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--"
        answer = ask(
            Doing(form),
            b"POST /?a=0 HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
        )
        self.assertEqual((answer.status, answer.body), (200, b"--1" + body[2:]))

    def test_nothing_is_parsed_that_no_resource_asks_for(self) -> None:
        def called(*_args: Any) -> Any:
            raise AssertionError("a stranger's bytes were parsed before anybody asked")

        for module, name in ((forms, "parse_form"), (forms, "parse_query"), (http, "parse_qs")):
            self.patch(module, name, called)
        for name in ("parse_form", "parse_query", "is_form"):
            self.patch(request_module, name, called)
        for name in ("_parseContentType", "_getMultiPartArgs"):
            self.patch(http, name, called)
        self.patch(http.Request, "parseCookies", called)
        for content_type in (b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded"):
            for framing in (
                b"Content-Length: 3\r\n\r\na=b",
                b"Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n",
            ):
                for root in (Doing(lambda request: b""), Resource()):
                    answer = ask(
                        root,
                        b"POST /?a=b HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\nContent-Type: "
                        + content_type
                        + b"\r\n"
                        + framing,
                    )
                    self.assertIn(answer.status, (200, 404))

    def test_a_method_that_a_resource_lacks_is_405(self) -> None:
        answer = ask(data(), b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual((answer.status, answer.fields["allow"]), (405, "GET, HEAD, OPTIONS"))
        answer = ask(data(), b"OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual((answer.status, answer.fields["allow"]), (204, "GET, HEAD, OPTIONS"))

    def test_nothing_an_application_writes_breaks_the_framing(self) -> None:
        def wrong(length: int, body: bytes, reason: bytes | None = None) -> Connection:
            def render(request: Any) -> int:
                request.setResponseCode(200, reason)
                request.setHeader(b"Content-Length", b"%d" % length)
                request.write(body)
                request.finish()
                return NOT_DONE_YET

            connection = Connection(Doing(render))
            connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
            return connection

        longer = wrong(3, b"12345")
        [answer] = longer.answers()
        self.assertEqual((answer.body, longer.transport.half_closed), (b"123", True))
        self.assertTrue(wrong(5, b"123").transport.aborted)
        split = wrong(1, b"x", b"OK\r\nX-Evil: 1\r\n\r\n<script>")
        self.assertNotIn(b"\r\nX-Evil", split.transport.written)
        self.assertEqual([answer.status for answer in split.answers()], [200, 200])

    def test_connection_close_of_a_resource_closes(self) -> None:
        def closing(request: Any) -> bytes:
            request.setHeader(b"Connection", b"close")
            return b"x"

        connection = Connection(Doing(closing))
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        self.assertEqual([answer.fields["connection"] for answer in connection.answers()], ["close"])

    def test_sessions_work(self) -> None:
        def session(request: Any) -> bytes:
            return bytes(request.getSession().uid)

        connection = Connection(Doing(session))
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        [answer] = connection.answers()
        self.assertIn("TWISTED_SESSION=" + answer.body.decode(), answer.fields["set-cookie"])


class ProducerTests(SynchronousTestCase):
    """Producers and slow peers."""

    def test_a_push_producer_is_paused_while_the_peer_takes_nothing(self) -> None:
        events: list[str] = []

        @implementer(IPushProducer)
        class Pushing:
            def pauseProducing(self) -> None:
                events.append("pause")

            def resumeProducing(self) -> None:
                events.append("resume")

            def stopProducing(self) -> None:
                events.append("stop")

        requests: list[Any] = []

        def render(request: Any) -> int:
            requests.append(request)
            request.registerProducer(Pushing(), True)
            return NOT_DONE_YET

        connection = Connection(Doing(render))
        connection.transport.stalled = True
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        requests[0].write(b"x" * (BUFFER + 1))
        self.assertEqual(events, ["pause"])
        connection.transport.take(1 << 20)
        self.assertEqual(events, ["pause", "resume"])
        connection.transport.abortConnection()
        self.assertEqual(events, ["pause", "resume", "stop"])

    def test_a_pull_producer_that_writes_later_is_asked_again_after_it_has(self) -> None:
        asked: list[int] = []
        requests: list[Any] = []

        @implementer(IPullProducer)
        class Pulling:
            def resumeProducing(self) -> None:
                asked.append(1)

            def stopProducing(self) -> None:
                """Nothing to free."""

        def render(request: Any) -> int:
            requests.append(request)
            request.registerProducer(Pulling(), False)
            return NOT_DONE_YET

        connection = Connection(Doing(render))
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.turn()
        first = len(asked)
        connection.turn(20)
        self.assertEqual(len(asked), first)
        requests[0].write(b"x")
        connection.turn()
        self.assertGreater(len(asked), first)
        requests[0].unregisterProducer()
        requests[0].finish()
        [answer] = connection.answers()
        self.assertEqual(answer.body, b"x")
