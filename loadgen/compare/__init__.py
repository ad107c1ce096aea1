"""``loadgen compare A B``: are two runs different, or is it noise?

* ``command.py``: the command line, and what is printed;
* ``seconds.py``: what of each second of a run is compared;
* ``difference.py``: the difference of two series of seconds, with its confidence interval;
* ``student.py``: quantiles of Student's t.

All but ``command.py`` are pure functions.
"""
