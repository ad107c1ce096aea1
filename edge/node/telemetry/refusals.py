"""What was refused for want of room, as lines in the log: how often, why, and the way out.

The fast path counts what it refuses and says nothing, so that nobody fills the disk.  Once in a while the
supervisor looks at the counters and says it for all workers: one line a minute for each reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from edge.node.process.periodic import Periodic

if TYPE_CHECKING:
    from edge.node.telemetry.status_publisher import Counters

#: Seconds between two looks, and between two lines of a reason.
LOOK_SECONDS, QUIET_SECONDS = 5.0, 60.0

#: Counter -> what it says.
REASONS = {
    "refused_total": "connections refused: the node has all that its limit on descriptors, or --connections, "
    "allows; raise LimitNOFILE",
    "refused_address": "connections refused: their addresses have as many as one may, or as many as are left "
    "for others; see --connections-per-address (0 behind a proxy)",
    "refused_share": "connections closed, or requests answered 503: their addresses have as much unfinished "
    "(slow downloads, uploads, handshakes) as they leave free for others; behind a proxy set "
    "--connections-per-address 0",
}


class Refusals:
    """Looks at the *counters* of a node and tells what was refused since."""

    _log = Logger()

    def __init__(self, counters: Counters, reactor: Any) -> None:
        self._counters = counters
        self._reactor = reactor
        #: Reason -> its counter when it was last told, and when it may be told again.
        self._told: dict[str, tuple[int, float]] = {}
        self._periodic = Periodic(self.look, LOOK_SECONDS, reactor)

    def start(self) -> None:
        """Look from now on; what was refused before was told then."""
        totals = self._counters.totals()
        self._told = {name: (totals[name], 0.0) for name in REASONS}
        self._periodic.start()

    def stop(self) -> None:
        """Look no more."""
        self._periodic.stop()

    def look(self) -> None:
        """Write what is new, and not too soon after the last line of its kind."""
        now, totals = self._reactor.seconds(), self._counters.totals()
        for name, text in REASONS.items():
            before, quiet_until = self._told[name]
            more = totals[name] - before
            if more < 0:  # a worker that began anew counts from zero
                self._told[name] = totals[name], quiet_until
            elif more and now >= quiet_until:
                self._told[name] = totals[name], now + QUIET_SECONDS
                self._log.warn("{more:,} {text}", more=more, text=text)
