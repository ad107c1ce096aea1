"""The data of the demonstration, behind one protocol: SQLite by default, PostgreSQL by configuration.

* ``store.py``: the protocol :class:`Store`, what it gives, and what can go wrong
* ``sql.py``: the store in SQL, which both databases speak; ``pool.py``: connections used again
* ``sqlite.py``: in one file; ``postgresql.py``: in a server; ``migrating.py``: the tables of both, from each
  version to the newest
* ``second_level.py``: Redis before either, and as a channel for changes of other programs
* ``opening.py``: from the configuration to a store; ``backup.py``: copies of it
"""
