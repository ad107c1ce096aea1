"""From the webroot to the table; imports no other room.

* ``publisher.py``: scan, deploy in slices, purge
* ``auto_publisher.py``: publishing when files change
"""
