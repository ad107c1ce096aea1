"""Access logs of web servers, read: what was asked for, by whom (a number), and when.

A log is a stranger's: each line costs O(bytes), whatever is in it; memory does not grow with its length; and
what cannot be used is skipped, counted and said once for each reason, with the number of the first such line.

* ``files.py``: files, compressed ones and standard input as pieces of bytes, in the order of their times;
* ``lines.py``: pieces as lines of bounded length (sans-IO);
* ``entries.py``: a line as an entry: common, combined, JSON of this node, nginx, Caddy, Traefik (sans-IO);
* ``moments.py``: dates as Unix seconds;
* ``timeline.py``: entries in the order of their times, clock jumps mended (sans-IO);
* ``private.py``: what of an address is nobody else's business;
* ``account.py``: what was skipped, and why;
* ``reading.py``: all of them together.

Nothing here reads a cookie, a credential or a user's name; a client is a number made with a key that is
forgotten with the process.
"""
