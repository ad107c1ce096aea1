"""Requests of very many users over real sockets.

* ``interface.py``: what a wire is.
"""
