"""Publishing a webroot: from a folder of files to representations that are ready to serve.

Read in this order:

==============  ==========================================================================================
settings.py     what goes in, and the progress that is told
schedule.py     what is listed, read and coded next, and what that changes for readers (sans-IO)
batches.py      what belongs together of that, in which order it is shown, when it is whole
lanes.py        the queues in which files wait for it; folders.py: the directories that are known;
                delays.py: those that are looked at again later
site.py         what is published now, by path; changes file by file
addressing.py   which addresses a file has, and with which fields: its offers for entries
jobs.py         the schedule's jobs, done: listing, making
making.py       ``Maker``: the stages from groups of files to what is published of them
webroot.py      ``scan``: a small folder, all of it at once
walk.py         listing and opening files without leaving the webroot
links.py        symbolic links on the way to a file
reading.py      consistent reads: files whole, though somebody writes to them
listings.py     pages that list folders without an index file
groups.py       which files make one resource: ``x.br`` and ``x.gz``; ``photo.avif`` beside ``photo.jpg``
types.py        media types by name; registered_types.py: the table that IANA's and Debian's names make
rules.py        Cache-Control and Vary by name; the header lines made of them
facts.py        facts about contents: whether they are UTF-8, whether a name holds their digest
coding.py       content codings: brotli and gzip
encoding.py     coded bodies from the cache, or made and cached
threads.py      running the parts of a stage on all cores
building.py     one resource out of its parts
catalogue.py    all resources of a folder at one moment; whether two are the same
store.py        the state directory: the cache of coded bodies, digests and facts, damage and eviction
blobs.py        content-addressed files for large bodies, shared by processes, garbage-collected
client.py       the smart client beside any site; client_rules.py: what is wrong with its edge.json
injection.py    its script tag in pages that do not name it
minifying.py    its scripts minified, when this package is built
watcher.py      noticing changes by inotify (the only module here that imports Twisted)
problems.py     files that could not be published, and why
==============  ==========================================================================================

What comes out is in :mod:`edge.resource`.  How a publisher uses them::

    store, site = Store(state_directory, report), Site()
    schedule = Schedule(site)
    schedule.begin(root_of(settings, store))
    while job := schedule.take_quick(now):           # each in a thread
        ...                                          # look, then schedule.looked, or make, then .made
    while (path := schedule.next_step(now)) is not None:
        ...                                          # the table gets what site.get(path) is
"""
