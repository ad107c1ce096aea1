"""``loadgen run``: smart clients by the million, and a verdict.

A parent deals users out to processes, here or on other machines, and adds up what they report each second:

* ``command.py``, ``scenario.py``: the command line and the TOML file; ``crawl.py``: what the site has;
* ``running.py``: the parent; ``hands.py``: its processes; ``remote.py``: ``loadgen worker``, which lends one
  (``addresses.py``, ``handshake.py``, ``token.py``: where and to whom);
* ``frames.py``, ``job.py``: what they tell each other;
* ``merging.py``, ``verdict.py``, ``summary.py``: what all of it came to; ``events.py``: what happens
  meanwhile.

In each process:

* ``process.py``, ``assembly.py``: how it begins; ``engine.py``: the turns of its loop; ``clock.py``;
* ``crowd.py``: who comes when; ``viewing.py``: what a user asks for; ``shelf.py``: what it has already;
  ``site.py``: the versions of all there is;
* ``choosing.py``, ``sender.py``, ``budget.py``, ``heads.py``: how the smart client asks;
* ``checking.py``: whether the answers are right; ``books.py``: figures that add up.
"""
