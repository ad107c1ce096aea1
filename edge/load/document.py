"""The load document: what ``GET /.edge/load`` answers, for one node or many.

::

    {"v":1,"cluster":"edge","seq":12,"at":1763900000123,"ttl_ms":5000,
     "nodes":[{"id":"n1","url":"http://localhost:8001","state":"alive","weight":0.82,
               "utilization":0.18,"rps":4123.0,"eps":0.0,"connections":10233,
               "egress_bps":81000000,"lag_ms":0.4,"age_ms":120}]}
"""

from __future__ import annotations

import msgspec

from edge.load.meters import Figures

VERSION = 1
#: Clients read the document again about this often.
TTL_MS = 5000


class NodeLoad(msgspec.Struct, frozen=True):
    """One node in the document."""

    id: str
    #: Where clients reach it.
    url: str
    #: alive, draining, suspect, dead or left.
    state: str
    #: What clients draw with, 0..1; 0: not to be chosen.
    weight: float
    #: The worst of its shares; may exceed 1.
    utilization: float
    rps: float
    eps: float
    connections: int
    egress_bps: int
    lag_ms: float
    #: How old these figures are.
    age_ms: int = 0


class LoadDocument(msgspec.Struct, frozen=True):
    """The whole document."""

    cluster: str
    #: Grows with each version of this node's document.
    seq: int
    #: When it was made, Unix milliseconds.
    at: int
    nodes: tuple[NodeLoad, ...]
    ttl_ms: int = TTL_MS
    v: int = VERSION


def node_load(name: str, url: str, state: str, figures: Figures, weight: float) -> NodeLoad:
    """The entry of one node, its figures rounded to what means something."""
    return NodeLoad(
        id=name,
        url=url,
        state=state,
        weight=round(weight if state == "alive" else 0.0, 3),
        utilization=round(figures.shares.utilization, 3),
        rps=round(figures.rps, 1),
        eps=round(figures.eps, 1),
        connections=figures.connections,
        egress_bps=round(figures.egress_bps),
        lag_ms=round(figures.lag_ms, 2),
    )


def encode(document: LoadDocument) -> bytes:
    """As JSON, version first."""
    fields = {
        "v": document.v,
        **{name: getattr(document, name) for name in ("cluster", "seq", "at", "ttl_ms", "nodes")},
    }
    return msgspec.json.encode(fields)


def decode(text: bytes) -> LoadDocument:
    """The document in *text*; :exc:`msgspec.ValidationError` or :exc:`msgspec.DecodeError`."""
    document = msgspec.json.decode(text, type=LoadDocument)
    if document.v != VERSION:
        raise msgspec.ValidationError(f"load document of version {document.v}, this program reads {VERSION}")
    return document
