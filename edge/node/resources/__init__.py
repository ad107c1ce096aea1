"""``twisted.web`` resources, the answers of a worker's Twisted side; imports ``connection`` and below.

* ``published.py``: representations from the table and the blob store
* ``addresses.py``: rules of the site that are no entries: patterns, the fallback
* ``edge_resources.py``: ``/.edge/...``; ``dashboard.*``: the page ``/.edge/``
* ``audience.py``: who may see the status and the dashboard
* ``https_only.py``: plain HTTP that only leads to HTTPS
* ``mounts.py``: resources of an application beside the site; ``mount_check.py``: whether they can be opened
* ``origins.py``: the origins whose pages may read answers (CORS)
* ``pushing.py``: who is pushed what and when over ``/.edge/socket``;
  ``pushsocket.py``: one of these WebSockets

The way of a change on one node to a WebSocket that is open at another:

1. It is published, replicated, and put into the other node's table: :mod:`edge.node.publishing` tells how.
   When the deploy has ended, the entry of the state of the site says so (:mod:`edge.table.site_state`).
2. Each worker looks at that entry four times a second, as long as it has WebSockets (:mod:`.pushing`), and
   composes one message for all of them: ``changed`` cannot wait for its round.
3. Those that rest are sent it in C, in slices (``edge_sockets.c``), the others by :mod:`.pushsocket`.
4. In the browser the feed (``webroot/edge/worker/feed.js``) hears it; the smart client asks what has changed,
   over the same socket, and fetches what a page shows of it.
"""
