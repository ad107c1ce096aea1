"""What the supervisor tells the exporter, and what both know."""

from __future__ import annotations

import msgspec

from edge.confinement.confine import Confinement

#: The rings are the descriptors from here on.
FIRST_RING_FD = 3
#: Seconds for what is there at the end.
LAST_SECONDS = 3.0


class Told(msgspec.Struct, frozen=True):
    """What the exporter is told, as JSON in its argument."""

    url: str
    rings: int
    #: Attributes of the node.
    resource: dict[str, str]
    confinement: Confinement
