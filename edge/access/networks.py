"""Which of two lists of networks decides of an address.

Of *allow* and *deny* the longest network that an address is in decides, and of two alike the denial; who is
in none is allowed, unless there is a list of the allowed.  A Unix socket has no address, and is in none.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge.networks import Network, parse_network


class NetworkLists:
    """Two lists of networks: who may, and who may not."""

    def __init__(self, allow: Iterable[str], deny: Iterable[str]) -> None:
        """:exc:`ValueError`: one is no network."""
        allowed = [(parse_network(text), True) for text in allow]
        denied = [(parse_network(text), False) for text in deny]
        #: Networks and whether they allow, the longest first, denials before what allows; so the first that
        #: holds an address decides.
        self.ordered: list[tuple[Network, bool]] = sorted(
            [*denied, *allowed], key=lambda one: (-one[0].bits, one[1])
        )
        #: Whether who is in none of them may.
        self.others = not allowed

    def allow(self, address: bytes) -> bool:
        """Whether *address*, 16 bytes, may."""
        return next((allows for network, allows in self.ordered if network.holds(address)), self.others)
