"""The load generator: smart clients by the million, and what follows from them.

* ``cli.py``: the command ``loadgen``, which picks the subcommand;
* ``run/``: virtual users against a real cluster; ``wire/``: their requests; ``subscribers/``: their sockets;
* ``models/``: how users behave, as arithmetic;
* ``record/``: a scenario out of an access log, by ``logs/``, which reads one;
* ``har/``: what pages weigh, by a browser's record; ``compare/``: are two runs different, or noise;
* ``pipelines/``: a result for those who build and test by machine;
* ``simulate/``: a day of a simulated cluster; ``plan/``: capacity; both by the model of ``demand/``, from
  measured ``constants.py``;
* ``verdict/``: passed, failed or invalid, and why;
* ``results.py``, ``histogram.py``: what a run came to; ``live/``: while it runs; ``report/``, ``charts/``:
  afterwards;
* ``conversion.py``: what msgspec says of values that do not fit, as sentences;
* ``output.py``: files, written whole or not at all, and standard output;
* ``targets.py``: which addresses may be loaded at all; ``trust.py``: whose certificates are
  trusted; ``patience.py``: bounds of time for whole exchanges; ``errors.py``.

No subcommand imports another one; what they share stands below them (``pyproject.toml`` has the layers).
"""
