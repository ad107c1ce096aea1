"""The supervisor, ``twistd edge`` itself; may import every room.

In the order of what happens:

* ``supervisor.py``: the process, from the first option to the exit code
* ``opening.py``: what is opened before anything runs; ``statedir.py``: the state directory: lock,
  ``listening.json``, token; ``listeners.py``, ``sockets.py``: endpoints to listening sockets
* ``node.py``: the parts of a running node, in the order in which they start
* ``plan.py``: from the configuration to what the parts are told
* ``worker_host.py``: what workers get from the supervisor; ``workers.py``: all workers;
  ``worker_process.py``: one process and its successors; ``worker_state.py``: its states;
  ``backoff.py``: how soon the next one starts
* ``admin_server.py``, ``admin_api.py``: the admin API, its server and its HTTP;
  ``inspection.py``: what it tells; ``administration.py``: what it does
* ``signals.py``: which signal does what; ``configuration.py``: the configuration in force;
  ``reloading.py``: SIGHUP
"""
