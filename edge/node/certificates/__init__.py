"""Certificates that take care of themselves (``--tls-auto``), keys of tickets; imports ``process`` alone.

* ``keeper.py``: looks when something is to be done, and what the others know
* ``ordering.py``: one order, from the account to the chain, in steps
* ``challenges.py``: what authorities look at, as entries of the table
* ``ticket_keeper.py``: keeps the keys of session tickets, by :mod:`edge.trust.tickets`

What is decided, and from what, stands in :mod:`edge.trust.automatic`; the protocol in
:mod:`edge.trust.acme_session`; files in :mod:`edge.trust.automatic_files`.  The way to a certificate:

1. The keeper finds that this node is to order, says so in the record, and passes that on.
2. The order's challenges become entries under ``/.well-known/acme-challenge/``: for HTTP-01 under the token,
   for TLS-ALPN-01 under the name.  They are replicated as all entries are, so every node answers them.
3. When the other nodes have them, the authority is told to look, and asked until it has seen them.
4. Key and chain go into the record, to the other nodes and into the files of all; listeners load them.
"""
