"""The load generator.

* ``cli.py``: the command ``loadgen``;
* ``flood.py``: ``loadgen flood``, a closed loop of keep-alive connections;
* ``answers.py``: sans-IO: where one HTTP/1.1 answer ends and the next begins;
* ``targets.py``: which addresses may be loaded at all.
"""
