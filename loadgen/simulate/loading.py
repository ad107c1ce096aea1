"""How often users have to come back for the cluster to be as full as one wants."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from loadgen.errors import UsageError
from loadgen.models import choice
from loadgen.simulate.cohorts import World
from loadgen.simulate.costs import CPU, KIND, KINDS, PAYLOAD_OUT
from loadgen.simulate.inputs import Inputs, own_assets


def return_interval(world: World, utilization: float) -> float:
    """The interval, in seconds, with which the nodes' mean utilization is that much at the day's peak.

    Of users with a history, without spikes and deploys; :exc:`UsageError` if there are too few users for it.
    """
    inputs = world.inputs
    users, cluster = inputs.users, inputs.cluster
    each = _session(world, utilization) @ world.costs
    cpu, out = float(each[CPU]), float(each[PAYLOAD_OUT])
    full = max(cpu / cluster.cores, out * 8 / (cluster.link_gbit * 1e9))
    sessions = utilization * cluster.nodes / full / inputs.day.peak_to_mean
    interval = users.users / sessions - world.session.seconds
    if interval <= 0:
        most = utilization * users.users / (sessions * world.session.seconds)
        raise UsageError(
            f"--rho {utilization:g}: {users.users:,} users without any pause between sessions load "
            f"{cluster.nodes} nodes to {most:.2g}; "
            f"give --users {math.ceil(2 * sessions * world.session.seconds)} or more"
        )
    return float(interval)


def with_utilization(world: World, utilization: float) -> Inputs:
    """The inputs of *world*, with that interval."""
    users = msgspec.structs.replace(world.inputs.users, return_interval_s=return_interval(world, utilization))
    return msgspec.structs.replace(world.inputs, users=users)


def _session(world: World, utilization: float) -> NDArray[np.float64]:
    """What one session of a user with a long history is, by kind, at nodes of that *utilization*."""
    users, cluster, session = world.inputs.users, world.inputs.cluster, world.session
    redraw = choice.redraw_share([utilization], [1.0])
    kept, age = float(world.cache_ages.kept[-1]), users.max_age_s
    operational = age / users.return_interval_s
    whole = float(world.cache_ages.older(age, operational)[-1])
    beside = float(world.cache_ages.older_beside(age, operational)[-1]) if users.shared_assets else 0.0
    parts, views = 1 + users.assets_per_page, session.views
    asked = ((whole, parts), (beside, users.shared_assets))
    sockets = users.websocket_share
    opened = session.sockets(users.websocket_per_view) * sockets
    questions = views * sum(share for share, count in asked if count)
    is_state = users.confirm == "state"
    on_sockets = questions * sockets * (1 - 1 / views)
    rows = {
        "changes": is_state * (questions - on_sockets),
        "question": is_state * on_sockets,
        "page": views * (1 - kept),
        "asset": views * (1 - kept) * own_assets(users),
        "batch": (not is_state) * views * sum(share for share, count in asked if count > 1),
        "validator": (not is_state) * views * sum(share * count for share, count in asked if count > 1),
        "lone": (not is_state) * views * sum(share for share, count in asked if count == 1),
        "load": (not is_state) * session.load_reads * (1 - sockets),
        "look": session.looks() if users.client_files else 0.0,
        "connect": session.connections(redraw, cluster.nodes) + opened,
        "upgrade": opened,
        "push": sockets * session.seconds / cluster.push_period_s,
    }
    counts = np.zeros(len(KINDS))
    for name, value in rows.items():
        counts[KIND[name]] = value
    return counts
