"""Paths of a node's own resources that the supervisor puts into the table and workers answer from it."""

from __future__ import annotations

#: The load document, :mod:`edge.load.document`.
LOAD = b"/.edge/load"
#: A template: its header lines are those of the answers to batch revalidations.
REVALIDATE = b"/.edge/revalidate"
#: What one node says of itself alone, :mod:`edge.node.telemetry.status_publisher`.
STATUS = b"/.edge/status"
