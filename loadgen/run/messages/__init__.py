"""What the coordinator and the processes of a run tell each other.

* ``protocol.py``: the messages and their framing; ``handshake.py``, ``token.py``, ``addresses.py``: to and
  from whom, where they are on different machines;
* ``job.py``: what a process is given, with ``scenario.py`` (what the run is to be) and ``sitemap.py`` (what
  the site consists of) in it;
* ``schedule.py``: the requests of a log, in a file;
* ``report.py``: what a process did within a second.

Imports no other room of ``loadgen.run``.
"""
