"""A worker process: virtual users, their page views at planned times, and what came of them.

* ``__main__.py``: the program, ``python -m loadgen.run.process``; ``remote.py``: ``loadgen worker``, which
  lends a machine to a coordinator elsewhere;
* ``assembly.py``: the components of one process, from its job;
* ``engine.py``: the turns of its loop; ``subscriber_engine.py``: the same for one that holds WebSockets;
  ``replay_engine.py``: for one that replays a log;
* ``arrival_scheduler.py``: open-loop arrivals: who comes when; ``sessions.py``: sessions of page views;
* ``virtual_users.py``: users with the smart client; ``plain_readers.py``: browsers without it;
* ``checking.py``: whether the answers are what was published; ``plain_checking.py``: what can be told of any
  server's bodies;
* ``interval_stats.py``: figures of a second, latency corrected for coordinated omission.

May import ``loadgen.run.client``, ``loadgen.run.messages``, and what is below ``loadgen.run``.
"""
