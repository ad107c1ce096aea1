"""Middlewares that let :func:`share`, :func:`tag` and :func:`changed` write into the head of an answer.

In an application that a node runs they do so anyway.  Where it runs elsewhere, as under gunicorn behind ``to
= "http+unix:..."``, one of these goes around it::

    app = edge.app.asgi(app)                                  # ASGI: Starlette, FastAPI
    app = edge.app.wsgi(app)                                  # WSGI
    app.wsgi_app = edge.app.wsgi(app.wsgi_app)                # Flask
    MIDDLEWARE = ["edge.app.django", ...]                     # Django, sync and async

Two of them, or one in an application that a node runs, write nothing twice.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from edge.app.marks import Marks, current

Environment = dict[str, Any]
StartResponse = Callable[..., Any]


def asgi(application: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """*application*, an ASGI one, whose answers bear what is said of them."""

    async def marked(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or current() is not None:
            await application(scope, receive, send)
            return
        marks = Marks()

        async def send_marked(event: dict[str, Any]) -> None:
            if event["type"] == "http.response.start":
                fields = [(bytes(name).lower(), bytes(value)) for name, value in event.get("headers", ())]
                marks.add_to(fields)
                event = {**event, "headers": fields}
            await send(event)

        with marks.in_force():
            await application(scope, receive, send_marked)

    return marked


def wsgi(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """*application*, a WSGI one, whose answers bear what is said of them before the first of their body."""

    def marked(environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        if current() is not None:
            return application(environment, start_response)
        marks = Marks()

        def start_marked(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, _with(marks, headers), *more)

        with marks.in_force():
            return application(environment, start_marked)

    return marked


def _with(marks: Marks, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """*headers*, with their names as they were, and what *marks* add."""
    names = {name.lower(): name for name, _ in headers}
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    marks.add_to(fields)
    texts = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
    return [(names.get(name, name), value) for name, value in texts]


def django(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A middleware of Django, for ``MIDDLEWARE``: ``"edge.app.django"``."""

    def mark(response: Any, marks: Marks) -> Any:
        for name, value in _with(marks, []):
            before = response.headers.get(name)
            joins = before is not None and name != "cdn-cache-control"
            response.headers[name] = f"{before}, {value}" if joins else value
        return response

    def marked(request: Any) -> Any:
        if current() is not None:
            return get_response(request)
        marks = Marks()
        with marks.in_force():
            return mark(get_response(request), marks)

    async def marked_later(request: Any) -> Any:
        if current() is not None:
            return await get_response(request)
        marks = Marks()
        with marks.in_force():
            return mark(await get_response(request), marks)

    return marked_later if _is_async(get_response) else marked


def _is_async(function: Any) -> bool:
    """Whether calling it gives something to await; also of what Django marks so."""
    if sys.version_info >= (3, 12):
        return inspect.iscoroutinefunction(function)
    return asyncio.iscoroutinefunction(function)


#: What Django wants to know of a middleware that is a function.
django.sync_capable = django.async_capable = True  # type: ignore[attr-defined]
