"""A worker process, ``python -m edge.node.worker``; imports every room but ``supervisor``.

* ``__main__.py``: the process: told by the supervisor, ends when drained
* ``applications.py``: the applications behind the node, from their configuration to origins
* ``checked_blobs.py``: which blobs may be sent: those that hold what their names say
* ``secure_listeners.py``: TLS, on the fast path and by Twisted
* ``fill_control.py``: the supervisor, as the desk of fills asks it
* ``serving.py``: the fast path in the reactor, and the Twisted side behind it
"""
