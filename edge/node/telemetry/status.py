"""``/.edge/status``: what one node says of itself alone, once a second; the dashboard draws it.

::

    {"v":1,"id":"n1","state":"alive","uptime_s":12,"workers":2,"fast_path":"native","at":1763900000123,
     "rates":{"requests":4123.0,"not_modified":3900.0,"bodies":120.0,"validators":51000.0,"errors":0.0},
     "sockets":812,
     "table":{"entries":10233,"slots":2097152,"arena_bytes":536870912,"arena_used_bytes":81000000,"complete":true},
     "gossip":{"members":[{"id":"n2","state":"alive","rtt_ms":0.31,"behind":0}],
               "lag_p50_ms":1.2,"lag_p99_ms":4.0,"missing_bodies":0}}

Rates are per second over the last five; ``not_modified`` counts the answers 304, ``validators`` the lines of
batches.  ``gossip`` is null for a node alone; ``behind`` counts changes that the member is known to miss.
Names are append-only.  Neither an address of a machine nor a version is in it: the document is as public as
the load document, and like that an entry of the table.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from edge.gossip.packet import STATES
from edge.load.window import RateWindow
from edge.node.telemetry.loading import lines_of_load
from edge.resource import Representation, Resource, etag_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.node.cluster.cluster import Cluster
    from edge.table.writer import Writer

STATUS = b"/.edge/status"
VERSION = 1
#: Seconds between two versions of it.
STATUS_SECONDS = 1.0

#: rate -> counters that are added up for it.
_RATES = {
    "requests": ("requests", "twisted_requests"),
    "not_modified": ("not_modified",),
    "bodies": ("ok",),
    "validators": ("validators",),
    "errors": ("twisted_5xx",),
}


class StatusReport:
    """Makes the document from counters, remembering enough for the rates."""

    def __init__(self) -> None:
        self._windows = {name: RateWindow() for name in _RATES}

    def make(
        self,
        now: float,
        known: Mapping[str, Any],
        totals: Mapping[str, int],
        table: Mapping[str, Any],
        cluster: Cluster | None,
    ) -> bytes:
        """The document.

        *known*: id, uptime_s, state, workers, fast_path.  *totals*: the counters of all workers.
        *table*: :meth:`edge.table.writer.Writer.statistics`.
        """  # fmt: skip
        rates = {
            name: round(self._windows[name].observe(now, sum(totals[one] for one in counters)), 1)
            for name, counters in _RATES.items()
        }
        document = {
            "v": VERSION, **known, "at": int(now * 1000), "rates": rates, "sockets": totals["sockets"],
            "table": {
                "entries": table["entries"], "slots": table["slots"], "arena_bytes": table["arena_bytes"],
                "arena_used_bytes": table["arena_bytes"] - table["arena_free_bytes"],
                "complete": table["complete"],
            },
            "gossip": None if cluster is None else _gossip(cluster),
        }  # fmt: skip
        return msgspec.json.encode(document)


def _gossip(cluster: Cluster) -> dict[str, Any]:
    """The cluster as this node sees it."""
    lags = sorted(cluster.table.lags)
    members = sorted(cluster.membership.members.values(), key=lambda one: one.name)
    return {
        "members": [
            {
                "id": member.name,
                "state": STATES[member.state],
                "rtt_ms": _milliseconds(member.roundtrip.smoothed),
                "behind": cluster.progress.peer_behind(member.name),
            }
            for member in members
        ],
        "lag_p50_ms": lags[len(lags) // 2] if lags else None,
        "lag_p99_ms": lags[len(lags) * 99 // 100] if lags else None,
        "missing_bodies": cluster.table.missing,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)


def publish_status(writer: Writer, document: bytes, orca: bytes, now: int) -> None:
    """Put *document* into the table, as :func:`.loading.publish_load` does with the load."""
    digest = sha256(document).digest()
    lines = lines_of_load(orca)
    plain = b"Cache-Control: no-store\r\nAccess-Control-Allow-Origin: *\r\n"
    one = Representation(0, etag_of(digest), digest, len(document), lines, plain, document)
    writer.put(Resource(STATUS, now, (one,)), counts=False)
