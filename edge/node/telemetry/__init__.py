"""What a node tells of itself; imports ``process`` only.

* ``sampler.py``: CPU time, traffic and counters, read from the machine and the workers
* ``loading.py``: the load document and the ORCA field as entries of the table;
  ``status.py``: ``/.edge/status``
* ``metrics.py``: the Prometheus exposition; ``accesslog.py``: one line a request
"""
