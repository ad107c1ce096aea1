"""The smart client of one virtual user, as ``webroot/edge/worker/`` has it, many at a time.

* ``site.py``: pages, what belongs to them, and the versions that were published;
* ``browser_cache.py``: what a user's browser has of a page, and what of that needs revalidation;
* ``private_cache.py``: what browsers without the smart client have stored (RFC 9111);
* ``content_coding.py``: content codings of bodies, undone; ``content_checking.py``: whether a body is whole,
  and of the form that the crawl found;
* ``choosing.py``: which node is asked: weighted random choice, outlier ejection, and other policies;
* ``sender.py``: logical requests and their attempts: failover, retries, hedged requests;
* ``budget.py``: the retry budget and the budget of hedges;
* ``heads.py``: the bytes of a request, as Chromium sends them;
* ``clock.py``: ticks of the model and nanoseconds of the wire.

May import ``loadgen.run.messages``, and what is below ``loadgen.run``.
"""
