"""The WebSockets of virtual users: very many clients of ``/.edge/socket`` in one process.

* ``sockets.py``: :class:`Subscribers`, all connections under one epoll, a few bytes for each;
* ``attempts.py``: connections while they are being made (``connect.py``: one socket);
* ``transport.py``: their bytes, in the clear or over TLS;
* ``pushes.py``: what they have received, in columns, and the latencies; ``wall_clock.py``: what dates them;
* ``handshake.py``, ``frames.py``: sans-IO: RFC 6455 from the client's side;
* ``feed.py``: sans-IO: what a node pushes, and since when it could have;
* ``attempt_schedule.py``: sans-IO: who is to be connected when, and where: rate limit, backoff, jitter.
"""

from __future__ import annotations

from loadgen.subscribers.feed import KINDS
from loadgen.subscribers.pushes import Pushes
from loadgen.subscribers.sockets import Subscribers, Timeouts

__all__ = ["KINDS", "Pushes", "Subscribers", "Timeouts"]
