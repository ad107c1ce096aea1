"""Which nodes to ask for a body, and where they are: a view of the membership."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import EdgeError
from edge.gossip.packet import ALIVE

if TYPE_CHECKING:
    from random import Random

    from edge.gossip.membership import Membership


class PeerDirectory:
    """Looks up the members of the cluster that *membership* knows."""

    def __init__(self, membership: Membership, random: Random) -> None:
        self._membership = membership
        self._random = random

    def holders(self, origin: str) -> list[str]:
        """Who may have a body of *origin*: itself first, then the others that are alive, shuffled."""
        alive = [m.name for m in self._membership.members.values() if m.state == ALIVE]
        others = [name for name in alive if name != origin]
        self._random.shuffle(others)
        return ([origin] if origin in alive else []) + others

    def address_of(self, name: str) -> tuple[str, int]:
        """(host, gossip port) of a member; :class:`EdgeError` for a stranger."""
        member = self._membership.members.get(name)
        if member is None:
            raise EdgeError(f"{name} is not a member of the cluster")
        return member.host, member.port
