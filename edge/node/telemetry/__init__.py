"""What a node tells of itself; imports ``process`` only.

* ``load_publisher.py``: four times a second from the meters to the load document, and to the other nodes;
  ``sampler.py``: CPU time, traffic and counters, read from the machine and the workers
* ``status_publisher.py``: once a second ``/.edge/status``
* ``documents.py``: such documents, and the ORCA field, as entries of the table
* ``metrics.py``: the Prometheus exposition; ``accesslog.py``: one line a request
"""
