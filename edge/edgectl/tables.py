"""Tables that ``edgectl`` prints."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from rich.markup import escape as escape_markup
from rich.table import Table

from edge.errors import plain

_COLORS = {"alive": "green", "suspect": "yellow", "dead": "bold red", "left": "dim"}


def members_table(found: dict[str, Any]) -> Table:
    """The table of what ``GET /members`` answers."""
    title = f"members, as {escape(found['node'])} sees them (own health {found['health']})"
    table = Table(title=title, box=None, padding=(0, 1, 0, 0))
    for column in ("node", "state", "address"):
        table.add_column(column, no_wrap=True)
    for column in ("RTT ms", "load", "age ms", "behind", "in", "out", "for"):
        table.add_column(column, no_wrap=True, justify="right")
    for one in found["members"]:
        state = one["state"]
        table.add_row(
            escape(one["name"]) + (" *" if one["this"] else ""),
            f"[{_COLORS.get(state, 'white')}]{escape(state)}",
            escape(one["address"]),
            *(shown(one[name]) for name in ("rtt_ms", "utilization", "age_ms", "behind")),
            *(size(one[name]) for name in ("bytes_in", "bytes_out")),
            "-" if one["since_s"] is None else age(one["since_s"]),
        )
    return table


def applications_table(found: list[dict[str, Any]]) -> Table:
    """The table of what ``GET /applications`` answers: a row for each process."""
    table = Table(title="applications", box=None, padding=(0, 1, 0, 0))
    for column in ("name", "at", "what", "kind", "state"):
        table.add_column(column)
    for column in ("pid", "restarts", "running", "memory", "CPU s"):
        table.add_column(column, no_wrap=True, justify="right")
    for one in found:
        what = escape(one["run"] or "\n".join(one["to"]))
        head = [escape(one["name"]), escape(one["at"]), what, escape(one["kind"])]
        for process in one["processes"] or [None]:
            if process is None:
                table.add_row(*head, "elsewhere")
                continue
            color = "green" if process["state"] == "ready" else "bold red"
            table.add_row(
                *head,
                f"[{color}]{escape(process['state'])}",
                *(shown(process[name]) for name in ("pid", "restarts", "running")),
                size(process["memory_bytes"]),
                shown(process["cpu_seconds"]),
            )
            head = [""] * len(head)
    return table


def certificate_tables(found: dict[str, Any]) -> list[Table]:
    """The tables of what ``GET /certificates`` answers: one for each certificate."""
    tables = []
    for one in found["certificates"]:
        facts: dict[str, Any] = {
            "names": ", ".join(one["names"]),
            "issuer": "self-signed" if one["self_signed"] else one["issuer"],
            "expires": date(one["expires_at"]),
        }
        if one["automatic"]:
            facts["next renewal"] = (
                f"now, by {one['ordering']}" if one["ordering"] else date(one["renewal_at"])
            )
            facts["last error"] = one["last_error"]
            if one["last_error"]:
                facts["failed at"] = date(one["failed_at"])
        else:
            facts["next renewal"] = "by whoever writes the file"
        if one["problem"]:
            facts["problem"] = one["problem"]
        facts["listeners"] = "\n".join(one["listeners"])
        facts["file"] = one["file"]
        tables.append(facts_table("automatic certificate" if one["automatic"] else "certificate", facts))
    return tables or [facts_table("no certificates", {"listeners": "none of them speaks TLS"})]


def tls_table(found: dict[str, Any]) -> Table:
    """The table of what ``GET /status`` tells of TLS."""
    ended = {**found["handshakes"]}
    full, resumed = ended.pop("full"), ended.pop("resumed")
    done = full + resumed
    facts: dict[str, Any] = {
        "handshakes": f"{done:,}" + (f", {resumed / done:.0%} resumed" if done else ""),
        "not completed": _listed(ended),
        "in progress": found["in_progress"],
        "mean time ms": found["handshake_ms"],
        "connections": found["states"],
        "ciphers": ", ".join(f"{name} {share:.0%}" for name, share in found["ciphers"].items()),
        "groups": ", ".join(f"{name} {share:.0%}" for name, share in found["groups"].items()),
        "alerts sent": _listed(found["alerts_sent"]),
        "alerts received": _listed(found["alerts_received"]),
        "key updates": found["key_updates"],
    }
    if found["ticket_key_age_s"] is not None:
        facts["ticket key"] = f"{age(found['ticket_key_age_s'])} old"
    return facts_table("TLS on the fast path", facts)


def _listed(counts: dict[str, int]) -> str:
    """Those that are not 0, with their names."""
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count) or "0"


def date(seconds: float | None) -> str | None:
    """Unix *seconds* as a date and a time, UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(" ", "seconds")


def log_tables(found: dict[str, Any]) -> list[Table]:
    """The tables of what ``GET /log`` answers."""
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


def revoked_table(found: dict[str, Any]) -> Table:
    """The table of what ``GET /revocations`` answers."""
    title = "revoked certificates" + (", this node's own among them" if found["own"] else "")
    table = Table("node", "serial", "since", title=title)
    for one in found["revoked"]:
        table.add_row(*(shown(one[name]) for name in ("name", "serial", "since")))
    return table


def sites_table(sites: list[dict[str, Any]]) -> Table:
    """The table of several sites, as ``GET /status`` tells of them: a row for each."""
    table = Table(title="sites", box=None, padding=(0, 1, 0, 0))
    for column in ("site", "webroot"):
        table.add_column(column)
    for column in ("resources", "bytes", "unread", "problems", "requests", "sent"):
        table.add_column(column, no_wrap=True, justify="right")
    for one in sites:
        table.add_row(
            escape(one.get("name", "(default)")),
            escape(one["webroot"] or "-"),
            shown(one["resources"]),
            size(one["bytes"]),
            shown(one["unread"]),
            shown(len(one["problems"])),
            shown(one["requests"]),
            size(one["sent_bytes"]),
        )
    return table


def facts_table(title: str, facts: dict[str, Any]) -> Table:
    """A table of names and values."""
    table = Table(title=title, show_header=False)
    for name, value in facts.items():
        table.add_row(escape(name.replace("_", " ")), shown(value))
    return table


def shown(value: object) -> str:
    """*value* in words for people."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return escape(str(value))


def escape(text: str) -> str:
    """*text* of a node for a table: nothing in it is markup, or means a thing to a terminal.

    >>> escape("[red]\\x1b[2J\\u202e")
    '\\\\[red]\\\\x1b[2J\\\\u202e'
    """
    return escape_markup(plain(text))


def size(count: int | None) -> str:
    """*count* bytes for people: 3 figures and a unit."""
    if count is None:
        return "-"
    amount, units = float(count), iter(("B", "K", "M", "G"))
    unit = next(units)
    while amount >= 1000 and (bigger := next(units, None)):
        amount, unit = amount / 1024, bigger
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"


def duration(seconds: float) -> str:
    """*seconds* as H:MM:SS."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def age(seconds: float) -> str:
    """*seconds* in the largest unit that fits: 59 s, 59 m, 47 h, 2 d."""
    for unit, length, limit in (("s", 1, 60), ("m", 60, 3600), ("h", 3600, 172_800)):
        if seconds < limit:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds // 86_400:.0f} d"
