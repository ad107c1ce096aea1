"""Certificates and TLS: the cluster's authority, mutual TLS between nodes, the listeners' certificates.

* ``authority.py``: makes authorities and certificates (``edgectl cluster``)
* ``contexts.py``: mutual TLS 1.3 between nodes, a certificate on both sides, reloaded on SIGHUP
* ``web_certificate.py``: certificates for browsers that are made here
* ``listener_certificate.py``: the certificate of a TLS listener, loaded anew when its files change;
  ``kept_certificate.py``: the last good one, for workers that start later

Of the project it imports :mod:`edge.errors` alone.
"""
