"""Gossip: failure detection (SWIM, Lifeguard) and a replicated table (anti-entropy).  Sans-IO.

Bytes and a time go in, messages come out; :mod:`edge.node.cluster` is the shell that feeds it.

=================  =======================================================================================
Who is a member    SWIM: Das, Gupta, Motivala 2002; Lifeguard: Dadgar, Phillips, Currey 2018
membership.py      the SWIM protocol of one node: probes, suspicion, refutation
members.py         the records: members, updates and their order, configuration, outputs
roster.py          the member list, and what an update does to it
introductions.py   nodes that others tell of, to be dialled
probes.py          probes under way: direct, indirect
roundtrip.py       probe timeouts from smoothed round-trip times
suspicion.py       the timeout of a suspicion
awareness.py       local health awareness: an overloaded node blames itself first
rejoin.py          the probe that a node declared dead has to pass before it refutes
namesakes.py       two processes of the same name: who keeps it
broadcasts.py      updates that are being disseminated, least often sent first
piggyback.py       what rides on each packet, by priority
packet.py          the membership message, on the wire
fields.py          what fields of messages may hold: ranges and grammars
schema.py          decoding by schema
-----------------  ---------------------------------------------------------------------------------------
What they agree    Last writer wins, by a hybrid logical clock; logs compared by version vectors
replica.py         the replicated table: change logs, version vector
repair.py          anti-entropy: two tables compared, and what differs sent
requests.py        which peer is asked for which log, and who could not prove what it said
proving.py         which changes are proved, and how far a log is
changes.py         a change, and the table messages on the wire
batches.py         signed batches: what proves a change, whoever passes it on
keyring.py         whose signature counts
clock.py           the hybrid logical clock
differences.py     how far the clocks of other nodes are from this one's
progress.py        who is behind whom
steps.py           changes that belong together; at which state of the site a table is
publication.py     what one life of a node publishes of its files
published.py       what of a node's files is new, by the record of what it has published
buckets.py         hashes over the table, to compare two of them (a Merkle tree of two levels)
rows.py            the change log in SQLite
-----------------  ---------------------------------------------------------------------------------------
What is cached     Answers of applications: taken back everywhere, filled once; never in the change logs
invalidation.py    cache groups that have changed: told, settled, missed, doubted; leases
group_messages.py  the same on the wire
coalescing.py      which node fills a key, and who waits for it
riding.py          which bodies ride along with what is told of an answer
rendezvous.py      which node a key belongs to
entries.py         stored answers that nodes tell of, and fills, on the wire
-----------------  ---------------------------------------------------------------------------------------
In private         Keys from TLS 1.3, AEAD, replay protection
sealing.py         datagrams encrypted with ChaCha20-Poly1305
replay.py          the replay window
trust.py           messages about certificates, on the wire
=================  =======================================================================================

May be imported: :mod:`edge.cache`, :mod:`edge.http` and :mod:`edge.load` with their grammars,
:mod:`edge.resource`, :mod:`edge.errors`; neither Twisted nor sockets nor the clock.
"""
