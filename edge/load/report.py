"""The load report: the one form in which the load of a node travels, from its meters to every other node.

It is made once (:meth:`edge.load.meters.Measurement.report`), rides on gossip as it is
(:mod:`edge.gossip.packet`), and becomes an entry of the load document on each node
(:func:`edge.load.document.node_load`), where its figures are rounded.
"""

from __future__ import annotations

import msgspec

from edge.load.wire import Figure, Generation, Name, Number, Share, Weight


class LoadReport(msgspec.Struct, frozen=True, array_like=True):
    """The load of the node *name*; of two reports the one with the higher (generation, sequence) counts.

    On the wire an array in this order; positions are append-only.
    """

    name: Name
    #: Of the node's life, as in its membership; 0 for a node alone.
    generation: Generation
    sequence: Number
    #: The worst of its shares; may exceed 1.
    utilization: Share
    #: What clients draw it with, 0..1, if they may choose it.
    weight: Weight
    #: Requests, and errors (5xx), per second.
    rps: Figure
    eps: Figure
    connections: Number
    #: Bits per second sent.
    egress_bps: Number
    #: Worst reactor lag of its workers.
    lag_ms: Figure
    #: It takes no new clients: it is about to stop, or has not started yet.
    draining: bool
    #: There is more that it will publish: it reads its webroot for the first time.
    publishing: bool = False


def unknown(name: str) -> LoadReport:
    """In place of the report of a node that has sent none."""
    return LoadReport(name, 0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0.0, False)
