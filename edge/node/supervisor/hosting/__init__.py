"""Applications behind the edge, as the supervisor sees them: what it runs, and how workers reach it.

* ``applications.py``: all of them; ``position.py``: one position for a process, ``process.py``: what fills it
* ``output.py``: what a process writes; ``memory.py``: what it holds
* ``connecting.py``: connections to applications that are somewhere already
* ``check.py``: whether all of them can be loaded and reached

A process starts with ``edge/app/hosting/start.py``, in the interpreter of its application.  It shares nothing
with the node but a socket pair with the supervisor (:mod:`edge.app.hosting.control`), over which it gets one
end of a further pair for each worker; none of these sockets has a name that anybody else could connect to.
"""
