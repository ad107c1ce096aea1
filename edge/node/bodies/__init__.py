"""Where the bodies of this node's entries are, and how those of other nodes get here; imports ``process``.

* ``fetcher.py``: bodies that this node lacks, fetched by digest from the nodes that hold them
"""
