"""Publishing a webroot: from a folder of files to representations that are ready to serve.

Read in this order:

==============  ==========================================================================================
settings.py     what goes in, and the progress that is told
webroot.py      ``scan``: the stages from a folder to a catalogue of representations
walk.py         listing and opening files without leaving the webroot
reading.py      consistent reads: files whole, though somebody writes to them
groups.py       which files make one resource: ``x.br`` and ``x.gz``; ``photo.avif`` beside ``photo.jpg``
rules.py        Content-Type, Cache-Control and Vary by name; the header lines made of them
facts.py        facts about contents: whether they are UTF-8, whether a name holds their digest
coding.py       content codings: brotli and gzip
encoding.py     coded bodies from the cache, or made and cached
threads.py      running the parts of a stage on all cores
building.py     one resource out of its parts
catalogue.py    all resources at one moment; ``diff``: the steps from one moment to the next, in safe order
store.py        the state directory: the cache of coded bodies, digests and facts, damage and eviction
blobs.py        content-addressed files for large bodies, shared by processes, garbage-collected
client.py       the smart client beside any site
watcher.py      noticing changes by inotify (the only module here that imports Twisted)
problems.py     files that could not be published, and why
==============  ==========================================================================================

What comes out is in :mod:`edge.resource`.  How a publisher uses them::

    store = Store(state_directory, report)
    watcher.start()
    new = scan(settings, store, old, progress, report, on_directory=watcher.watch)   # in a thread
    deploy = diff(old, new)
    ...                               # put deploy.puts in their order, then remove deploy.removes
    store.blobs.collect(new.blobs())  # after that: what the catalogue before the last one needed goes
"""
