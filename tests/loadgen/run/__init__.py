"""Tests of ``loadgen run``, a file for each of its modules.  What they stand on:

* ``samples.py``: nodes, load documents, a small site; ``answers.py``: whatever can come of a request;
* ``memory_wire.py``, ``stage.py``: a wire that the test answers for, and a sender on it;
* ``cluster.py``: nodes behind a wire whose clock is the test's, for a whole process (``test_engine.py``);
* ``serving.py``: a real server on loopback, for crawling; ``hands.py``: scripted processes, for the parent;
* ``history.js``: the smart client's own choice of a node (``test_original.py``).
"""
