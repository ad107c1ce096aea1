"""How users behave, as arithmetic: no sockets, no clock, all randomness from outside.

* ``arrivals.py``: when sessions begin;
* ``think.py``: think times and what follows from them; ``draws.py``: random numbers one at a time;
* ``users.py``, ``calendar.py``: what very many users know, and when each acts next;
* ``choice.py``: which node a client goes to, by the smart client's formulas and by other policies;
* ``daily.py``: how many users there are at which hour.
"""
