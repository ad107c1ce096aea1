"""Applications behind the edge: the protocol edge-app/1, what runs an application, and helpers for its code.

Nothing here imports Twisted or the node, but for applications that are made of Twisted.  It works on Python
3.10 and newer, needs no other package, and is given by the node to the interpreter that runs an application,
whatever that has installed.

* ``messages.py``: the messages of edge-app/1 and their frames; ``codec.py``, ``messagepack.py``: MessagePack
* ``ends.py``: what both ends of a connection do; ``asking.py``: the node's end; ``answering.py``: the other
* ``hosting/``: what runs an application in a process of its own
* ``marks.py``: :func:`share` and :func:`tag`, what an application says of an answer; ``changes.py``:
  :func:`changed`, what it says of its data; ``middleware.py``: for applications that run elsewhere
"""

from __future__ import annotations

from edge.app.changes import changed
from edge.app.marks import share, tag
from edge.app.middleware import asgi, django, wsgi

__all__ = ["asgi", "changed", "django", "share", "tag", "wsgi"]
