"""What applications are told of visitors, by whatever fields another server told them."""

from __future__ import annotations

#: By these a node tells who asks, for which host and how, in lower case.
FORWARDED = frozenset(("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"))
#: Of all others.
NOT_TOLD = (
    "an application is told what the visitor sent; who that is, for which host and how he asks, by "
    "Forwarded, X-Forwarded-For, X-Forwarded-Host and X-Forwarded-Proto alone: have it read those"
)
