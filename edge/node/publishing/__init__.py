"""From the webroot to the table; imports ``bodies`` and ``process``.

* ``auto_publisher.py``: publishing when files change, and when told
* ``sites.py``: several sites, each with a publisher, over one table
* ``publisher.py``: the shell around the schedule of a webroot: its jobs, the table, what is asked for
* ``deploys.py``: where a deploy begins and ends
* ``purges.py``: paths that stay away
* ``readdressing.py``: rules of addresses and fields, and the files that have some, brought into force
* ``job_runner.py``: the schedule's jobs, run in threads; ``client_files.py``: the smart client's own files
* ``threads.py``: the threads; ``milestone.py``: what others wait for
* ``scrubber.py``: blobs compared with their digests in the background
* ``table.py``: what a publisher needs of a table; the table of a node alone

The way of a file change, from the disk of one node to the answers of another.  Each step names the next one
in its docstring.

 1. **inotify to watcher** (:mod:`edge.publish.watcher`).  Something below the webroot has changed.  When it
    has been quiet for 0.2 s, or has gone on for 0.5 s, the watcher says in which directories.
 2. **Watcher to publisher** (:mod:`edge.node.publishing.auto_publisher`).
 3. **Schedule** (:mod:`edge.publish.schedule`).  These directories are listed, in a thread; files that stat
    says are new are made: read whole, hashed, coded quickly (:mod:`edge.publish.making`).  Small changes go
    before whatever else is being read; large files, and good codings, come last, in threads of their own.
 4. **Site** (:mod:`edge.publish.site`).  What was made is what the site has from now on.  The schedule gives
    the paths that differ, assets before the pages that name them, removals last, and without waiting for
    large files.
 5. **Publisher** (:mod:`edge.node.publishing.publisher`).  Path by path the table gets what the site has
    there, in slices of 5 ms.  What a deploy brings is one step of the table
    (:mod:`edge.node.publishing.deploys`): it ends when files are quiet.
 6. **Replicated table** (:mod:`edge.node.cluster.replicated_table`).  Each put and each removal is a change:
    first into this node's change log (:mod:`edge.gossip.replica`), which gives it a sequence number and a
    clock, then into shared memory (:mod:`edge.table.writer`).  From here on this node's workers answer with
    it.
 7. **Push** (:mod:`edge.node.cluster.anti_entropy`).  In the reactor's next turn the peers get the new
    changes over their streams; one to four small ones ride on datagrams as well, and every packet carries the
    version vector.
 8. **At the peer** (:mod:`edge.node.cluster.anti_entropy`).  It merges what it is sent into its replica: the
    newest clock counts.  Is something missing before it, it asks for that; what was lost, the version vectors
    of later packets and the repairs every 30 s bring to light.
 9. **The peer's table** (:mod:`edge.node.cluster.replicated_table`).  Changes that count are put, in their
    order and in slices.  An entry whose body is not there can be confirmed (304) at once.
10. **Bodies** (:mod:`edge.node.cluster.missing_bodies`).  Missing bodies are fetched by digest, from the
    publisher or whoever has them (:mod:`edge.node.bodies.fetcher`; served by
    :mod:`edge.node.cluster.bodyserver`): at once when a client waits, otherwise in the background.

A node alone ends with step 6: its table is the writer (:class:`edge.node.publishing.table.LocalTable`).
"""
