"""The shell of gossip: this node as one of a cluster; imports ``connection``, ``bodies`` and below.

======================  ==================================================================================
assembly.py             the parts put together, each from finished ones
cluster.py              the life of a node among others: it joins, works, leaves
turn_loop.py            drives membership with sockets and time
----------------------  ----------------------------------------------------------------------------------
gossip_port.py          the TCP and the UDP socket of ``--gossip``
peers.py, streams.py    connections with other nodes; one stream
revoking.py             certificates of other nodes: learned, and revoked
known_peers.py          ``gossip.json``: addresses of peers, remembered over restarts
peer_directory.py       which nodes to ask for a body, and where they are
----------------------  ----------------------------------------------------------------------------------
replicated_table.py     the cluster's table in the shared memory of this node
apply_queue.py          changes of other nodes that wait to be applied
anti_entropy.py         changes exchanged with the peers: push, version vectors, repair
change_log.py           ``replica.sqlite``: opened, committed, closed
replication_progress.py how far behind each node is
leases.py               until when entries of other nodes may be confirmed
----------------------  ----------------------------------------------------------------------------------
entry_lane.py           stored answers of applications: filled once, taken from each other
group_lane.py           changes of cache groups: in force here, told to the others, settled
----------------------  ----------------------------------------------------------------------------------
missing_bodies.py       bodies that entries lack, fetched through the body store
bodyserver.py           bodies for the other nodes
peer_endpoints.py       HTTP to other nodes, by their names
shared_secrets.py       keys that all nodes agree on, and nobody else may see
----------------------  ----------------------------------------------------------------------------------
troubles.py             what only an operator can mend: logged, and FAILED in ``edgectl check``
clusterview.py          what this node sees of it: loads, members, change logs, metrics
======================  ==================================================================================

The way of a change through these files is told in :mod:`edge.node.publishing`.
"""
