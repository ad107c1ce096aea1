"""Tests of ``loadgen run``, a folder for each of its rooms.

What several of them stand on:

* ``samples.py``: nodes, load documents, a small site; ``answers.py``: whatever can come of a request;
* ``memory_wire.py``: a wire that the test answers for.
"""
