"""The record layer of TLS 1.3, and hellos recognised or let go (sans-IO).

A TLS connection is its handshake and, from then on, a *record layer*: application data in sealed records.
The handshake is libssl's; when it is over, all that the connection needs is here, in 144 to 208 bytes::

    one record on the wire
    +----+-------+--------+--------------------------------------------------+----------+
    | 23 | 03 03 | length | content           | its type: 21, 22 or 23 | 0.. |   tag    |
    +----+-------+--------+--------------------------------------------------+----------+
      header, in the clear     sealed: up to 2^14 bytes, 1 byte, padding       16 bytes

      sealed with the key and IV of this direction and this generation; the nonce is the IV xor the number
      of the record, which is never sent; after a KeyUpdate (content of type 22) the next generation is used

Two builds do the same, byte for byte; one suite runs over both (``tests/tls/record_suite.py``).

* ``interface.py``: what a record layer is, alerts, limits;
* ``twin.py``: the specification, in Python;
* ``direction.py``: one direction, its keys and its sequence number; ``suites.py``: cipher suites, HKDF;
* ``state.py``: a record layer as bytes, drawn: it moves from owner to owner;
* ``hello.py``: ClientHellos that are recognised, or let go;
* ``native.py`` over ``src/``: the same in C11, and handshakes, over the system's libssl; optional
  (``build.py`` compiles it to ``edge._tls``).

In ``src/``, a header and mostly a source of each name::

    edge_tls            what the fast path's loop calls, through pointers: it links with no OpenSSL itself
    edge_tls_hkdf       HKDF-Extract and HKDF-Expand-Label over a hash
    edge_tls_library    the library context of libcrypto, with a key schedule for libssl
    edge_tls_suite      cipher suites: AEADs, keys out of secrets
    edge_tls_state      what is left of a connection, and the slabs where it lies
    edge_tls_record     records opened and sealed
    edge_tls_hello      ClientHellos that are recognised, or let go
    edge_tls_context    certificates, chosen by name; session tickets
    edge_tls_handshake  libssl in memory, which then lets go
    edge_tls_module     what Python calls

Of the project it imports nothing but :mod:`edge.errors`; neither Twisted nor sockets nor the clock.
"""
