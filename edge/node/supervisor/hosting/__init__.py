"""Applications behind the edge, as the supervisor sees them: what it runs, and how workers reach it.

* ``connecting.py``: connections to applications that are somewhere already
"""
