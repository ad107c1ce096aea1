"""What the site can do: plain functions over a store, without HTTP and without GraphQL.

* ``characters.py``: characters and blocks of Unicode, which never change; ``search.py``: characters by name
* ``votes.py``: votes and the ranking; ``comments.py``: comments; ``groups.py``: what a change touches
* ``watching.py``: changes that other programs have made
"""
