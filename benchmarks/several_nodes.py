"""Four nodes as one: freshness, failure, joins."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from benchmarks import certificates, cluster, million, replica
from benchmarks.rows import Row
from tests.end_to_end.node import PATIENCE


def clustered(publishes: int, kills: int) -> list[Row]:
    """Four real nodes as one."""
    found = cluster.measure(publishes, kills)
    late, gone = found.stale, found.weightless
    return [
        Row(
            f"{publishes} publishes: old version confirmed elsewhere", f"max {late[-1] * 1000:.1f} ms", "",
            f"p99 {late[len(late) * 99 // 100] * 1000:.1f} ms", "p99 <= 100 ms, max 1 s",
            late[len(late) * 99 // 100] <= 0.1 and late[-1] <= 1.0,
        ),
        Row(
            f"{kills} kill -9 of a node: weight 0 on all others", f"p50 {gone[len(gone) // 2]:.2f} s", "",
            f"max {gone[-1]:.2f} s", "p99 <= 3 s", gone[-1] <= 3.0,
        ),
    ]  # fmt: skip


def joined(directory: Path, entries: int) -> list[Row]:
    """The cores of a cold join, without table and TLS."""
    found = replica.measure(directory, entries)
    return [
        Row(
            f"cold join of {entries:,} entries, cores", f"{found.receiver * 1e6:.1f} us an entry", "",
            f"sender {found.sender * 1e6:.1f} us, {found.wire:.0f} B on the wire", "<= 60 us",
            found.receiver <= 60e-6,
        ),
        Row(
            "memory of the change log", f"{found.memory:.0f} B an entry", "", "", "<= 250 B",
            found.memory <= 250,
        ),
        Row("repair between equals", f"{found.repair} B", "", "", "<= 64 KiB", found.repair <= 65536),
    ]  # fmt: skip


def large(entries: int, seconds: int) -> list[Row]:
    """Four real nodes with a large table."""
    found = million.measure(entries, seconds)
    return [
        Row(
            f"cold join of {entries:,} entries, real nodes: load figures", f"{found.load:.2f} s from exec",
            f"a node alone is ready after {found.boot:.2f} s", f"{found.load:.2f} s", "<= 1 s",
            found.load <= 1.0,
        ),
        Row(
            f"cold join of {entries:,} entries, real nodes: table", f"{found.table:.1f} s", "",
            f"{found.memory:.0f} B an entry beyond the table", "<= 60 s, <= 250 B",
            found.table <= 60 and found.memory <= 250,
        ),
        Row(
            f"{found.changes:,} changes in {seconds} s to {entries:,} entries", "4 nodes",
            f"lag p99 {found.lag_p99_ms:.0f} ms", f"a reactor late by {found.stall_ms:.0f} ms",
            "<= 1 s, <= 20 ms", found.lag_p99_ms <= 1000 and found.stall_ms <= 20,
        ),
    ]  # fmt: skip


def certified(renewals: int) -> list[Row]:
    """Four real nodes that get their certificate by themselves."""
    if shutil.which("pebble") is None:
        return []
    found = certificates.measure(renewals)
    worst = max(found.challenges)
    return [
        Row(
            "4 nodes started: first certificate on all, from Pebble", f"{found.first:.1f} s", "", "",
            "<= 15 s", found.first <= 15,
        ),
        Row(
            f"challenges on all nodes, {renewals} orders", f"max {worst * 1000:.0f} ms", "",
            "from the first node that answers to the last", "<= 100 ms", worst <= 0.1,
        ),
        Row(
            f"{renewals} renewals under load: failed requests", f"{found.failed} of {found.answered:,}", "",
            "", "0", found.failed == 0,
        ),
        Row(
            "ordering node killed: the next certificate on the others", f"{found.takeover:.1f} s", "", "",
            "taken over", found.takeover < PATIENCE,
        ),
    ]  # fmt: skip


def ticketed(directory: Path) -> list[Row]:
    """Four real nodes that take each other's session tickets."""
    if find_spec("edge._tls") is None:
        return []
    taken, shown = certificates.measure_tickets(directory)
    return [
        Row(
            "tickets of 4 nodes shown to all, after a rotation, after a restart of all",
            f"{taken} of {shown}", "", f"{taken / shown:.0%} resumed", "100 %", taken == shown,
        )
    ]  # fmt: skip


FORMS = {
    "tickets": lambda place: ticketed(place.directory / "tickets"),
    "certificates": lambda place: certified(place.some(1, 3)),
    "cluster": lambda place: clustered(place.some(20, 200), place.some(4, 20)),
    "replica": lambda place: joined(place.directory / "replica", place.some(50_000, 1_000_000)),
    "million": lambda place: large(place.some(50_000, 1_000_000), place.some(5, 30)),
}
