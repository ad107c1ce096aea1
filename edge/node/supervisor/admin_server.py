"""The server of the admin API: its listener, its HTTP, and who may use it."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.node.connection.site import ChannelFactory, EdgeSite
from edge.node.process.acceptor import Acceptor
from edge.node.process.channel_limits import ChannelLimits
from edge.node.supervisor.admin_api import BODY_BYTES, AdminResource

if TYPE_CHECKING:
    from edge.node.cluster.clusterview import ClusterView
    from edge.node.supervisor.administration import Administration
    from edge.node.supervisor.inspection import Inspection
    from edge.node.supervisor.listeners import Listener


class AdminServer:
    """Serves the admin API on *listener*, to whoever shows *token*; None: to whoever can connect."""

    def __init__(
        self,
        listener: Listener,
        token: str | None,
        inspection: Inspection,
        administration: Administration,
        cluster: ClusterView | None,
        reactor: Any,
    ) -> None:
        resource = AdminResource(inspection, administration, cluster, token)
        self._edge_site = EdgeSite(resource, reactor, limits=ChannelLimits(body_bytes=BODY_BYTES))
        self._acceptor = Acceptor(listener.socket_for(0), ChannelFactory(self._edge_site), reactor)

    def start(self) -> None:
        """Accept connections."""
        self._acceptor.start()

    def stop(self) -> None:
        """Accept no more, and abort those that are open."""
        self._acceptor.stop()
        self._edge_site.abort()
