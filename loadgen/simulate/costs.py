"""What is counted at a node, and what one of each costs it: a matrix made from the measured constants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loadgen.constants import Constants
from loadgen.simulate.inputs import Cluster, Users

#: What is counted.  Requests are of seven kinds; what else costs something; what costs nothing.
KINDS = (
    "batch", "lone", "page", "asset", "client", "newer", "load",
    "validator", "connect", "upgrade", "push", "page_byte",
    "session", "view", "not_modified", "fresh", "retry", "failed",
)  # fmt: skip
REQUESTS = 7
KIND = {name: number for number, name in enumerate(KINDS)}

Floats = NDArray[np.float64]


def matrix(constants: Constants, users: Users, cluster: Cluster) -> Floats:
    """(kind, what): CPU seconds of a core, bytes to the node, bytes from it."""
    c = constants
    load = c.load_answer_bytes + cluster.nodes * c.load_node_bytes
    push = c.push_bytes + (cluster.nodes - 1) * c.load_node_bytes
    client = users.client_bytes / max(1, users.client_files)

    def body(size: float) -> tuple[float, float, float]:
        return c.body_s + c.body_s_per_kilobyte * size / 1000, c.request_bytes, c.body_head_bytes + size

    rows: dict[str, tuple[float, float, float]] = {
        "batch": (c.batch_s, c.batch_request_bytes, c.batch_answer_bytes),
        "lone": (c.not_modified_s, c.confirm_request_bytes, c.not_modified_bytes),
        "page": body(users.page_bytes),
        "asset": body(users.asset_bytes),
        "client": body(client),
        # A new version's body is counted by its bytes: it can be a page or an asset.
        "newer": (c.body_s, c.confirm_request_bytes, c.body_head_bytes),
        "page_byte": (c.body_s_per_kilobyte / 1000, 0.0, 1.0),
        "load": (c.body_s + c.body_s_per_kilobyte * load / 1000, c.load_request_bytes, load),
        "validator": (c.validator_s, c.validator_bytes + users.path_bytes, 0.0),
        "connect": (c.connection_s, 0.0, 0.0),
        "upgrade": (c.upgrade_s, c.request_bytes, c.not_modified_bytes),
        "push": (c.push_s, 0.0, push),
    }
    if cluster.tls:
        for name in KINDS[:REQUESTS]:
            cpu, came, went = rows[name]
            rows[name] = cpu + c.tls_request_s, came, went
        rows["connect"] = (c.connection_s + c.handshake_s, c.handshake_in_bytes, c.handshake_out_bytes)
    result = np.zeros((len(KINDS), 3))
    for name, row in rows.items():
        result[KIND[name]] = row
    return result
