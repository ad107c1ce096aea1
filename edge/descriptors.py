"""The limit on file descriptors, and how many connections a process may hold.

A connection costs one descriptor, therefore the limit on connections follows from the limit on descriptors:
what the kernel allows, less what the process needs itself, less a part for the second descriptors that
connections come to need: a long body is read from a file, or written to one.  Both are pools
(:mod:`edge.shares`), so that what the process needs itself is there, whatever clients do.
"""

from __future__ import annotations

import contextlib
import resource

#: Descriptors of the process itself: listeners, logs, the table, the admin socket, gossip, what it publishes.
RESERVED = 256
#: One in this many of the others is for files of bodies, up to so many of them.
FILES, MOST_FILES = 8, 16_384


def raise_descriptor_limit(connections: int = 0) -> int:
    """Raise the soft RLIMIT_NOFILE to the hard one; the descriptors this process may have open.

    Who may raise the hard one, too, as root may, has it raised to what *connections* need.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = min(-(-connections // (FILES - 1)), MOST_FILES)
    needed = RESERVED + connections + files if connections else 0
    if needed > hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, needed))
            return needed
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def connection_limit(descriptors: int, wanted: int | None = None) -> int:
    """Connections that one process may hold at once with that many *descriptors*.

    *wanted* is the configured limit of this process; the smaller one holds.  A process short of
    descriptors keeps half of them for connections.
    """
    others = max(descriptors - RESERVED, descriptors // 2)
    possible = max(others - min(others // FILES, MOST_FILES), 1)
    return possible if not wanted else min(possible, wanted)


def file_limit(descriptors: int, connections: int) -> int:
    """Files of bodies that a process may have open with that many *descriptors* and *connections*."""
    return max(max(descriptors - RESERVED, descriptors // 2) - connections, 1)


def node_connections(descriptors: int, workers: int, wanted: int | None = None) -> int:
    """Connections that a node holds in all, each of its *workers* with that many *descriptors*."""
    possible = connection_limit(descriptors) * max(workers, 1)
    return possible if not wanted else min(possible, wanted)


def socket_limit(connections: int) -> int:
    """How many of a worker's *connections* may be WebSockets: nine tenths.

    They stay for as long as a browser is open; the rest is left for requests, which come and go.
    """
    return max(1, connections - connections // 10)
