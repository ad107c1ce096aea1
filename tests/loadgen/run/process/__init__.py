"""Tests of a worker process.

There are users on a wire that the test answers for (``visit.py``), and a whole process on nodes behind a wire
whose clock is the test's (``cluster.py``).
"""
