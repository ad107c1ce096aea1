"""A deterministic simulator of a cluster: ``make sim`` runs it and prints what it finds.

* ``world.py``: time, network and nodes; the same seed gives the same trace
* ``fills.py``: fills of the cache and changes of what it holds, in any order
* ``keyring.py``: signatures of simulated nodes
* ``sites.py``: publishers whose clocks, names and state directories are not what they should be
* ``faults.py``: what can happen to a cluster, and what is counted
* ``measures.py``: the rows of the table: which simulations, and how they are judged
* ``__main__.py``: runs them in as many processes as there are cores

The nodes are the real cores of :mod:`edge.gossip`; only sockets and the clock are replaced.
"""
