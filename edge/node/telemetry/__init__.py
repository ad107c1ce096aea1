"""What a node tells of itself; imports ``process`` only.

* ``load_publisher.py``: four times a second from the meters to the load document, and to the other nodes;
  ``sampler.py``: CPU time, traffic and counters, read from the machine and the workers
* ``status_publisher.py``: once a second ``/.edge/status``
* ``documents.py``: such documents, and the ORCA field, as entries of the table
* ``refusals.py``: what was refused for want of room, as lines in the log
* ``registry.py``: every metric there is; ``alerts.py`` and ``dashboard.py``: for Prometheus and Grafana
* ``metrics.py``: the Prometheus exposition; ``tls_figures.py``: what TLS costs;
  ``application_figures.py``: the processes of applications; ``accesslog.py``: one line
  a request, to what ``log_outputs.py`` opens; ``logfiles.py``: the node's own log, after a rotation

The way of a load figure, from the meter to the browser:

1. **Sample** (:class:`.sampler.Sampler`).  Counters of all workers, from shared memory; CPU time of their
   processes.
2. **Measurement** (:class:`edge.load.meters.Meters`).  Shares of what the node has, rates of the last 5 s;
   the worst share is the utilization.
3. **Weight** (:class:`edge.load.weight.Weight`).  What is left, damped.
4. **Load report** (:class:`edge.load.report.LoadReport`).  The one type in which the load of a node travels,
   in full precision: gossip carries it as it is (:mod:`edge.gossip.packet`).
5. **Load document** (:mod:`edge.load.document`), made by :class:`.load_publisher.LoadPublisher` from this
   node's report and those of the others.  Here, and nowhere else, figures are rounded, and it is decided
   whether clients may choose a node (:func:`~edge.load.document.may_be_chosen`): if not, its weight is 0.
6. **Table** (:mod:`.documents`).  ``/.edge/load`` is an ordinary entry, which the fast path serves, and which
   workers push over WebSockets (:mod:`edge.node.resources.pushing`).
7. **Browser** (``webroot/edge/worker/nodes.js``).  The smart client draws a node by weight and measured
   latency.
"""
