"""``loadgen report``: results of runs as a page, as CSV, as Prometheus text, as JSON.

* ``command.py``: the command line;
* ``runs.py``: the runs, each with a name of its own;
* ``timeline.py``: a run's seconds as columns; ``distribution.py``: its histograms as steps;
* ``plots.py``: the charts; ``tables.py``: verdicts, key figures, tables; ``document.py``: the page of them;
* ``columns.py``: CSV; ``exposition.py``: Prometheus text.

All but ``command.py`` are pure functions of results.
"""
