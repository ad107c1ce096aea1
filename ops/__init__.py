"""Programs around the project, which nodes do not need.

* ``staging.py``: a cluster of four nodes on this machine (``make run``); how it runs: ``staged_cluster.py``,
  ``staged_node.py``; where it listens: ``ports.py``; certificates of it: ``localhost_authority.py``
* ``demonstration.py``: what it serves; ``controls.py``: the buttons on its pages, which kill nodes, bring
  them back and slow them down (``slowness.py``)
* ``unicode_site.py``: makes the Unicode pages of ``webroot/``, a site of files
* ``loadgen-job.yaml``: the load generator as a Kubernetes job
"""
