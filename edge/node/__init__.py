"""The Twisted shell: processes, connections, resources.  It feeds the sans-IO cores and decides little.

One process tree (``supervisor`` is ``twistd edge`` itself):

==================  ==================================================================================
``supervisor``      opens what the node needs, publishes, runs workers, drains, takes signals
``plan``            configuration -> what the parts are told
``listeners``       endpoints -> listening sockets (``sockets``: how each kind is opened)
``statedir``        the state directory: lock, ``listening.json``, token
``publisher``       scan -> table, in slices; purges (``watched``: when to publish)
``workers``         all workers; ``children``: one process and its successors; ``backoff``
``control``         what supervisor and worker say to each other (``settings``, ``lookup``: in bytes)
``administration``  status, checks, load document, metrics (``admin``: the HTTP API; ``acceptor``)
``worker``          a worker process; ``serving``: its machinery
==================  ==================================================================================

One connection on the Twisted side:

==================  ==================================================================================
``channel``         strict requests in, ordered answers out, deadlines, lingering
``request``         twisted.web's request as the channel drives it
``framing``         nothing leaves that could be misread
``output``          writes, producers (``producing``), what the peer takes (``deadline``)
``site``            what the channels of a worker share; the root of the resources
``published``       answers from the table (``body``: from files)
``mounts``          resources of an application beside it
``edge_resources``  ``/.edge/...`` (``loading``: load document and ORCA header as entries; ``status``)
``pushing``         ``/.edge/socket``: who gets what when (``pushsocket``: one of them; ``upgraded``)
``tls``             certificates that change
==================  ==================================================================================

Besides: ``limits`` (descriptors), ``origins`` (who may read), ``lag`` (of the reactor), ``metrics``,
``accesslog``, ``sampler``.
"""
