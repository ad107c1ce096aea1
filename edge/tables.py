"""Tables that ``edgectl`` prints."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

_COLORS = {"alive": "green", "suspect": "yellow", "dead": "bold red", "left": "dim"}


def members_table(found: dict[str, Any]) -> Table:
    """What ``GET /members`` answers."""
    table = Table(title=f"members, as {escape(found['node'])} sees them (own health {found['health']})")
    for column in ("node", "state", "address", "RTT ms", "load", "heard ms ago", "versions behind",
                   "bytes in", "bytes out", "for"):  # fmt: skip
        table.add_column(column, justify="left" if column in ("node", "state", "address") else "right")
    for one in found["members"]:
        state = one["state"]
        table.add_row(
            escape(one["name"]) + (" *" if one["this"] else ""),
            f"[{_COLORS.get(state, 'white')}]{escape(state)}",
            escape(one["address"]),
            *(
                shown(one[name])
                for name in ("rtt_ms", "utilization", "age_ms", "behind", "bytes_in", "bytes_out")
            ),
            "-" if one["since_s"] is None else duration(one["since_s"]),
        )
    return table


def log_tables(found: dict[str, Any]) -> list[Table]:
    """What ``GET /log`` answers."""
    logs = Table("origin", "generation", "sequence", "behind", "lease s", title="change logs")
    for one in found["logs"]:
        lease = "own" if one["own"] else shown(one["lease_s"])
        logs.add_row(
            escape(one["origin"]),
            shown(one["generation"]),
            shown(one["sequence"]),
            shown(one["behind"]),
            lease,
        )
    facts = {name: value for name, value in found.items() if name not in ("logs", "counters")}
    return [logs, facts_table("replication", {**facts, **found["counters"]})]


def facts_table(title: str, facts: dict[str, Any]) -> Table:
    """Names and values."""
    table = Table(title=title, show_header=False)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), shown(value))
    return table


def shown(value: object) -> str:
    """A value for people."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return escape(str(value))


def duration(seconds: float) -> str:
    """H:MM:SS."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
