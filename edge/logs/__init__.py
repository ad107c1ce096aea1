"""Records of requests, and the lines of an access log that are made of them (sans-IO).

* ``record.py``: one request as a record: its bytes, and what is cut
* ``ring.py``: the ring in shared memory that a worker writes its records into
* ``lines.py``: records as lines: common, combined, JSON; and as entries of systemd's journal
* ``reading.py``: pieces to be written out of a ring, in C or in Python

The way of a record: the fast path, or the Twisted side of the same worker, writes it into the ring of its
worker; the supervisor (:mod:`edge.node.telemetry.accesslog`) reads all rings, makes lines and writes
them.  In C the first two are ``edge_log``, and reading and the lines ``edge_lines``: same bytes in, same
bytes out.
"""
