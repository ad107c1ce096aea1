"""Demand of a site's users, and what it costs nodes: the model that ``loadgen plan`` and ``simulate`` share.

* ``sessions.py``: how many users there are at once (Little's law), what a session does for each page view
* ``changed.py``: what of the site has changed since somebody asked last
* ``exchanges.py``: what one exchange of each kind weighs, in bytes of both directions and CPU time
* ``wire.py``: messages as Ethernet frames, acknowledgements and handshakes among them
* ``flows.py``: flows of exchanges, their sums, and what is held meanwhile

Pure: numbers go in, numbers come out.  What each thing costs comes from :mod:`loadgen.constants`, measured.
May import :mod:`loadgen.models` and :mod:`loadgen.constants`; a test holds both commands to the same figures.
"""
