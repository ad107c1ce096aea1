"""A simulation as a page of charts."""

from __future__ import annotations

from collections.abc import Callable

from loadgen.charts import Series, bars, lines, page, table
from loadgen.simulate.document import Document
from loadgen.simulate.outcome import POINT_S, HourOutcome, Outcome


def render(document: Document) -> str:
    """The HTML document."""
    users, cluster, day = document.inputs.users, document.inputs.cluster, document.inputs.day
    sections = [
        bars(
            "Herd index by policy",
            list(document.policies),
            {
                "mean": [one.herd_mean for one in document.policies.values()],
                "99 of 100 windows": [one.herd_p99 for one in document.policies.values()],
            },
            y_label="busiest node / mean",
            note="Requests of the busiest node over the mean of all, in windows of 5 s; 1 is even.",
        )
    ]
    for policy, outcome in document.policies.items():
        sections += _curves(policy, outcome)
    first = next(iter(document.policies.values()))
    sections.append(
        lines(
            "Copies confirmed",
            [_hourly("share of 304", first, lambda hour: hour.confirmed_share)],
            x_label="hour",
            y_label="of copies and bodies",
        )
    )
    if document.exact is not None:
        rows = [
            (one.figure, one.cohorts, one.exact, f"{one.difference:+.2%}") for one in document.exact.figures
        ]
        sections.append(
            table(("figure", "cohorts", f"{document.exact.users:,} users one by one", "difference"), rows)
        )
    return page(
        "loadgen simulate",
        sections,
        f"{users.users:,} users for {day.hours:g} h on {cluster.nodes} nodes of {cluster.cores:g} cores and "
        f"{cluster.link_gbit:g} Gbit/s; load figures {cluster.age_s:g} s old; seed {day.seed}; constants "
        f"measured on {document.machine.cpu}, {document.machine.date}.",
    )


def _curves(policy: str, outcome: Outcome) -> list[str]:
    def by_node(name: str) -> list[Series]:
        return [
            Series(f"n{number}", [minute * POINT_S / 3600 for minute in range(len(row))], row)
            for number, row in enumerate(outcome.minutes[name], 1)
        ]

    return [
        lines(
            f"{policy}: requests of each node",
            by_node("requests_per_s"),
            x_label="hour",
            y_label="requests per second",
            stacked=True,
        ),
        lines(
            f"{policy}: utilization of each node",
            by_node("utilization"),
            x_label="hour",
            y_label="worst of CPU, outbound, connections",
        ),
        lines(
            f"{policy}: bytes",
            [
                _hourly("to nodes", outcome, lambda hour: hour.in_mbit),
                _hourly("from nodes", outcome, lambda hour: hour.out_mbit),
            ],
            x_label="hour",
            y_label="Mbit/s",
        ),
        lines(
            f"{policy}: expected latency",
            [_hourly("p99", outcome, lambda hour: hour.p99_ms)],
            x_label="hour",
            y_label="ms in queues",
            y_log=True,
            note="Of the worst second of each hour.",
        ),
    ]


def _hourly(name: str, outcome: Outcome, of: Callable[[HourOutcome], float]) -> Series:
    return Series(name, [hour.hour + 0.5 for hour in outcome.hours], [of(hour) for hour in outcome.hours])
