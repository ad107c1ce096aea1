"""What users cost while they rest: ``python -m benchmarks.idle_users COUNT`` prints it as JSON.

A process of its own: the users are set up as for a run of four nodes, nobody begins a session.
"""

from __future__ import annotations

import json
import sys

import psutil

from loadgen.run.messages.job import Job, NodeAddress
from loadgen.run.messages.scenario import Cache, Scenario
from loadgen.run.messages.sitemap import CrawledResource, SiteMap
from loadgen.run.process.assembly import assemble


def measure(users: int) -> dict[str, float]:
    """Resident bytes per user, with and without what such a process needs anyway."""
    found = [CrawledResource(f"/{number}", "document", "x" * 16, 1000, -1) for number in range(100)]
    nodes = [NodeAddress(f"n{n}", f"http://127.0.0.1:{n}", "127.0.0.1", n) for n in range(1, 5)]
    scenario = Scenario(v=1, title="idle", users=users, duration_s=1.0, cache=Cache(warm=1.0, pages=12))

    def job(count: int) -> Job:
        site = SiteMap(found, [[number] for number in range(100)])
        return Job(
            scenario=scenario, site=site, nodes=nodes, users=count, seed=1, rate_seconds=[0.0], rates=[0.0]
        )

    kept = [assemble(job(1000))]
    process = psutil.Process()
    before = process.memory_info().rss
    kept.append(assemble(job(users)))
    return {"users": users, "bytes_per_user": (process.memory_info().rss - before) / users}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
