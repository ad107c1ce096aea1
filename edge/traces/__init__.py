"""Traces of requests that the fast path lets go of (sans-IO).

* ``context.py``: W3C Trace Context: which trace a request is of, as the fields ``traceparent`` and
  ``tracestate`` say it
* ``sampling.py``: which traces are recorded
* ``span.py``: one span as a record: its bytes, and what may be in it
* ``http.py``: what a span says of a request, in the names of OpenTelemetry's semantic conventions
* ``ring.py``: the ring in shared memory that a worker writes its spans into

The way of a span: a worker begins it with the head of a request (:mod:`edge.node.connection.tracing`), and
one below it for whom it asks (:mod:`edge.node.applications.traced`).  Each is written into the ring of the
worker when it ends.  A process of its own, the exporter (:mod:`edge.node.exporter`), reads the rings of all
workers and sends what is in them to a collector, by OTLP over HTTP.  So whatever the collector does, no
request ever waits for it: the rings fill up, and what finds no room is dropped and counted.
"""
