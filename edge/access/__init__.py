"""Who may: passwords, networks and rates, by the path that is asked for (sans-IO).

* ``networks.py``: networks, and which of two lists decides of an address
* ``rules.py``: the rules as they are configured, and those that hold for a path
* ``patterns.py``: the same for the fast path: what it decides alone, and what it lets go
* ``buckets.py``: token buckets in shared memory
* ``htpasswd.py``: files of users, and their passwords
* ``credentials.py``: what a request shows, and what has been verified

A rule is about the path that a visitor asks for, in all its spellings: percent-encoded, with doubled
slashes and dots, without ``.html`` or the name of an index.  The fast path answers only what it is sure of:
whatever needs a password, and whatever may be another spelling, goes to the Twisted side, which decides
(:mod:`edge.node.connection.guarding`).  ``edge_guard.c`` and ``edge_buckets.c`` are the twins of
``patterns.py`` and ``buckets.py``.
"""
