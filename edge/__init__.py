"""``twistd edge``: an edge server that answers from shared memory.

From the top; each imports only what stands below it (``lint-imports`` holds that against the code):

==================  ==================================================================================
``tap.py``          the plugin of ``twistd``: options to a service; picks the real reactor
``edgectl/``        the command ``edgectl``
``convert/``        configurations of nginx, Caddy and Apache, as one of a node (sans-IO but for reading)
``node/``           a running node: supervisor, workers, connections, cluster
``config/``         the configuration of a node
``fastpath/``       answers from the table, in C and in Python
``publish/``        from a folder of files to representations
``trust/``          certificates: of listeners, of the cluster
``endpoint.py``     where to listen
``table/``          the table in shared memory (sans-IO)
``cache/``          which answers of applications may be shared, for how long, under which key (sans-IO)
``gossip/``         membership and replication: SWIM, version vectors (sans-IO)
``addresses/``      what rules say of a path, and where they lead: globs, captures (sans-IO)
``upstream/``       applications asked over HTTP/1.1: answers read, health, choice, retries (sans-IO)
``http/``           HTTP/1.1 and WebSocket (sans-IO)
``tls/``            the record layer of TLS 1.3, and which hellos are recognised (sans-IO)
``app/``            applications behind the edge: the protocol edge-app/1, what runs one (no Twisted)
``access/``         who may: passwords, networks, rates (sans-IO)
``traces/``         traces of requests: contexts, sampling, spans (sans-IO)
``logs/``           records of requests, and the lines of the access log (sans-IO)
``load/``           how loaded a node is, and the weight that clients draw it with (sans-IO)
``networks.py``     networks of IP addresses, and what is in them (sans-IO)
``certificates.py``   for which hosts a connection may be asked, by what was shown on it (sans-IO)
``sites.py``        which site a host belongs to, and the names of entries (sans-IO)
``resource.py``     what is published under a path: representations and their variants
``confinement/``    what a worker gives up: users, capabilities, files, system calls
``machine.py``      how much of the machine it may use: affinity, control groups
``descriptors.py``  the limit on file descriptors
``digits.py``       numbers as short text, for URLs and header fields
``remembered.py``   what is made of texts that come again, in bounded memory (sans-IO)
``shares.py``       how much one address may hold of what a process has
``durable.py``      files that survive a crash: the bytes reach the disk before the name
``errors.py``       errors that a user can cause, and read
==================  ==================================================================================

Where is ...

* the answer 304 composed? ``fastpath/src/edge_head.c``; in Python ``http/answer.py``.  Whether it is one say
  ``edge_answer.c``, its twin ``fastpath/answerer.py`` and, of what these let go,
  ``node/resources/published.py``
* a WebSocket accepted? ``fastpath/src/edge_opening.c``; of what that lets go ``http/websocket.py``.  How it
  hears of a change on another node, ``node/resources/`` tells
* a request whose application dies asked again? ``node/applications/`` tells it
* a node's weight computed? ``load/weight.py``; ``node/telemetry/`` tells the whole way of a load figure
* a certificate loaded? ``trust/listener_certificate.py`` for listeners, ``trust/contexts.py`` between nodes
* a TLS record opened or sealed? ``tls/twin.py`` specifies it
* a file change on its way to the other nodes? ``node/publishing/`` tells it step by step
* a signal taken? ``node/supervisor/`` tells the way of one, and in which order a node starts
"""
