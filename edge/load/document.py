"""The load document: what ``GET /.edge/load`` answers, for one node or many.

::

    {"v":1,"cluster":"edge","seq":12,"at":1763900000123,"ttl_ms":5000,"tag":"kJ3x",
     "nodes":[{"id":"n1","url":"http://localhost:8001","state":"alive","weight":0.82,
               "utilization":0.18,"rps":4123.0,"eps":0.0,"connections":10233,
               "egress_bps":81000000,"lag_ms":0.4,"age_ms":120}]}

Whether clients may choose a node is decided here (:func:`may_be_chosen`) and told by its weight: 0 says no.
"""

from __future__ import annotations

import msgspec

from edge.load.report import LoadReport

VERSION = 1
#: Clients read the document again about this often; what is older than this says nothing any more.
TTL_MS = 5000


class NodeLoad(msgspec.Struct, frozen=True):
    """One node in the document."""

    #: Its name.
    id: str
    #: Where clients reach it.
    url: str
    #: alive, draining, suspect, dead or left.
    state: str
    #: What clients draw with, 0..1; 0: not to be chosen.
    weight: float
    #: The worst of its shares; may exceed 1.
    utilization: float
    #: Requests per second.
    rps: float
    #: Errors (answers 5xx) per second.
    eps: float
    #: Open now.
    connections: int
    #: Sent.
    egress_bps: int
    #: The worst reactor lag of its workers.
    lag_ms: float
    #: How old these figures are.
    age_ms: int = 0


class LoadDocument(msgspec.Struct, frozen=True):
    """The load of a cluster, as one of its nodes knows it."""

    #: Its name.
    cluster: str
    #: Grows with each version of this node's document.
    seq: int
    #: When it was made, Unix milliseconds.
    at: int
    nodes: tuple[NodeLoad, ...]
    #: After this long clients read it again, and figures of a node say nothing any more.
    ttl_ms: int = TTL_MS
    #: Version of this format.
    v: int = VERSION
    #: Of its nodes and their places, for what rides on other answers (:mod:`edge.load.riding`).
    tag: str = ""

    @property
    def choice(self) -> list[str]:
        """The nodes that clients may choose: those of which the weight is not 0."""
        return [node.id for node in self.nodes if node.weight > 0]


def may_be_chosen(report: LoadReport, state: str, age: float, doubtful: bool = False) -> bool:
    """Whether clients may choose the node of *report*, *age* seconds old: the one place that decides it.

    *state*: alive, suspect, dead or left, as membership has it.  A node that is suspected gets no new
    clients at once - unless that is *doubtful*, because who suspects is in bad health itself.  Nor does one
    that drains, or was not heard of for :data:`TTL_MS`.
    """
    return _is_there(state, doubtful) and not report.draining and age * 1000 <= TTL_MS


def node_load(
    report: LoadReport, url: str, state: str = "alive", age: float = 0.0, doubtful: bool = False
) -> NodeLoad:
    """The entry of one node, its figures rounded to what means something; see :func:`may_be_chosen`."""
    drains = report.draining and _is_there(state, doubtful)
    chosen = may_be_chosen(report, state, age, doubtful)
    return NodeLoad(
        id=report.name,
        url=url,
        state="draining" if drains else state,
        weight=round(report.weight, 3) if chosen else 0.0,
        utilization=round(report.utilization, 3),
        rps=round(report.rps, 1),
        eps=round(report.eps, 1),
        connections=report.connections,
        egress_bps=report.egress_bps,
        lag_ms=round(report.lag_ms, 2),
        age_ms=int(age * 1000),
    )


def _is_there(state: str, doubtful: bool) -> bool:
    return state == "alive" or (state == "suspect" and doubtful)


def encode(document: LoadDocument) -> bytes:
    """*document* in JSON, the version first."""
    fields = {
        "v": document.v,
        **{name: getattr(document, name) for name in ("cluster", "seq", "at", "ttl_ms", "tag", "nodes")},
    }
    return msgspec.json.encode(fields)


def decode(text: bytes) -> LoadDocument:
    """The document in *text*; :exc:`msgspec.ValidationError` or :exc:`msgspec.DecodeError`."""
    document = msgspec.json.decode(text, type=LoadDocument)
    if document.v != VERSION:
        raise msgspec.ValidationError(f"load document of version {document.v}, this program reads {VERSION}")
    return document
