"""The demonstration: a site of the article's kind, of which each layer can be read alone.

Of Unicode's characters: visitors vote for them, comment on them, look at the ranking, and search.  It is an
application as any other one: of the project it uses ``edge.app`` alone.  From the top:

* ``edge.toml``: what a node is told of it; ``app.py``: the ASGI application; ``settings.py``: what the
  environment says
* ``lifespan.py``: its start, whose failures are sentences
* ``pages.py``: pages made on the server; ``forms.py``: what works without scripts; ``sessions.py``: who votes
* ``schema.py``: the GraphQL schema; ``queries/``: the documents that visitors may ask for
* ``services/``: what the site can do, as plain functions over a store; no HTTP
* ``data/``: the store: SQLite, or PostgreSQL, with Redis before it or not
* ``webroot/``: the files that nodes publish
"""
