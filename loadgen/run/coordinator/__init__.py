"""The coordinator: the parent of a run's processes, from the command line to the verdict.

* ``command.py``: ``loadgen run``; ``scenario_file.py``: the TOML file, read and checked;
* ``crawl.py``: what the site has, and where its nodes are; ``plain_crawl.py``: the
  same of any server; ``crawl_connection.py``: the connection of both;
  ``links.py``: what a page leads to; ``crawl_progress.py``: what is said meanwhile;
  ``queries.py``: what its scripts ask for; ``shared_answers.py``: what nodes counted of applications;
* ``replay_command.py``: ``loadgen replay``; ``replay_log.py``: a log as a schedule;
* ``loading.py``: the options of both; ``finish.py``: from the processes to the exit code;
  ``abort.py``: what ends a run before its time;
* ``dealing.py``: how many processes it takes, and the share of each; ``worker_pool.py``: those processes;
* ``coordinator.py``: one run, from "go" to its result; ``events.py``: what happens meanwhile;
* ``merging.py``: the reports of all processes as one run;
* ``summary.py``: what is printed; the verdict is ``loadgen.verdict``'s.

May import ``loadgen.run.messages``, and what is below ``loadgen.run``; nothing of ``process``, which it
starts as a program.
"""
