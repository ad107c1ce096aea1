"""What runs one application in a process of its own: WSGI in threads, ASGI on asyncio, resources on Twisted.

* ``start.py``: the program that the node starts, with whatever interpreter
* ``control.py``: what it and the supervisor say to each other
* ``process.py``: its life: load, be ready, take connections of workers, drain
* ``loading.py``: from ``module:name`` to an application, and which kind it is
* ``connection.py``: a worker's connection, and the exchanges on it; ``fields.py``: fields of answers
* ``asgi.py``, ``asgi_lifespan.py``, ``asgi_socket.py``: ASGI 3; ``wsgi.py``, ``wsgi_input.py``: WSGI (PEP
  3333)
* ``twisted_web.py``: resources of twisted.web; ``twisted_reactor.py``: a reactor on this loop, for who asks
  for it
"""
