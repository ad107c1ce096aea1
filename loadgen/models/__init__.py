"""How users behave, as arithmetic: no sockets, no clock, all randomness from outside.

* ``arrivals.py``: when sessions begin;
* ``think.py``: think times and what follows from them; ``draws.py``: random numbers one at a time;
* ``users.py``, ``calendar.py``: what very many users know, and when each acts next;
* ``choice.py``, ``choice_arrays.py``, ``choice_constants.py``: which node a client goes to,
  by the smart client's formulas and by other policies: for one, for many at once, the constants of both;
* ``weight_arrays.py``: the weights that nodes publish, many at once;
* ``http_caching.py``: what a browser's cache may do with a response;
* ``daily.py``: how many users there are at which hour.
"""
