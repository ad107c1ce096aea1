"""Benchmarks: ``make bench``, or ``python -m benchmarks [NAME...]``.

Every figure is a ratio taken side by side: our node and nginx serve the same bytes on the same
pinned core, one after the other, to the same client on another core, several rounds interleaved.
What is compared is *server CPU time per request* (from the scheduler's own account of each process),
not requests per second: CPU time is what a server costs, and a busy machine disturbs it least.

* ``__main__.py``: the measures, their goals, the printed table;
* ``servers.py``: our node and nginx as processes on one core;
* ``client.py``: wrk on the other core, and the requests it sends;
* ``flood.py``: what the load generator costs beside wrk;
* ``memory.py``: user memory of idle keep-alive connections;
* ``sockets.py``: what WebSockets cost that only listen;
* ``subscribers.py``: 100,000 WebSockets of four nodes: how soon they hear of a change;
* ``warm_start.py``: publishing 10,000 files;
* ``table_reads.c``, ``table_kill.py``, ``worker_kill.py``, ``attack.py``: the table under a busy writer,
  killed writers, killed workers, slow-header attackers.
"""
