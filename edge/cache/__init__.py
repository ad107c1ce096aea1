"""The shared cache of applications' answers, as far as it is decided without input or output.  Sans-IO.

====================  ================================================================================
``groups.py``         what is in the cache groups of this node, what has changed, and what that spoils
``group_fields.py``   ``Cache-Groups`` and ``Cache-Group-Invalidation`` (RFC 9875), read
``memberships.py``    the index from groups to entries, in flat arrays
``group_changes.py``  what has changed of late: tokens of fills, version vectors
====================  ================================================================================
"""
