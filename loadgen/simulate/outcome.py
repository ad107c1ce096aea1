"""What comes out of a simulation, by node, by hour and in all.

Herd indexes are those of :mod:`loadgen.verdict.herd`, as in real runs; ``herd_mean`` and ``herd_p99`` of
windows of 5 s.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from loadgen.simulate.costs import KIND, KINDS, LINK_IN, REQUESTS
from loadgen.simulate.inputs import Inputs
from loadgen.simulate.nodes import Load
from loadgen.verdict import herd

#: Windows of the herd index that means are told of; seconds of a point of the curves.
WINDOW_S = 5
POINT_S = 60.0
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class NodeOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One node; peaks are means over a minute."""

    requests: int
    share: float
    utilization_mean: float
    utilization_peak: float
    cpu_peak: float
    inbound_peak: float
    outbound_peak: float
    connections_peak: int
    #: On the wire.
    bytes_in: int
    bytes_out: int
    #: Of all minutes, the worst.
    p99_ms: float
    #: Greatest backlog.
    backlog_s: float
    #: Time with more to do than it can.
    overloaded_s: float


class HourOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One hour; lists by node."""

    hour: int
    #: Users within a session, on average.
    concurrent: int
    views_per_s: float
    requests_per_s: float
    confirmed_share: float
    #: On the wire.
    in_mbit: float
    out_mbit: float
    utilization: list[float]
    shares: list[float]
    herd: float
    p99_ms: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a simulation under one policy."""

    counts: dict[str, int]
    requests: int
    #: On the wire: with all that Ethernet, IP, TCP and TLS add.
    bytes_in: int
    bytes_out: int
    #: Above TCP and TLS, as nodes and ``loadgen run`` count them.
    payload_in: int
    payload_out: int
    #: Users within a session: on average, and most at once.
    concurrent_mean: int
    concurrent_peak: int
    #: Of all validators and bodies but those of load documents: confirmed.
    confirmed_share: float
    #: Of the whole time; of windows: mean, and what 99 of 100 do not exceed; 0: too few requests to tell.
    herd: float
    herd_mean: float
    herd_p99: float
    #: herd_1s_mean, herd_1s_p95, herd_1s_max, and the same of 5 s, as ``loadgen run`` measures them.
    herds: dict[str, float]
    nodes: list[NodeOutcome]
    hours: list[HourOutcome]
    #: By minute: requests per second of each node, and utilizations.
    minutes: dict[str, list[list[float]]]


class Recorder:
    """Sums up steps."""

    def __init__(self, inputs: Inputs, steps: int) -> None:
        self._step = step = inputs.day.step_s
        nodes = inputs.cluster.nodes
        points = int((steps - 1) * step // POINT_S) + 1
        windows = int((steps - 1) * step) + 1
        self._hours = inputs.day.hours
        self._time = np.zeros(points)
        self._counts = np.zeros((points, nodes, len(KINDS)))
        #: Link in and out, payload in and out.
        self._bytes = np.zeros((points, nodes, 4))
        self._shares = np.zeros((points, nodes, 4))
        self._used = np.zeros((points, nodes))
        self._p99 = np.zeros((points, nodes))
        self._windows = np.zeros((windows, nodes))
        self._up = np.ones((windows, nodes), dtype=np.bool_)
        self._connections = np.zeros(nodes)
        self._concurrent = np.zeros(points)
        self._most = 0.0
        self._backlog = np.zeros(nodes)
        self._over = np.zeros(nodes)

    def note(
        self, now: float, counts: Floats, load: Load, connections: Floats, up: Flags, concurrent: float
    ) -> None:
        """A step that began *now*; *concurrent*: users within a session after it."""
        point, window, step = int(now // POINT_S), int(now), self._step
        used = load.utilizations
        self._time[point] += step
        self._counts[point] += counts
        self._bytes[point] += load.rates[:, LINK_IN:] * step
        self._shares[point] += load.shares * step
        self._used[point] += used * step
        np.maximum(self._p99[point], load.p99_s, out=self._p99[point])
        self._windows[window] += counts[:, :REQUESTS].sum(axis=1)
        self._up[window] &= up
        np.maximum(self._connections, connections, out=self._connections)
        np.maximum(self._backlog, load.backlog, out=self._backlog)
        self._over += (used > 1) * step
        self._concurrent[point] += concurrent * step
        self._most = max(self._most, concurrent)

    def outcome(self) -> Outcome:
        """The outcome of all steps noted so far."""
        counts = self._counts.sum(axis=(0, 1))
        requests = self._counts[:, :, :REQUESTS].sum(axis=2)
        by_node = requests.sum(axis=0)
        moved = self._bytes.sum(axis=(0, 1))
        herds = herd.indexes(self._windows, self._up, WINDOW_S)
        per_time = self._time[:, np.newaxis]
        return Outcome(
            counts={name: round(float(value)) for name, value in zip(KINDS, counts, strict=True)},
            requests=round(float(by_node.sum())),
            bytes_in=round(float(moved[0])),
            bytes_out=round(float(moved[1])),
            payload_in=round(float(moved[2])),
            payload_out=round(float(moved[3])),
            concurrent_mean=round(float(self._concurrent.sum() / self._time.sum())),
            concurrent_peak=round(self._most),
            confirmed_share=_confirmed(counts),
            herd=_round(float(by_node.max()) / max(1e-9, float(by_node.mean()))),
            herd_mean=_mean(*herds),
            herd_p99=_round(float(np.quantile(herds[0], 0.99))) if len(herds[0]) else 0.0,
            herds={name: _round(value) for name, value in herd.measures(self._windows, self._up).items()},
            nodes=self._nodes(by_node),
            hours=[self._hour(hour) for hour in range(int(np.ceil(self._hours)))],
            minutes={
                "requests_per_s": [[_round(v) for v in row] for row in (requests / per_time).T],
                "utilization": [[_round(v) for v in row] for row in (self._used / per_time).T],
            },
        )

    def _nodes(self, requests: Floats) -> list[NodeOutcome]:
        total, per_time = max(1e-9, float(requests.sum())), self._time[:, np.newaxis]
        used = self._used / per_time
        peaks = (self._shares / per_time[:, :, np.newaxis]).max(axis=0)
        moved = self._bytes.sum(axis=0)
        return [
            NodeOutcome(
                requests=round(float(requests[node])),
                share=_round(float(requests[node]) / total),
                utilization_mean=_round(float(self._used[:, node].sum() / self._time.sum())),
                utilization_peak=_round(float(used[:, node].max())),
                cpu_peak=_round(float(peaks[node, 0])),
                inbound_peak=_round(float(peaks[node, 1])),
                outbound_peak=_round(float(peaks[node, 2])),
                connections_peak=round(float(self._connections[node])),
                bytes_in=round(float(moved[node, 0])),
                bytes_out=round(float(moved[node, 1])),
                p99_ms=_round(float(self._p99[:, node].max()) * 1000),
                backlog_s=_round(float(self._backlog[node])),
                overloaded_s=_round(float(self._over[node])),
            )
            for node in range(len(requests))
        ]

    def _hour(self, hour: int) -> HourOutcome:
        points = slice(int(hour * 3600 / POINT_S), int((hour + 1) * 3600 / POINT_S))
        windows = slice(int(hour * 3600), int((hour + 1) * 3600))
        time = float(self._time[points].sum())
        by_node = self._counts[points].sum(axis=0)
        requests = by_node[:, :REQUESTS].sum(axis=1)
        bits = self._bytes[points].sum(axis=(0, 1)) * 8 / 1e6 / time
        herds = herd.indexes(self._windows[windows], self._up[windows], WINDOW_S)
        return HourOutcome(
            hour=hour,
            concurrent=round(float(self._concurrent[points].sum()) / time),
            views_per_s=_round(float(by_node[:, KIND["view"]].sum()) / time),
            requests_per_s=_round(float(requests.sum()) / time),
            confirmed_share=_confirmed(by_node.sum(axis=0)),
            in_mbit=_round(float(bits[0])),
            out_mbit=_round(float(bits[1])),
            utilization=[_round(float(v)) for v in self._used[points].sum(axis=0) / time],
            shares=[_round(float(v)) for v in requests / max(1e-9, float(requests.sum()))],
            herd=_mean(*herds),
            p99_ms=_round(float(self._p99[points].max()) * 1000),
        )


def _confirmed(counts: Floats) -> float:
    confirmed = float(counts[KIND["not_modified"]])
    bodies = sum(float(counts[KIND[name]]) for name in ("page", "asset", "client", "newer"))
    return _round(confirmed / max(1e-9, confirmed + bodies))


def _mean(values: Floats, weights: Floats) -> float:
    return _round(float(np.average(values, weights=weights))) if len(values) else 0.0


def _round(value: float) -> float:
    """As many digits as mean something."""
    return float(f"{value:.5g}")
