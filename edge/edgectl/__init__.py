"""``edgectl``: the command that looks at a running node and tells it things, over its admin API.

* ``main.py``: the command line; its ``main`` is the entry point
* ``cluster_command.py``: ``edgectl cluster``, which makes certificates and asks no node
* ``convert_command.py``: ``edgectl convert``, from configurations of other servers
* ``try_command.py``: ``edgectl try``, how an address would be answered, and by which rule
* ``app_command.py``: ``edgectl app``, about the applications behind a node
* ``monitoring_command.py``: ``edgectl monitoring``: alerts and dashboard, from the registry of metrics
* ``admin_client.py``: HTTP to the admin API of a node; ``tables.py``: what is printed

Imports ``edge.config`` and ``edge.trust`` and what is below them; of ``edge.node`` the registry of metrics.
"""
