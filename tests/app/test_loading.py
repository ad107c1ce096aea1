"""From ``module:name`` to an application: what is recognised as which kind; and fields of answers."""

from __future__ import annotations

import functools
import os
import sys
import types
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from edge.app.hosting.fields import WrongHead, split_length
from edge.app.hosting.loading import CannotLoad, load


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    return []


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    return


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        return []

    def method(self, environ: Any, start_response: Any) -> list[bytes]:
        return []


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        return


class Wrapped:
    """An ASGI middleware whose call is no coroutine function, but gives a coroutine."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return asgi(scope, receive, send)


def any_arguments(*arguments: Any, **more: Any) -> Any:
    return wsgi(*arguments)


class LoadingTests(SynchronousTestCase):
    """:mod:`edge.app.hosting.loading`."""

    def loaded(self, found: Any) -> str:
        module = types.ModuleType("made_here")
        module.found = found  # type: ignore[attr-defined]
        self.patch(sys, "modules", {**sys.modules, "made_here": module})
        return load("made_here:found").kind

    def test_what_is_recognised(self) -> None:
        for found, kind in (
            (wsgi, "wsgi"),
            (asgi, "asgi"),
            (Wsgi(), "wsgi"),
            (Wsgi().method, "wsgi"),
            (Asgi(), "asgi"),
            (Wrapped(), "asgi"),
            (functools.partial(wsgi), "wsgi"),
            (functools.partial(asgi), "asgi"),
            (any_arguments, "wsgi"),
            (Resource(), "twisted.web"),
            (Resource, "twisted.web"),
            (Wsgi, "wsgi"),
            (Asgi, "asgi"),
            (lambda: wsgi, "wsgi"),
            (lambda: Asgi(), "asgi"),
            (lambda: Resource(), "twisted.web"),
        ):
            self.assertEqual(self.loaded(found), kind, found)

    def test_what_is_none(self) -> None:
        async def later() -> Any:
            return wsgi

        for found in (
            1,
            "x",
            None,
            sys,
            lambda one: None,
            lambda a, b, c, d: None,
            later,
            lambda: lambda: wsgi,
        ):
            self.assertRaises(CannotLoad, self.loaded, found)

    def test_a_name_may_have_dots(self) -> None:
        self.assertEqual(
            load("tests.app.test_loading:Wsgi.method").kind, "asgi"
        )  # three arguments: it is unbound
        why = str(self.assertRaises(CannotLoad, load, "tests.app.test_loading:Wsgi.none"))
        self.assertIn("tests.app.test_loading has no Wsgi.none", why)
        why = str(self.assertRaises(CannotLoad, load, "tests.no_such.thing:app"))
        self.assertIn("there is no module tests.no_such in ", why)

    def test_a_folder_that_may_not_be_read_is_said_to_be_so(self) -> None:
        self.patch(os, "access", lambda path, mode: False)
        self.patch(sys, "path", ["/srv/shop", *sys.path])
        why = str(self.assertRaises(CannotLoad, load, "no_such_thing:app"))
        self.assertIn("/srv/shop may not be read by user ", why)


class FieldTests(SynchronousTestCase):
    """:mod:`edge.app.hosting.fields`."""

    def test_names_are_in_lower_case_and_lengths_apart(self) -> None:
        given = [
            (b"X-A", b"b"),
            (b"Content-Length", b"3"),
            (b"Connection", b"close"),
            (b"content-length", b"3"),
        ]
        self.assertEqual(split_length(given), ([(b"x-a", b"b")], 3))
        self.assertEqual(split_length([]), ([], None))

    def test_lengths_that_are_none(self) -> None:
        for values in ((b"-1",), (b"",), (b"1.5",), (b"9" * 16,), (b"1", b"2"), (b"\xb2",)):
            self.assertRaises(WrongHead, split_length, [(b"Content-Length", value) for value in values])
