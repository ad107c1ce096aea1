"""The exporter, ``python -m edge.node.exporter``: the process that sends spans of all workers to a collector.

* ``__main__.py``: the process, which ends when the supervisor lets go of it; ``told.py``: what that tells it
* ``batches.py``: from rings to batches, and what becomes of them
* ``collector.py``: OpenTelemetry's exporter, and how a collector is kept from holding it up;
  ``trying.py``: whether a collector takes spans, tried now

It alone talks to the collector, has no descriptors but the rings, and imports OpenTelemetry's SDK, which no
other process of a node does.  Whatever a collector does, or the SDK, requests go on: the rings fill up, and
what has no room there is dropped and counted.  What a ring holds outlives the exporter and the worker.
"""
