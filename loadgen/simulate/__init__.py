"""``loadgen simulate``: a day of very many smart clients on a simulated cluster.

Users are cohorts: how many are at which node, in or out of a session, with how long a history.  A step of
time moves random numbers of them - binomial, multinomial, Poisson, all from one seeded generator - so that
ten million cost no more than ten.  The same seed gives the same result, byte for byte.

* ``inputs.py``: what a user does, what a cluster is, what happens to it;
* ``session_rate.py``: how often sessions begin;
* ``changes.py``: what a deploy changes;
* ``cache_age_model.py``: what of a page is cached, and how old, at a page view, by the user's history;
* ``costs.py``: what is counted, and what each costs: a matrix made from :mod:`loadgen.demand`;
* ``nodes.py``: loads, queues, and the figures that nodes publish, with their age;
* ``views.py``: what page views ask the nodes for;
* ``routing.py``: which node page views go to: sticky for smart clients, anew for each request else;
* ``cohorts.py``: the simulation of all users;
* ``parallel.py``: several policies at the same time, a process for each core;
* ``exact.py``, ``user.py``: the simulation of single users, event by event, that the other is compared with;
* ``loading.py``: how often users have to come for the cluster to be as full as one wants;
* ``outcome.py``, ``document.py``: what comes out; ``tables.py``, ``plot.py``: how it is shown;
* ``command.py``: the command line.

Nothing but ``command.py`` and the showing touches files, the clock or the terminal.
"""
