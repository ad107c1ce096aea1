"""The data of the demonstration, behind one protocol: SQLite by default, PostgreSQL by configuration.

* ``store.py``: the protocol :class:`Store`, what it gives, and what can go wrong
* ``sql.py``: the store in SQL, which both databases speak; ``pool.py``: connections used again
* ``sqlite.py``: in one file; ``migrating.py``: its tables, from each version to the newest
* ``opening.py``: from the configuration to a store
"""
