"""How loaded a node is, and what it tells its clients.  Sans-IO: counters and a time go in.

* ``window.py``: rates over a sliding window, from counters that only grow
* ``meters.py``: from what a node counts to shares of what it has, and to its utilization
* ``speculation.py``: whether pages may be prefetched, from utilization
* ``weight.py``: from utilization to the weight that clients draw with
* ``report.py``: the load report, the form in which a node's load travels between nodes
* ``wire.py``: fields of that, and of other messages between nodes, with their range and grammar
* ``document.py``: the load document, ``GET /.edge/load``; says which nodes clients may choose
* ``riding.py``: the same in a word, that rides on answers which are sent anyway
* ``orca.py``: the same in the standard ORCA header
"""
