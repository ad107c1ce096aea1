"""GraphQL for applications behind the edge: trusted documents, whose answers any node may give.

It takes a schema of graphql-core (strawberry and ariadne make such ones) and needs that package and
``rfc8785``: ``pip install twistd-edge[graphql]``. :class:`GraphQL` is an ASGI application for any
framework::

    documents = Documents.read("queries", schema)         # a wrong document is a sentence at start
    app.mount("/graphql", GraphQL(schema, documents, at="/graphql"))

``queries/Ranking.graphql`` holds ``query Ranking($first: Int) {...}`` and is then asked for as ``GET
/graphql/sha256:HASH/Ranking?variables=...``; its resolvers say with :func:`edge.app.tag` which groups their
data are in, and mutations with :func:`edge.app.changed` which they have changed.

* ``documents.py``: documents read, validated and measured once; ``limits.py``: what one may ask for
* ``variables.py``: the one spelling of variables in an address; ``addresses.py``: addresses
* ``execution.py``: an operation executed in bounded time
* ``once.py``: a mutation that comes twice is done once (Idempotency-Key)
* ``origins.py``: who may change something; ``requests.py``: questions read; ``endpoint.py``: the ASGI
  application
* ``graphiql.py``: the page for developers
"""

from __future__ import annotations

from edge.app.graphql.documents import Document, DocumentError, Documents
from edge.app.graphql.endpoint import Context, GraphQL
from edge.app.graphql.limits import Limits
from edge.app.graphql.once import Kept, Once, OnceInMemory

__all__ = [
    "Context",
    "Document",
    "DocumentError",
    "Documents",
    "GraphQL",
    "Kept",
    "Limits",
    "Once",
    "OnceInMemory",
]
