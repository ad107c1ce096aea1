"""A plan and costs with round numbers, for arithmetic that can be followed; nothing here was measured."""

from __future__ import annotations

from typing import Any

from loadgen.constants import Constants
from loadgen.plan.document import parse
from loadgen.plan.inputs import Plan, with_value

COSTS = Constants(
    not_modified_s=5e-6,
    body_s=6e-6,
    body_s_per_kilobyte=1e-7,
    batch_s=8e-6,
    validator_s=2e-7,
    changes_s=4e-6,
    question_s=5e-5,
    connection_s=5e-6,
    handshake_s=5e-4,
    resumed_s=2e-4,
    tls_request_s=1e-4,
    upgrade_s=3e-4,
    push_s=1e-5,
    request_bytes=600,
    confirm_request_bytes=635,
    batch_request_bytes=655,
    load_request_bytes=600,
    changes_request_bytes=500,
    look_request_bytes=540,
    question_bytes=16,
    question_answer_bytes=4,
    validator_bytes=18,
    not_modified_bytes=128,
    body_head_bytes=300,
    batch_answer_bytes=200,
    load_answer_bytes=300,
    load_node_bytes=200,
    push_bytes=350,
    word_bytes=20,
    handshake_in_bytes=600,
    handshake_out_bytes=3000,
    resumed_in_bytes=900,
    resumed_out_bytes=300,
    certificate_bytes=500,
    connection_memory=30,
    kernel_memory=3000,
    tls_memory=20_000,
    socket_memory=2000,
)

DOCUMENT: dict[str, Any] = {
    "v": 1,
    "users": {"concurrent_at_peak": 1_000_000},
    "session": {"minutes": 10, "think": {"kind": "exponential", "mean_s": 60}},
    "pages": {"resources_per_view": 20, "kilobytes_per_resource": 10},
    "requests": {"tls_share": 0, "confirm": "batch", "certificate_bytes": 500},
    "servers": {
        "count": 4,
        "cores": 8,
        "ram_gigabytes": 64,
        "link_gigabits_per_s": 1,
        "eur_per_month": 60,
    },
    "limits": {"eur_per_month": 300},
}


def plan(**changes: Any) -> Plan:
    """The plan, with values by their paths, dots written as two underscores."""
    made = parse(DOCUMENT, "example")
    for path, value in changes.items():
        made = with_value(made, path.replace("__", "."), value)
    return made
