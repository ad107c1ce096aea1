"""Certificates and TLS: the cluster's authority, mutual TLS between nodes, the listeners' certificates.

* ``authority.py``: makes authorities and certificates (``edgectl cluster``)
* ``contexts.py``: mutual TLS 1.3 between nodes, a certificate on both sides, reloaded on SIGHUP
* ``web_certificate.py``: certificates for browsers that are made here
* ``automatic.py``: certificates that take care of themselves: who orders when, and what all agree on
  (sans-IO); ``acme_session.py``: the conversation with their authority; ``automatic_files.py``: their files;
  ``challenge_certificate.py``: what proves a name by TLS-ALPN-01
* ``revocations.py``: which certificates of nodes count no longer; ``keyring.py``: signatures of nodes
* ``tickets.py``: keys of session tickets that all nodes share (sans-IO); ``sealed_file.py``: a file sealed
  under another secret of the node
* certificates of listeners: ``credentials.py`` reads and judges them, ``kept_certificate.py`` keeps the last
  good one while files change, both in the supervisor; ``listener_certificate.py`` shows them in a worker

Of the project it imports :mod:`edge.errors`, :mod:`edge.durable`, :mod:`edge.endpoint`,
:mod:`edge.tls.interface`, and :mod:`edge.gossip` for what nodes say of certificates.
"""
