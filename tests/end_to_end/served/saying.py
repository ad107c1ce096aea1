"""WSGI applications that say their name and which host they were asked for, in answers to be shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def _named(name: str) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = f"{name} at {environ['HTTP_HOST']}".encode()
        fields = [("Content-Type", "text/plain"), ("Cache-Control", "public, s-maxage=600")]
        start_response("200 OK", [*fields, ("Content-Length", str(len(body)))])
        return [body]

    return answer


one, two = _named("one"), _named("two")
