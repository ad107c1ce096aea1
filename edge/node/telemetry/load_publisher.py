"""The load publisher: four times a second, from the meters to the load document and to the other nodes.

::

    Sampler --Sample--> Meters --Measurement--> Weight
                                   |              |
                                   +--LoadReport--+---> the other nodes (gossip)
                                          |
                      reports of others --+--> LoadDocument --> the table, /.edge/load

The document is what browsers choose a node by.  What of it changes rides on the answers of
``/.edge/changes`` and ``/.edge/revalidate`` (:mod:`edge.load.riding`); the ORCA field in the header of all
three tells the same of this node alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from twisted.logger import Logger

from edge.load.document import LoadDocument, NodeLoad, encode, node_load
from edge.load.meters import Capacity, Measurement, Meters, Sample
from edge.load.orca import orca_line
from edge.load.riding import cache_control, ride, tag_of
from edge.load.weight import Weight
from edge.node.process.clocks import date_of
from edge.node.process.life import NodeState
from edge.node.process.own_resources import LOAD
from edge.node.process.periodic import Periodic
from edge.node.telemetry.documents import DocumentTable, put_batch_lines, put_document, show_state
from edge.sites import entry_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge.load.report import LoadReport
    from edge.node.process.life import Life
    from edge.table.site_state import StateEntry

#: Load documents of sites that are put at once, at most.
SITES_AT_ONCE = 64
#: Seconds between two versions of the load document.
LOAD_SECONDS = 0.25
#: The document of a site is made anew once in so many of them, every 2 s, while clients may choose the same
#: nodes: they read it every 5 s, and the figures that ride on answers are new each time.
SITES_TURNS = 8


class Samples(Protocol):
    """Where samples come from: :class:`edge.node.telemetry.sampler.Sampler`."""

    def sample(self, at: float) -> Sample:
        """The sample of this moment; *at* in seconds."""


class OtherNodes(Protocol):
    """The rest of the cluster: :class:`edge.node.cluster.clusterview.ClusterView`."""

    @property
    def generation(self) -> int:
        """The generation of this node, new in each of its lives."""

    def tell(self, report: LoadReport) -> None:
        """Send this node's load to all."""

    def loads(self) -> list[NodeLoad]:
        """The other nodes in the load document."""


class LoadPublisher:
    """Measures the node *name* and publishes its load; *others* is None for a node alone.

    *url*: how browsers reach the node.  *capacity*: what it has, of which its shares are parts.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        name: str,
        cluster: str,
        url: str,
        life: Life,
        samples: Samples,
        capacity: Capacity,
        table: DocumentTable,
        others: OtherNodes | None,
        clock: Any,
        publishes: bool = False,
        state: StateEntry | None = None,
        sites: Sequence[tuple[bytes, Callable[[str], str]]] = (),
    ) -> None:
        """*publishes*: it has a site of its own, and says so while it reads that for the first time.

        *state*: the entry that says the state of the site, which tells of the load as well.  *sites*: prefix
        of the names of each site that has its own load document, and what makes the name of a node the URL at
        which its browsers reach that.
        """
        self._url = url
        #: None until :meth:`publish` was called.
        self.measured: Measurement | None = None
        self.weight = 0.0
        self._name = name
        self._cluster = cluster
        self._life = life
        self._samples = samples
        self._meters = Meters(capacity)
        self._weight = Weight()
        self._table = table
        self._others = others
        self._clock = clock
        self._publishes = publishes
        self._state = state
        self._sites = sites
        #: Whom clients may choose; how many sites have still to be told that; which one is next.
        self._choice: tuple[tuple[str, str, str], ...] | None = None
        self._untold = self._next_site = 0
        self._sequence = 0
        self._periodic = Periodic(self.publish, LOAD_SECONDS, clock)

    def reconfigure(self, url: str, capacity: Capacity) -> None:
        """Tell this *url* and measure by this *capacity*, from the next load document on."""
        self._url = url
        self._meters.capacity = capacity

    def start(self) -> None:
        """Publish now, and then every :data:`LOAD_SECONDS`."""
        self._periodic.start()

    def stop(self) -> None:
        """Publish no more."""
        self._periodic.stop()

    def publish(self) -> None:
        """Measure, tell the others, and put the new document into the table; never raises."""
        try:
            self._publish(self._clock.seconds())
        except Exception:
            self._log.failure("the load could not be measured")

    def _publish(self, now: float) -> None:
        measured = self.measured = self._meters.observe(self._samples.sample(now))
        self.weight = self._weight.observe(now, measured.shares.utilization)
        self._sequence += 1
        nodes = self._nodes(self._report(measured))
        date = date_of(self._clock)
        tag = tag_of((node.id, node.url) for node in nodes)
        document = LoadDocument(self._cluster, self._sequence, int(date * 1000), nodes, tag=tag)
        orca, riding = orca_line(measured), cache_control(ride(nodes))
        put_document(self._table, LOAD, encode(document), orca, int(date))
        for prefix, url_of in self._turn(nodes):
            own = msgspec.structs.replace(document, nodes=_of_site(nodes, url_of))
            put_document(self._table, entry_name(prefix, LOAD), encode(own), orca, int(date))
        put_batch_lines(self._table, orca, riding)
        if self._state is not None:
            show_state(self._state, orca, riding)

    def _turn(self, nodes: Sequence[NodeLoad]) -> Iterable[tuple[bytes, Callable[[str], str]]]:
        """The sites whose turn it is: all, as many as fit, when clients may choose others than before."""
        count = len(self._sites)
        choice = tuple((node.id, node.url, node.state if node.weight > 0 else "") for node in nodes)
        if choice != self._choice:
            self._choice, self._untold = choice, count
        due = min(max(self._untold, -(-count // SITES_TURNS)), SITES_AT_ONCE)
        self._untold = max(0, self._untold - due)
        first, self._next_site = self._next_site, (self._next_site + due) % (count or 1)
        return (*self._sites, *self._sites)[first : first + due]

    def _report(self, measured: Measurement) -> LoadReport:
        generation = self._others.generation if self._others is not None else 0
        return measured.report(
            self._name,
            generation,
            self._sequence,
            self.weight,
            draining=not self._life.is_ready,
            publishing=self._publishes and self._life.state is NodeState.STARTING,
        )

    def _nodes(self, report: LoadReport) -> tuple[NodeLoad, ...]:
        """All nodes by name, this one with *report*, which the others get, too."""
        this = node_load(report, self._url)
        if self._others is None:
            return (this,)
        self._others.tell(report)
        return tuple(sorted((this, *self._others.loads()), key=lambda one: one.id))


def _of_site(nodes: tuple[NodeLoad, ...], url_of: Callable[[str], str]) -> tuple[NodeLoad, ...]:
    """*nodes* where browsers of a site reach them; none, if that depends on the host that they have asked.

    As many in the same order, so that what rides on answers (:mod:`edge.load.riding`) is of them, too.
    """
    placed = [(node, url_of(node.id)) for node in nodes]
    return tuple(msgspec.structs.replace(node, url=url) for node, url in placed if url)
