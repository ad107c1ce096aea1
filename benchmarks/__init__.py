"""Benchmarks: ``make bench``, or ``python -m benchmarks [NAME...]``.

Every figure is a ratio taken side by side: our node and nginx serve the same bytes on the same
pinned core, one after the other, to the same client on another core, several rounds interleaved.
What is compared is *server CPU time per request* (from the scheduler's own account of each process),
not requests per second: CPU time is what a server costs, and a busy machine disturbs it least.

* ``__main__.py``: the printed table; ``rows.py``: what a row is;
* ``beside_nginx.py``, ``robustness.py``, ``several_nodes.py``, ``generator.py``: measures and their goals;
* ``addresses.py``: rules of fields and addresses, with and without, and nginx with the same ones;
  ``sites.py``: ten sites, and nginx with ten server blocks;
* ``browser_client.py``, ``browser_client.js``: the smart client in Chromium; ``cache_tests.js``: the suite of
  http-tests/cache-tests with and without it; ``idiomorph_suite.js``: idiomorph's, over our morph;
* ``scripts.py``: runs what is measured by Node.js
* ``apps.py``, ``apps_cache.py``: applications behind our node and behind nginx; their answers from the table;
  ``apps_cluster.py``: behind four nodes: writes read everywhere, cold keys, orders of fills and changes;
  ``apps_conformance.py``: the suite of http-tests/cache-tests before the shared cache;
* ``graphql.py``: what a query costs the application, by trusted document and as text
* ``tls.py``, ``tls_client.py``: the same over TLS, its handshakes and its memory;
* ``article.py``: pages of components: streamed, rendered, and patched beside lit, preact and idiomorph;
* ``article_live.py``, ``article_live.js``: the demonstration on four nodes, in Chromium and under load: votes
  shown elsewhere, bytes of a later navigation, what the tables answer, everything killed;
* ``servers.py``: our node and nginx as processes on one core;
* ``client.py``: wrk on the other core, and the requests it sends;
* ``memory.py``, ``sockets.py``: user memory of idle connections and WebSockets; ``warm_start.py``: publishing
  10,000 files;
* ``table_reads.c``, ``table_kill.py``, ``worker_kill.py``, ``attack.py``, ``hostile.py``: the table under a
  busy writer, killed writers, killed workers, slow-header attackers, bodies made to be costly;
* ``robust_publishing.py``: first starts, and what waits while a large file is read
* ``robust_shares.py``, ``robust_costs.py``, ``costly.py``: what one address leaves to others; the costliest
  request, and the search for it;
* ``cluster.py``, ``replica.py``, ``million.py``, ``certificates.py``: four nodes;
* ``siege.py``: a node with a certificate that means harm;
* ``wire_cost.py``, ``smart_clients.py``, ``idle_users.py``, ``subscribers.py``: the load generator;
* ``verdicts.py``, ``faulty_target.py``, ``witness.py``: forty faulty targets, what their users really got,
  and what ``loadgen run`` says of each;
* ``theory.py``, ``known_server.py``, ``wrk2.py``: percentiles of ten servers whose latency is known, by
  ``loadgen run`` and by wrk2
* ``real_scale.py``: whether a real run is like a simulated one;
* ``constants.py``, ``exchange.py``, ``resting.py``: what ``loadgen simulate`` and ``plan`` reckon with;
  ``capacity_page.py``: the page of what comes out.
"""
