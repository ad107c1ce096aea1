"""The shared cache of applications' answers, as far as it is decided without input or output.  Sans-IO.

Fields and a time go in, verdicts come out; :mod:`edge.node.applications` is the shell that asks applications
and writes the table.

====================  ================================================================================
``directives.py``     Cache-Control and CDN-Cache-Control, read
``policy.py``         which answers may be shared, and for how long (RFC 9111, 9213, 5861)
``keys.py``           under which key: path, exact query, buckets of the configured fields
``record.py``         what lies behind the body of a stored answer, byte by byte
``leases.py``         fill leases: who asks the application, who waits; which answers come too late
``marks.py``          keys known to be for one reader alone, or for all, for a while
``eviction.py``       S3-FIFO by hit bits: which answers make room
``status.py``         the field Cache-Status (RFC 9211)
``groups.py``         what is in the cache groups of this node, what has changed, and what that spoils
``group_fields.py``   ``Cache-Groups`` and ``Cache-Group-Invalidation`` (RFC 9875), read
``memberships.py``    the index from groups to entries, in flat arrays
``group_changes.py``  what has changed of late: tokens of fills, version vectors
``group_history.py``  the same for readers: which groups changed since a state
``followers.py``      who follows which groups, and who is told of a change when
====================  ================================================================================

The story of a key:

1. The first request for it passes whole, cookies and all, and its answer goes to its reader alone.  What the
   answer says decides: shareable, or the key is marked "pass" for a minute.
2. The second request gets a *lease*: the application is asked the *clean question*, which holds nothing but
   the key.  Who comes meanwhile waits.  (Paths that the operator has named in ``share`` begin here.)
3. The answer is stored with the token of the lease, unless one of its groups has changed since then.
4. While it is fresh, it is answered from the table.  Hot answers are asked for anew before they are not.
"""
