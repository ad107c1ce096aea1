"""A deterministic simulator of a cluster: ``make sim`` runs it and prints what it finds.

* ``world.py``: time, network and nodes; the same seed gives the same trace
* ``faults.py``: what can happen to a cluster, and what is counted
* ``__main__.py``: many seeds in two processes, one table of figures

The nodes are the real cores of :mod:`edge.gossip`; only sockets and the clock are replaced.
"""
