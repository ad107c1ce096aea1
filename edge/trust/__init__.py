"""Certificates and TLS: the cluster's authority, mutual TLS between nodes, the listeners' certificates.

* ``authority.py``: makes authorities and certificates (``edgectl cluster``)
* ``contexts.py``: mutual TLS 1.3 between nodes, a certificate on both sides, reloaded on SIGHUP
* ``web_certificate.py``: certificates for browsers that are made here
* ``automatic.py``: certificates that take care of themselves: who orders when, and what all agree on
  (sans-IO); ``acme_session.py``: the conversation with their authority; ``automatic_files.py``: their files;
  ``challenge_certificate.py``: what proves a name by TLS-ALPN-01
* ``listener_certificate.py``: the certificate of a TLS listener, loaded anew when its files change;
  ``kept_certificate.py``: the last good one, for workers that start later

Of the project it imports :mod:`edge.errors` and :mod:`edge.durable` alone.
"""
