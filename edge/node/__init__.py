"""The Twisted shell: processes, connections, resources.  It feeds the sans-IO cores and decides little.

A node is one process tree: the supervisor (``twistd edge`` itself) and its workers.  Each room says in its
own docstring what lives in it; a room imports only those below it, and none beside it::

    supervisor      opens what the node needs, runs workers, takes signals, answers the admin API
    worker          a worker process: the fast path, the certificates, the resources
    exporter        the process that sends spans of requests to a collector
    applications    applications behind the node, and how they are asked
    resources       what is answered: the published site, /.edge/..., mounts, the push socket
    cluster         the shell of gossip: datagrams, streams, the replicated table
    publishing      from the webroot to the table
    certificates    certificates that take care of themselves
    telemetry       load figures, status, metrics, access log
    bodies          where bodies are: in memory, in files, with other nodes
    connection      one connection on the Twisted side: requests in, answers out
    process         what supervisor and worker processes share: control protocol, settings, limits

``lint-imports`` holds this order against the code (the contracts stand in ``pyproject.toml``).
"""
