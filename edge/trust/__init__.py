"""Who belongs to the cluster: its certificate authority, the nodes' certificates, TLS between them.

* ``authority.py``: makes authorities and certificates (``edgectl cluster``)
* ``contexts.py``: TLS 1.3 with a certificate on both sides, reloaded on SIGHUP
"""
