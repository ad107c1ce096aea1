"""Running nodes: ``staging.py`` is the cluster on one machine that ``make run`` starts."""
