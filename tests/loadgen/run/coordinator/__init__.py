"""Tests of the coordinator.

There are scripted processes (``scripted_workers.py``), a real server on loopback for crawling
(``serving.py``), and the command as a user calls it, against real nodes and against a server that lies
(``liar.py``).
"""
