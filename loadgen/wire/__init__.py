"""Requests of very many users over real sockets.

* ``interface.py``: what a wire is;
* ``python.py``: the specification, and the wire where there is no compiler.  It consists of ``records.py``
  (requests and connections), ``connecting.py`` (sockets) and ``answers.py`` (one answer,
  sans-IO), ``secure.py`` (TLS over a socket);
* ``links.py``: TLS over descriptors that others hold, native or by ``python_links.py``;
* ``native.py`` over ``src/``: the same in C11, in a module of its own, which ``build.py`` makes;
  ``build_tls.py`` makes another one, its TLS (``wire_tls_client``), where OpenSSL's headers are.

In ``src/``, a header or a source of each name, or both; headers include only those above them (and of
the node ``edge_request``, for reading fields, and ``edge_tls_library``, for the key schedule).
``wire_reply`` is sans-IO::

    wire_reply             one answer, in whatever pieces it comes
    wire_requests          the pool of requests, found by token, ordered by when they are due
    wire_tls               what is called of TLS, through pointers
    wire_tls_certificates  certificates of servers, each kept once for all connections
    wire_tls_client        TLS 1.3 as a client over the system's OpenSSL, and the sessions of users
    wire_wait              the clock, and waiting for events to the microsecond
    wire_dial              where connections go, and which address they come from
    wire_client            the interface, and time: what is due, what has taken too long
    wire_link              connections: who waits for one, which one a request gets, sending
    wire_exchange          answers: receiving, what is kept of them, handing them over

:func:`select` and :func:`select_links` pick the build.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.errors import UsageError

if TYPE_CHECKING:
    from loadgen.trust import Trust
    from loadgen.wire.interface import Limits, Wire
    from loadgen.wire.links import Links


def select(
    kind: str, users: int, limits: Limits, trust: Trust | None = None, is_secure: bool = False
) -> Wire:
    """A wire of *users* users; *kind*: "auto" (native if it is built), "native" or "python".

    *is_secure*: there are nodes that speak TLS; the native wire's is built where OpenSSL's headers are.
    """
    from loadgen.wire.python import PythonWire

    if kind == "python":
        return PythonWire(users, limits, trust)
    try:
        from loadgen.wire.native import NativeWire, need_tls

        if is_secure:
            need_tls()
    except ImportError as error:
        if kind == "auto":
            return PythonWire(users, limits, trust)
        raise UsageError(
            f"this installation has no native build ({error}); "
            "install a C compiler and OpenSSL's headers and reinstall, or choose the Python wire"
        ) from None
    return NativeWire(users, limits, trust)


def select_links(kind: str, users: int, trust: Trust) -> Links:
    """The TLS of connections that are held elsewhere, of *users* users; *kind*: as of :func:`select`."""
    from loadgen.wire.python_links import PythonLinks

    if kind == "python":
        return PythonLinks(trust)
    try:
        from loadgen.wire.native import NativeLinks, need_tls

        need_tls()
    except ImportError as error:
        if kind == "auto":
            return PythonLinks(trust)
        raise UsageError(f"this installation has no native TLS ({error}); choose the Python wire") from None
    return NativeLinks(users, trust)
