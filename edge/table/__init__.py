"""The ETag table in shared memory: one writer, any number of readers, no locks.

A hash table with open addressing and linear probing; each slot is a seqlock, and what slots refer to is
freed by epoch-based reclamation.

* ``layout.py``: what lies where, drawn byte by byte
* ``segment.py``: the memory itself: made by the supervisor, inherited by workers
* ``writer.py``: the one process that may write; ``slots.py``: which slot is whose;
  ``heads.py``: header lines, each once; ``arena.py``: which bytes of the arena are free
* ``reader.py``: lookups in Python, the twin of the C code
* ``site_state.py``: at which state of the site what was read is current
* ``stores.py``: the two stores whose order readers rely on (a seqlock, and the readers' epochs)
* ``hashing.py``: the keyed hash of a path
* ``counters.py``: what each worker counts, in a block of its own; ``site_counts.py``: and of each site
"""
