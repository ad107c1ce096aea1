"""The status publisher: once a second, what this node says of itself alone, ``/.edge/status``.

::

    {"v":1,"id":"n1","state":"alive","uptime_s":12,"workers":2,"fast_path":"native","at":1763900000123,
     "rates":{"requests":4123.0,"not_modified":3900.0,"bodies":120.0,"validators":51000.0,"errors":0.0},
     "shared":{"hit":3100.0,"stale":0.0,"filled":2.0,"coalesced":11.0,"passed":40.0},
     "sockets":812,
     "table":{"entries":10233,"slots":2097152,"arena_bytes":536870912,"arena_used_bytes":81000000,"complete":true},
     "gossip":{"members":[{"id":"n2","state":"alive","rtt_ms":0.31,"behind":0}],
               "lag_p50_ms":1.2,"lag_p99_ms":4.0,"missing_bodies":0},
     "applications":[{"name":"shop","processes":2,"ready":2,"restarts":0}]}

Rates are per second over the last five; ``not_modified`` counts the answers 304, ``validators`` the lines of
batches; ``shared``: what the shared cache made of requests for applications (``edge_shared_answers_total``).
``gossip`` is null for a node alone; ``behind`` counts changes that the member is known to miss.
Where everybody may see it and there are several sites, ``applications`` are one row, ``all``: readers of
one site are not told what the others have.  Names are append-only.  Neither an address of a machine nor a
version is in it: the document is as public as the load document, and like that an entry of the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from twisted.logger import Logger

from edge.load.orca import orca_line
from edge.load.window import RateWindow
from edge.node.process.clocks import date_of
from edge.node.process.own_resources import status_path
from edge.node.process.periodic import Periodic
from edge.node.telemetry.application_figures import Figures, in_short
from edge.node.telemetry.documents import DocumentTable, put_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.load.meters import Measurement
    from edge.node.process.life import Life

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
#: Likewise of the answers of applications.
_SHARED = {kind: (f"answers_{kind}",) for kind in ("hit", "stale", "filled", "coalesced", "passed")}


class StatusTable(DocumentTable, Protocol):
    """Where the document goes, and what it tells of: a :class:`edge.table.writer.Writer`."""

    def statistics(self) -> Mapping[str, int | float | bool]:
        """Entries, slots and bytes of the table."""


class Counters(Protocol):
    """The counters of a node: a :class:`edge.table.segment.Segment`."""

    def totals(self) -> Mapping[str, int]:
        """The counters of all workers, by name."""


class Measured(Protocol):
    """The latest measurement: :class:`edge.node.telemetry.load_publisher.LoadPublisher`."""

    @property
    def measured(self) -> Measurement | None:
        """None until there is one."""


class StatusPublisher:
    """Publishes the status of the node *name*; *gossip* is None for a node alone.

    *audience*: ``--status``.  *fast_path*: what answers from the table: native, python or off.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        name: str,
        workers: int,
        life: Life,
        fast_path: Callable[[], str],
        counters: Counters,
        table: StatusTable,
        load: Measured,
        gossip: Callable[[], dict[str, Any]] | None,
        clock: Any,
        audience: str = "public",
        applications: Callable[[], Figures] = tuple,
        several_sites: bool = False,
    ) -> None:
        self._name = name
        self._workers = workers
        self._life = life
        self._fast_path = fast_path
        self._counters = counters
        self._table = table
        self._load = load
        self._gossip = gossip
        self._clock = clock
        self._audience = audience
        self._applications = applications
        self._names_applications = not several_sites or audience == "local"
        self._began = clock.seconds()
        self._windows = {name: RateWindow() for name in (*_RATES, *_SHARED)}
        self._periodic = Periodic(self.publish, STATUS_SECONDS, clock)

    def start(self) -> None:
        """Publish now, and then every :data:`STATUS_SECONDS`, if somebody may see it."""
        if self._audience != "off":
            self._periodic.start()

    def stop(self) -> None:
        """Publish no more."""
        self._periodic.stop()

    def publish(self) -> None:
        """Put the new document into the table, once there is a measurement; never raises."""
        try:
            self._publish(self._clock.seconds())
        except Exception:
            self._log.failure("the status could not be published")

    def _publish(self, now: float) -> None:
        measured = self._load.measured
        if measured is not None:
            document = msgspec.json.encode(self._document(now))
            date = int(date_of(self._clock))
            put_document(self._table, status_path(self._audience), document, orca_line(measured), date)

    def _document(self, now: float) -> dict[str, Any]:
        totals, table = self._counters.totals(), self._table.statistics()

        def rates(counted: Mapping[str, tuple[str, ...]]) -> dict[str, float]:
            return {
                name: round(self._windows[name].observe(now, sum(totals[one] for one in counters)), 1)
                for name, counters in counted.items()
            }

        return {
            "v": VERSION,
            "id": self._name,
            "state": "alive" if self._life.is_ready else "draining",
            "uptime_s": int(now - self._began),
            "workers": self._workers,
            "fast_path": self._fast_path(),
            "at": int(date_of(self._clock) * 1000),
            "rates": rates(_RATES),
            "shared": rates(_SHARED),
            "sockets": totals["sockets"],
            "table": {
                "entries": table["entries"],
                "slots": table["slots"],
                "arena_bytes": table["arena_bytes"],
                "arena_used_bytes": table["arena_bytes"] - table["arena_free_bytes"],
                "complete": table["complete"],
            },
            "gossip": None if self._gossip is None else self._gossip(),
            "applications": in_short(self._applications(), self._names_applications),
        }
