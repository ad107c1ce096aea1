"""What the processes of a node share; imports no other room.

* ``control.py``: the control protocol between supervisor and worker (AMP);
  ``settings.py``, ``lookup.py``, ``ticket_keys.py``, ``answers.py``, ``fill_messages.py``,
  ``group_news.py``: what it carries; ``writing.py``: how it leaves
* ``life.py``: the life of a node and of its workers; ``machine.py``: state machines as tables
* ``signals.py``: every signal has an answer
* ``own_resources.py``: ``/.edge/...``: paths and header lines of what lies in the table
* ``channel_limits.py``: limits of a connection
* ``log_memory.py``: the rings that requests are written down in;
  ``bucket_memory.py``: the buckets of rates
* ``imports.py``: how a process that is started finds this package
* ``daemon_threads.py``: work that blocks for as long as a stranger likes
* ``clocks.py``: the steady clock for durations, and the date
* ``acceptor.py``: accepting on the Twisted side; ``admission.py``: how often strangers may come;
  ``counted_log.py``: log lines that others cause; ``deadline.py``: one deadline;
  ``lag.py``: how late the reactor is; ``slices.py``: long work, a few milliseconds at a time;
  ``periodic.py``: work that is done again and again
"""
