"""Programs around the project, which nodes do not need.

* ``staging.py``: a cluster of four nodes on this machine (``make run``); ``ports.py``: where it can listen;
  ``localhost_authority.py``: certificates for it (``make run TLS=1``)
* ``unicode_site.py``, ``unicode_blocks.txt``: make the data of the demonstration site
* ``favourites.py``: an application beside it
* ``loadgen-job.yaml``: the load generator as a Kubernetes job
"""
