"""``loadgen plan``: whether servers and money suffice for a site's users, hour by hour.

* ``inputs.py``, ``document.py``: what a plan says, and how a TOML file becomes one
* ``demand.py``: users become requests, with what :mod:`loadgen.demand` says that these cost
* ``queueing.py``, ``capacity.py``, ``cluster.py``: what machines can carry, how long requests wait
* ``curve.py``, ``history.py``, ``forecast.py``: which hours bring how many users
* ``cost.py``: when burst machines run, and the bill
* ``verdict.py``: all of it together
* ``remedies.py``, ``sensitivity.py``, ``regions.py``: what would have to change, what matters, what fits
* ``show.py``, ``page.py``, ``command.py``: tables, a page with charts, the command line

What each thing costs a node comes from :mod:`loadgen.constants`, measured.  All but ``document.py`` and the
last three are pure: numbers go in, numbers come out.
"""
