"""Twenty sites as nginx has them, converted and answered beside nginx.

* ``sites/``: a configuration of each, written for this test
* ``content.py``: the files of each
* ``asking.py``: requests with a seed, and answers that can be compared
* ``differences.py``: where answers may differ, and why, as in ``docs/howto/moving-in.md``
* ``servers.py``: Debian's nginx, a node of the converted configuration, an application behind both
"""
