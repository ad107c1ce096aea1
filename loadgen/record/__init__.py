"""``loadgen record``: a scenario of the users whose requests an access log has.

* ``command.py``: the command line; ``traffic.py``: entries as page views, sessions, pages and their parts;
* ``sessions.py``: which views are one session; ``rates.py``: sessions that begin, over time;
* ``pages.py``: how often each page is viewed, and its parts; ``clients.py``: how many clients there are;
* ``intervals.py``: think times, counted; ``fits.py``: distributions fitted to what was counted;
* ``shown.py``: the fits beside the data; ``scenario.py``: the file that ``loadgen run`` reads.

All but ``command.py`` take entries and give numbers and texts.  Memory is bounded, whatever the log has.
"""
