"""The shell of gossip: this node as one of a cluster; imports ``connection`` and below.

* ``cluster.py``: the parts put together
* ``peers.py``, ``known_peers.py``: connections with other nodes, and whom to dial;
  ``streams.py``: one connection
* ``replication.py``: the replicated table in the table of this node;
  ``leases.py``: what may still be confirmed;
  ``progress.py``: how far behind each node is
* ``bodies.py``, ``bodyserver.py``, ``peer_endpoints.py``: large bodies, asked for, given, and where to ask
* ``clusterview.py``: members and change logs for people
"""
