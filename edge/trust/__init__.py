"""Who is trusted with what: the cluster's certificate authority, the nodes' certificates, TLS.

* ``authority.py``: makes authorities and certificates (``edgectl cluster``)
* ``contexts.py``: TLS 1.3 between nodes, a certificate on both sides, reloaded on SIGHUP
* ``listener_certificate.py``: the certificate of a TLS listener, loaded anew when its files change
"""
