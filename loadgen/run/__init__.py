"""``loadgen run``: smart clients by the million, and a verdict.

Four rooms.  A **coordinator** deals virtual users out to processes, here or on other machines, and adds up
what they report each second; each **process** plays its users, each of them a smart **client**::

    coordinator/    the command, the scenario's file, the crawl; dealing, looking on, merging, the verdict
         |
         |  messages/    what the two tell each other: jobs, reports; who may tell it at all
         |
    process/        sessions and page views at planned times; are the answers right; figures that add up
         |
    client/         one user's smart client: what its browser has, which node it asks, retries and hedges

``coordinator`` and ``process`` import nothing of each other: what both need stands in ``messages``, which
imports no other room.  ``client`` imports ``messages``; ``process`` imports ``client`` and ``messages``.
"""
