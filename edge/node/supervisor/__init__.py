"""The supervisor, ``twistd edge`` itself; may import every room.

In the order of what happens:

* ``supervisor.py``: the process, from the first option to the exit code
* ``opening.py``: what is opened before anything runs; ``directories.py``: directories for the node's user;
  ``statedir.py``: the state directory: lock, ``listening.json``, token;
  ``worker_user.py``: whom workers become; ``service_manager.py``: what systemd is told;
  ``listeners.py``, ``sockets.py``: endpoints to listening sockets
* ``assembly.py``: a node, put together; ``node.py``: its parts from the start to the end
* ``hosting/``: applications behind the edge: their processes, and how workers reach them
* ``keepers.py``: what keeps certificates and keys of tickets;
  ``user_files.py``: files of users who may log in; ``hiding.py``: what is not told of as changed
* ``answer_purging.py``: what is stored of applications, taken away by hand;
  ``explaining.py``: why an address is answered from the table, or not;
  ``group_news.py``: which cache groups have changed, as workers are told;
  ``answers.py``: answers of applications: leases, the table, what leaves, what is asked for anew
* ``exporting.py``: traces: the rings of all workers, and the process that exports what is in them
* ``plan.py``: from the configuration to what the parts are told
* ``worker_host.py``: what workers get from the supervisor; ``workers.py``: all workers;
  ``worker_process.py``: one process and its successors; ``worker_state.py``: its states;
  ``worker_control.py``: what it asks for; ``worker_output.py``: what it logs, and how it ended;
  ``backoff.py``: how soon the next one starts; ``patience.py``: how long one that says nothing is waited for
* ``admin_server.py``, ``admin_api.py``: the admin API, its server and its HTTP;
  ``inspection.py``: what it tells, ``security.py``, ``certificate_report.py``: of what protects it, of
  certificates; ``administration.py``: what it does
* ``signals.py``: which signal does what; ``configuration.py``: the configuration in force;
  ``reloading.py``: SIGHUP

The way of a signal, and back:

1. A handler does nothing but call the reactor (:mod:`.signals`); the reactor calls the supervisor.
2. **SIGTERM, SIGINT.**  The life of the node goes on to *draining* (:mod:`edge.node.process.life`); the load
   document says so at once; each worker is told over its control connection
   (:mod:`edge.node.process.control`), stops to accept, finishes what runs and exits.
3. The end of its process comes back to the slot (:mod:`.worker_process`), and its state is *stopped*
   (:mod:`.worker_state`).  When all are, the parts are stopped, what was opened is closed, and the process
   exits with 0.
4. **SIGHUP.**  The configuration is read anew (:mod:`.configuration`), the parts are told
   (:mod:`.reloading`), certificates are read anew and given to the workers, logs are reopened, workers
   replaced; what stayed as it was comes back as sentences, and is logged.
"""
