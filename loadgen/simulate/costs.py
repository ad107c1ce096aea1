"""What is counted at a node, and the matrix of what one of each costs it: :mod:`loadgen.demand.exchanges`.

Costs have to be linear in the counts, but messages come in segments.  Batches have two sizes, those of a
whole page and of the assets that all pages share, and new versions have two, pages and assets: a line through
both is right for both.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from loadgen.constants import Constants
from loadgen.demand.exchanges import STALE_BYTES, Exchange, Exchanges
from loadgen.demand.wire import Wire
from loadgen.simulate.inputs import ClusterInputs, Population

#: What is counted.  Requests are of ten kinds; what else costs something; what costs nothing.
KINDS = (
    "changes", "batch", "lone", "page", "asset", "client", "newer", "load", "upgrade",
    "look",
    "question", "list", "listed", "validator", "connect", "push", "page_byte",
    "session", "view", "not_modified", "fresh", "retry", "failed",
)  # fmt: skip
REQUESTS = 10
KIND = {name: number for number, name in enumerate(KINDS)}
#: Columns of the matrix: CPU seconds of a core; bytes on the wire, to the node and from it; payload, too.
CPU, LINK_IN, LINK_OUT, PAYLOAD_IN, PAYLOAD_OUT = range(5)

Floats = NDArray[np.float64]


def matrix(constants: Constants, users: Population, cluster: ClusterInputs) -> Floats:
    """What one exchange of each kind costs: (kind, column)."""
    each = Exchanges(
        constants,
        Wire(tls_share=float(cluster.tls)),
        cluster.nodes,
        path_bytes=users.path_bytes,
        resumed_share=cluster.tls_resumed_share,
    )
    batch, validator = _line(each.batch, 1 + users.assets_per_page, users.shared_assets)
    newer, page_byte = _line(each.new_version, users.page_bytes, users.asset_bytes)
    # Its number in the answer to the batch that told of it.
    newer[[LINK_OUT, PAYLOAD_OUT]] += STALE_BYTES
    # A list of what has changed is some paths longer than the 304 that there would be else.
    _, listed = _line(each.question, 1, 2)
    rows = {
        "changes": _row(each.changes()),
        "question": _row(each.question()),
        "list": _row(each.changes(1)) - _row(each.changes()) - listed,
        "listed": listed,
        "batch": batch,
        "validator": validator,
        "lone": _row(each.not_modified()),
        "page": _row(each.body(users.page_bytes)),
        "asset": _row(each.body(users.asset_bytes)),
        "client": _row(each.body(users.client_bytes / max(1, users.client_files))),
        "newer": newer,
        "page_byte": page_byte,
        "load": _row(each.load_poll()),
        "look": _row(each.look()),
        "upgrade": _row(each.upgrade()),
        "push": _row(each.load_push()),
        "connect": _row(each.encrypted_connection()),
    }
    result = np.zeros((len(KINDS), 5))
    for name, row in rows.items():
        result[KIND[name]] = row
    return result


def _row(exchange: Exchange) -> Floats:
    inbound, outbound = exchange.inbound.bytes, exchange.outbound.bytes
    return np.array([exchange.cpu_s, inbound, outbound, exchange.asked, exchange.answered])


def _line(exchange: Callable[[float], Exchange], size: float, other: float) -> tuple[Floats, Floats]:
    """(what it costs at size 0, what each unit adds), so that it is right at *size* and at *other*."""
    if other == size:
        other = size + 1
    here, there = _row(exchange(size)), _row(exchange(other))
    slope = (there - here) / (other - size)
    return here - slope * size, slope
