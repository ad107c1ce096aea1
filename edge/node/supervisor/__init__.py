"""The supervisor, ``twistd edge`` itself; may import every room.

* ``supervisor.py``: opens what the node needs, takes signals, drains
* ``plan.py``: from the configuration to what the parts are told
* ``listeners.py``, ``sockets.py``: endpoints to listening sockets
* ``statedir.py``: the state directory: lock, ``listening.json``, token
* ``workers.py``, ``worker_process.py``, ``backoff.py``: all workers; one process and its successors;
  how soon the next one starts
* ``admin.py``, ``administration.py``: the admin API, as HTTP and as what it does
"""
