"""How many descriptors and connections a process may hold.

A connection costs one descriptor and nothing else of note, therefore the limit on connections
follows from the limit on descriptors: what the kernel allows, less what the process needs itself.
"""

from __future__ import annotations

import resource

#: Descriptors that are not connections: listeners, logs, the table, blob files being sent.
RESERVED = 512


def raise_descriptor_limit() -> int:
    """Raise the soft RLIMIT_NOFILE to the hard one; the descriptors this process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def connection_limit(descriptors: int, wanted: int | None = None) -> int:
    """Connections that one process may hold at once with that many *descriptors*.

    *wanted* is the configured limit of this process; the smaller one holds.  A process short of
    descriptors keeps half of them for connections.
    """
    possible = max(descriptors - RESERVED, descriptors // 2, 1)
    return possible if not wanted else min(possible, wanted)
