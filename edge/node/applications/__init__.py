"""Applications behind the node: how a worker asks them; imports ``resources`` and below.

* ``app_origin.py``: one process that speaks edge-app/1; ``app_exchange.py``: a request to it,
  ``app_socket.py``: a WebSocket
* ``origin.py``: what a worker asks an application by: question, receiver, exchange, and what can fail
* ``gateway.py``: which requests an application answers, and which application
* ``application_request.py``: one visitor's request on its way to an application, and the answer;
  ``visitors.py``: what the application is told; ``switched.py``: after 101; ``timing.py``: what it took
* ``settling.py``: the answers of those who write, held until their change is in force everywhere
* ``pool.py``: an application that is several servers or processes: choice, queue, deadlines, retries
* ``going_away.py``: goodbye to WebSockets of HTTP upstreams
* ``http_origin.py``: one HTTP/1.1 server, and the connections to it
* ``relayed.py``: what the fast path relays to applications by itself; ``held.py``: requests that it holds
  until what they want is stored
* ``ruled.py``: response fields by rule; ``traced.py``: spans of what is asked, for traces
* ``caching.py``: the shared cache before an application; ``fills.py``: who asks, who waits, what is stored;
  ``making.py``: from an answer to what is stored of it; ``stored.py``: and from there to who asked
* ``probing.py``: whether each HTTP server does well, asked again and again

The way of a request to an application:

1. What is stored the fast path answers; a GET or HEAD of an address of which it is known that each visitor is
   answered for himself it relays (``relayed.py``).  What it knows nothing of it holds; that is filled, and
   answered from the table (``held.py``).  With everything else the connection comes to the Twisted side.
2. What is asked for under ``/.edge/`` is the node's own; then come the mounts; then the webroot: a file
   that is published wins.  Else it belongs to the application whose ``at`` is the longest prefix of the
   path.
3. The request becomes a :class:`.origin.Question`: the exact bytes of the target, and only those fields
   that an application may believe.
4. An :class:`.origin.Origin` is asked it.  *Layers are origins around origins*: who stores answers, who
   holds the answers of writers until peers have settled, who chooses among several processes, each takes a
   question and a receiver and asks the next one in, with the same or another question, with the same
   receiver or one of its own before it.  The innermost is one process or one HTTP server.
5. The receiver writes the answer to the visitor's connection, piece by piece, as fast as the visitor takes
   it.

When the application dies meanwhile:

1. The relay or the origin finds its connection ended.  An answer that has begun is broken off, so that
   nobody takes a part for the whole.  The relay gives all others back: the connection comes to the Twisted
   side, with the request.
2. ``pool.py`` asks once more, another process if there is one, what was not acted on or does nothing when
   done twice (:mod:`edge.upstream.retry`); what finds none waits for the next one for two seconds
   (:mod:`edge.upstream.dispatch`).  All else is a 502; a 503 or 504 is what nobody was there for in time.
3. Who failed is asked no more until it does well (:mod:`edge.upstream.health`).  What is stored and may be
   stale is given meanwhile (``caching.py``).
4. The supervisor starts another process, later each time (:mod:`edge.node.supervisor.hosting.position`), and
   gives each worker a socket to it; the relay has one of its own.
"""
