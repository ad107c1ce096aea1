"""share, tag and changed: what they write, whatever runs the application, and that they do no harm."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import edge.app
from edge.app import changed, changes, share, tag
from edge.app.changes import Settling
from edge.app.marks import Marks

SHARED = ("cdn-cache-control", "max-age=60, stale-while-revalidate=600")


class MarksTests(SynchronousTestCase):
    """What is written into a head."""

    def added(self, *before: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        fields = list(before)
        self.marks.add_to(fields)
        return fields

    def setUp(self) -> None:
        self.marks = Marks()

    def test_sharing_replaces_what_the_application_said_before(self) -> None:
        with self.marks.in_force():
            share(edge=60)
            share(edge=1, stale=2, error=3)
        said = (b"cdn-cache-control", b"max-age=1, stale-while-revalidate=2, stale-if-error=3")
        self.assertEqual(self.added((b"a", b"b"), (b"cdn-cache-control", b"no-store")), [(b"a", b"b"), said])

    def test_groups_are_a_list_of_strings_each_once(self) -> None:
        with self.marks.in_force():
            tag("ranking", 'a "b" \\')
            tag("ranking")
            changed("glyph:41")
        self.assertEqual(
            self.added(),
            [
                (b"cache-groups", b'"ranking", "a \\"b\\" \\\\"'),
                (b"cache-group-invalidation", b'"glyph:41"'),
            ],
        )

    def test_what_is_no_group_is_refused(self) -> None:
        for group in ("", "x" * 129, "\u00e4", "a\nb"):
            self.assertRaises(ValueError, tag, group)
            self.assertRaises(ValueError, changed, group)
        self.assertRaises(TypeError, changed)

    def test_outside_of_an_answer_they_do_nothing(self) -> None:
        share(edge=60)
        tag("x")
        self.assertIsNone(changed("x").unsettled)
        self.assertEqual(self.added(), [])


class Node:
    """A node that is told of changes."""

    def __init__(self, later: bool = False) -> None:
        self.told: list[list[bytes]] = []
        self.later = later

    def changed(self, groups: Any, settled: Any) -> None:
        self.told.append(list(groups))
        if self.later:
            threading.Timer(0.02, settled, (1,)).start()
        else:
            settled(0)


class ChangedTests(SynchronousTestCase):
    """The node is told, and waited for."""

    def host(self, node: Node) -> Node:
        self.patch(changes, "node", node)
        return node

    def test_a_thread_waits(self) -> None:
        node = self.host(Node(later=True))
        self.assertEqual(changed("a", "b").unsettled, 1)
        self.assertEqual(node.told, [[b"a", b"b"]])

    def test_a_coroutine_awaits_it_or_goes_on(self) -> None:
        self.host(Node(later=True))

        async def view() -> list[int | None]:
            going_on = changed("a")
            return [going_on.unsettled, await changed("b"), await going_on, await going_on]

        self.assertEqual(asyncio.run(view()), [None, 1, 1, 1])

    def test_who_never_hears_of_it_waits_a_second_at_most(self) -> None:
        self.patch(changes, "PATIENCE", 0.01)
        settled = Settling().wait
        self.assertIsNone(settled())


class MiddlewareTests(SynchronousTestCase):
    """Applications that run elsewhere."""

    def wsgi(self, application: Any) -> dict[str, str]:
        """The fields of the answer to GET /."""
        fields: dict[str, str] = {}
        environment = {
            "REQUEST_METHOD": "GET", "PATH_INFO": "/", "SCRIPT_NAME": "", "SERVER_NAME": "h",
            "SERVER_PORT": "80", "wsgi.url_scheme": "http", "SERVER_PROTOCOL": "HTTP/1.1",
            "QUERY_STRING": "", "wsgi.errors": None, "wsgi.input": io.BytesIO(),
        }  # fmt: skip
        list(application(environment, lambda status, headers, *more: fields.update(headers)))
        return {name.lower(): value for name, value in fields.items()}

    def asgi(self, application: Any) -> dict[str, str]:
        """The fields of the answer to GET /."""
        fields: dict[str, str] = {}

        asked: list[bool] = []

        async def receive() -> Any:
            if asked:
                await asyncio.Event().wait()
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(event: Any) -> None:
            for name, value in event.get("headers", ()):
                fields[name.decode().lower()] = value.decode()

        scope = {
            "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"",
            "headers": [], "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("h", 80),
            "client": ("c", 1),
        }  # fmt: skip
        asyncio.run(application(scope, receive, send))
        return fields

    def check(self, fields: dict[str, str]) -> None:
        self.assertEqual(fields[SHARED[0]], SHARED[1])
        self.assertEqual(fields["cache-groups"], '"ranking"')
        self.assertEqual(fields["cache-group-invalidation"], '"glyph:41"')

    def say(self) -> None:
        share(edge=60, stale=600)
        tag("ranking")
        changed("glyph:41")

    def test_flask(self) -> None:
        from flask import Flask

        application = Flask(__name__)

        @application.get("/")
        def index() -> str:
            self.say()
            return "x"

        application.wsgi_app = edge.app.wsgi(application.wsgi_app)  # type: ignore[method-assign]
        self.check(self.wsgi(application))

    def test_starlette_twice(self) -> None:
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        async def index(request: Any) -> Any:
            self.say()
            return PlainTextResponse("x")

        def sync(request: Any) -> Any:
            self.say()
            return PlainTextResponse("x")

        for view in (index, sync):
            application = Starlette(routes=[Route("/", view)])
            self.check(self.asgi(edge.app.asgi(edge.app.asgi(application))))

    def test_django_sync_and_async(self) -> None:
        import django
        from django.conf import settings
        from django.core.asgi import get_asgi_application
        from django.core.wsgi import get_wsgi_application
        from django.http import HttpResponse
        from django.urls import path

        def index(request: Any) -> Any:
            self.say()
            return HttpResponse("x", headers={"Cache-Groups": '"own"'})

        async def later(request: Any) -> Any:
            self.say()
            return HttpResponse("x", headers={"Cache-Groups": '"own"'})

        class Urls:
            urlpatterns = (path("", index),)

        if not settings.configured:
            settings.configure(ALLOWED_HOSTS=["*"], MIDDLEWARE=["edge.app.django"], ROOT_URLCONF=Urls)
            django.setup()
        for application, ask in ((get_wsgi_application(), self.wsgi), (get_asgi_application(), self.asgi)):
            for view in (index, later):
                Urls.urlpatterns = (path("", view),)
                from django.urls import clear_url_caches

                clear_url_caches()
                fields = ask(application)
                self.assertEqual(fields["cache-groups"], '"own", "ranking"')
                self.check({**fields, "cache-groups": '"ranking"'})
