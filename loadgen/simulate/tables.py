"""A simulation as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from loadgen.simulate.document import Document, Exactly
from loadgen.simulate.outcome import Outcome

#: Above this, nodes are not even.
_EVEN = 1.15


def show(document: Document, console: Console) -> None:
    """All tables."""
    users, cluster, day = document.inputs.users, document.inputs.cluster, document.inputs.day
    console.print(
        f"[bold]{users.users:,} registered users, {day.hours:g} h, {cluster.nodes} nodes[/] of "
        f"{cluster.cores:g} cores and {cluster.link_gbit:g} Gbit/s; "
        f"figures {cluster.age_s:g} s old; peak/mean {day.peak_to_mean:g}; "
        f"each user comes every {users.return_interval_s / 3600:.3g} h; seed {day.seed}"
    )
    console.print(f"constants measured on {document.machine.cpu}, {document.machine.date}", style="dim")
    console.print(_policies(document.policies))
    for policy, outcome in document.policies.items():
        if policy == next(iter(document.policies)):
            console.print(_counts(policy, outcome))
            console.print(_nodes(policy, outcome))
            console.print(_hours(policy, outcome))
    if document.exact is not None:
        console.print(_exact(document.exact))
    console.print(
        "herd: requests of the busiest node over the mean, in windows of 5 s; p99 ms: time in queues, "
        "ln(100) s / (1 - u) of CPU and of link, and the backlog; in the worst second",
        style="dim",
    )


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _policies(policies: dict[str, Outcome]) -> Table:
    table = _table("\npolicies", ("policy", "herd", "p99", "peak u", "p99 ms", "backlog", "over 1", "304"))
    for policy, outcome in policies.items():
        uneven = outcome.herd_mean > _EVEN
        table.add_row(
            policy,
            f"[{'red' if uneven else 'green'}]{outcome.herd_mean:.3f}[/]",
            f"{outcome.herd_p99:.3f}",
            f"{max(node.utilization_peak for node in outcome.nodes):.3f}",
            f"{max(node.p99_ms for node in outcome.nodes):,.2f}",
            f"{max(node.backlog_s for node in outcome.nodes):.2f} s",
            f"{max(node.overloaded_s for node in outcome.nodes):,.0f} s",
            f"{outcome.confirmed_share:.1%}",
        )
    return table


def _counts(policy: str, outcome: Outcome) -> Table:
    counts = outcome.counts
    table = _table(f"\n{policy}: what users did", ("", ""))
    table.show_header = False
    for name, value in (
        (
            "users at once: mean, most",
            f"{outcome.concurrent_mean:,}, {outcome.concurrent_peak:,}",
        ),
        ("sessions, page views", f"{counts['session']:,}, {counts['view']:,}"),
        ("requests", f"{outcome.requests:,}"),
        (
            "copies confirmed (304)",
            f"{counts['not_modified']:,}, {outcome.confirmed_share:.2%} of copies and bodies",
        ),
        ("in batches", f"{counts['batch']:,}"),
        ("copies used unasked", f"{counts['fresh']:,}"),
        ("new versions fetched", f"{counts['newer']:,}"),
        ("load documents", f"{counts['load']:,}"),
        ("retries, views failed", f"{counts['retry']:,}, {counts['failed']:,}"),
        (
            "on the wire to nodes, from nodes",
            f"{outcome.bytes_in / 1e9:,.1f} GB, {outcome.bytes_out / 1e9:,.1f} GB",
        ),
    ):
        table.add_row(name, value)
    return table


def _nodes(policy: str, outcome: Outcome) -> Table:
    table = _table(
        f"\n{policy}: nodes, peaks of minutes",
        ("", "requests", "share", "u mean", "u peak", "cpu", "in", "out", "open", "p99 ms"),
    )
    for number, node in enumerate(outcome.nodes, 1):
        table.add_row(
            f"n{number}",
            f"{node.requests / 1e6:,.1f} M",
            f"{node.share:.1%}",
            f"{node.utilization_mean:.3f}",
            f"{node.utilization_peak:.3f}",
            f"{node.cpu_peak:.3f}",
            f"{node.inbound_peak:.3f}",
            f"{node.outbound_peak:.3f}",
            f"{node.connections_peak:,}",
            f"{node.p99_ms:,.2f}",
        )
    return table


def _hours(policy: str, outcome: Outcome) -> Table:
    table = _table(
        f"\n{policy}: hours",
        ("hour", "views/s", "requests/s", "304", "Mbit/s in", "out", "u", "herd", "p99 ms"),
    )
    for hour in outcome.hours:
        table.add_row(
            f"{hour.hour:02d}",
            f"{hour.views_per_s:,.0f}",
            f"{hour.requests_per_s:,.0f}",
            f"{hour.confirmed_share:.1%}",
            f"{hour.in_mbit:,.1f}",
            f"{hour.out_mbit:,.1f}",
            f"{min(hour.utilization):.2f}-{max(hour.utilization):.2f}",
            f"{hour.herd:.3f}" if hour.herd else "",
            f"{hour.p99_ms:,.2f}",
        )
    return table


def _exact(exact: Exactly) -> Table:
    chance = exact.figures[0].chance
    table = _table(
        f"\n{exact.policy}: {exact.users:,} users one by one; chance makes differences of {chance:.1%}",
        ("figure", "cohorts", "exact", "difference"),
    )
    for one in exact.figures:
        form = ",.0f" if one.cohorts > 1 else ".4f"
        table.add_row(
            one.figure, format(one.cohorts, form), format(one.exact, form), f"{one.difference:+.2%}"
        )
    return table
