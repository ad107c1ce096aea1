"""Where the bodies of this node's entries are, and how those of other nodes get here; imports ``process``.

* ``store.py``: the body store: in memory, in blob files, with other nodes.  Publishing and the replicated
  table share one
* ``fetcher.py``: bodies that this node lacks, fetched by digest from the nodes that hold them
"""
