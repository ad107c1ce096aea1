"""The fast path: answers from the shared table without leaving C, or lets go.

* ``interface.py``: what a fast path is;
* ``twin.py``: the specification, in Python; serves where there is no compiler.  It consists of
  ``recognise.py`` (requests), ``opening.py`` (of WebSockets), ``answerer.py`` (answers), ``frames.py``
  (their frames), ``sockets.py`` (all of these), ``acceptor.py`` and ``connection.py``;
* ``native.py`` over ``src/``: the same in C11 (``build.py`` compiles it);
* ``relay.py``: what ``native.py`` passes on to applications;
* ``buckets.py``: token buckets, as the Twisted side takes from them;
* ``reactor.py``: the reactor of a worker, which lets its fast path wait for both;
* ``adapter.py``: either of them with a Twisted reactor, and connections on their way to and fro;
  ``transports.py``: their transports; ``introducing.py``: the PROXY protocol; ``sealed.py``: those over TLS.

In ``src/``, a header and mostly a source of each name; headers include only those above them.  Sans-IO::

    edge_layout      the bytes of the shared segment, as edge/table/layout.py draws them
    edge_variant     the variants of a resource, and masks of them
    edge_hash        keyed BLAKE2b-128 of a path: the identity of a table entry
    edge_table       reading the table, and its writer's memory fences
    edge_date        IMF-fixdate
    edge_output      gathered output: heads, bodies and an iovec of both
    edge_head        the heads of answers (200, 304, 408), composed to the byte
    edge_request     recognising requests; all others are let go
    edge_opening     opening handshakes of WebSockets: whose, for which topics, and the proof
    edge_networks    networks of addresses
    edge_sites       which site a host belongs to
    edge_certificates  for which hosts a connection may be asked
    edge_log         records of requests, into a ring in shared memory
    edge_lines       and out of it, as lines of the access log
    edge_buckets     token buckets in shared memory
    edge_guard       who may: what is decided here, and what is let go
    edge_changes     what has changed since a state of the site
    edge_answer      request bytes in, answer bytes out: which answer a request gets
    edge_frames      the same of a WebSocket's frames
    edge_passed      what passes between visitors and applications: fields, the heads of answers
    edge_app         edge-app/1: questions to applications, their answers
    edge_upstream    the same of HTTP/1.1

and with sockets::

    edge_peers       counts of connections by address
    edge_loop        all connections: accepting, events, deadlines, the interface
    edge_sockets     WebSockets of the push service: whose turn it is, pushes, pings
    edge_connection  one connection: its buffer, states, receiving, sending
    edge_members     whom the relay asks, and how much they have to do
    edge_exchange    a request that is passed on, as its client has it: backpressure, deadlines, the end
    edge_carrier     a connection to an application: what is said, what comes, which is free
    edge_carrier_app  which bytes mean what on it: edge-app/1
    edge_carrier_http  and HTTP/1.1
    edge_held        requests that wait for what is to be stored
    edge_relay       what is passed on to applications: to whom, and the interface
    edge_sealed      receiving and sending over TLS
    edge_shaking     connections that have not agreed upon TLS yet: hellos, handshakes

:func:`select` picks the build.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.fastpath.interface import FastPath, Settings
    from edge.table.segment import Segment


class Build(Protocol):
    """What makes fast paths: a class that is one."""

    kind: str

    def __call__(self, segment: Segment, worker_index: int, settings: Settings) -> FastPath:
        """The fast path of one worker."""


def select(kind: str) -> Build:
    """The fast path for ``--fast-path`` *kind*: "auto", "native", "python" or "off".

    "off" is the Python build too: its worker asks it to hand off every connection at once.
    """
    from edge.fastpath.twin import PythonFastPath

    if kind in ("python", "off"):
        return PythonFastPath
    try:
        from edge.fastpath.native import NativeFastPath
    except ImportError as error:
        if kind == "auto":
            return PythonFastPath
        raise ConfigError(
            "--fast-path native: this installation has no native build "
            f"({error}); install a C compiler and reinstall, or use --fast-path auto"
        ) from None
    return NativeFastPath
