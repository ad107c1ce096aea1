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
"""
