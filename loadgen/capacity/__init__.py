"""Demand of a site's users, and what it costs nodes: what ``loadgen plan`` and ``loadgen simulate`` share.

* ``wire.py``: messages as Ethernet frames, acknowledgements and handshakes among them

Pure: numbers go in, numbers come out.  What each thing costs comes from :mod:`loadgen.constants`, measured.
"""
