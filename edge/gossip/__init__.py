"""How nodes of a cluster know each other and agree.  Sans-IO: bytes and a time go in, messages come out.

* ``membership.py``, ``suspicion.py``, ``awareness.py``, ``roundtrip.py``: SWIM with Lifeguard - who is there
* ``packet.py``: what a datagram holds; lanes: membership before load before table
* ``sealing.py``, ``replay.py``: datagrams sealed with the keys of a pair of nodes
* ``clock.py``, ``changes.py``, ``rows.py``, ``replica.py``, ``buckets.py``: the replicated table
"""
