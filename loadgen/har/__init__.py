"""``loadgen har FILE...``: what pages weigh, by what a browser recorded of them.

* ``command.py``: the command line, and what is printed;
* ``archive.py``: a HAR file, of which addresses, kinds and sizes are read, and nothing else;
* ``weights.py``: pages and their parts, and the figures that plans and simulations take.
"""
