"""What the load generator costs and whether its figures are true; what it reckons with."""

from __future__ import annotations

from pathlib import Path

from benchmarks import (
    capacity_page,
    constants,
    real_scale,
    servers,
    smart_clients,
    subscribers,
    wire_cost,
    wire_tls,
)
from benchmarks.rows import Place, Row
from benchmarks.servers import SERVER_CORE, Server


def clients(place: Place) -> list[Row]:
    """Virtual smart clients."""
    core = smart_clients.per_core(place.directory / "core", place.either(5.0, 15.0))
    counted = smart_clients.shares(place.directory / "shares", place.either(5.0, 20.0))
    users = place.some(100_000, 1_000_000)
    each = smart_clients.idle_user(users)
    early, late = smart_clients.memory(place.directory / "flat", place.either(12.0, 120.0))
    p99, theory = smart_clients.stopped(place.directory / "stop", place.either(20.0, 60.0))
    apart = abs(counted.generator - counted.nodes)
    generator = core.generator
    return [
        Row(
            "smart clients, open loop, checked: answers a core and second", f"{generator.per_core:,.0f}",
            f"{core.measures['rps']:,.0f}/s offered", f"lag p99 {generator.lag_p99_ms:.2f} ms",
            ">= 25,000", generator.per_core >= 25_000,
        ),
        Row(
            "share confirmed, as generator and nodes counted it", f"{counted.generator:.2%}",
            f"nodes {counted.nodes:.2%}", f"{100 * apart:.2f} points apart", "<= 1 point", apart <= 0.01,
        ),
        Row(f"memory per idle user, {users:,} of them", f"{each:.0f} B", "", "", "<= 200 B", each <= 200),
        Row(
            "memory of a long run", f"{late / 2**20:.1f} MiB", f"after a quarter {early / 2**20:.1f} MiB",
            f"{late / early - 1:+.1%}", "within 5 %", abs(late / early - 1) <= 0.05,
        ),
        Row(
            f"corrected p99, target stopped for {smart_clients.STOP:g} s", f"{p99:.0f} ms",
            f"theory {theory:.0f} ms", f"{p99 / theory - 1:+.2%}", "within 2 %",
            abs(p99 / theory - 1) <= 0.02,
        ),
    ]  # fmt: skip


def secure_clients(place: Place) -> list[Row]:
    """The same over HTTPS, and what TLS costs the wire."""
    core = smart_clients.per_core_over_tls(place.directory / "core", place.either(5.0, 15.0)).generator
    secure = servers.certificate(place.directory / "certificate")
    with servers.edge(place.webroot, place.directory / "edge", secure=secure) as server:
        clear = wire_cost.costs(server, place.seconds, place.rounds).wire
        answers, resumed, full, memory = (
            wire_tls.measure(what, server, place.seconds, secure)
            for what in ("answers", "resumed", "full", "memory")
        )
    each, shaken = answers.seconds / answers.answers * 1e6, resumed.resumed / resumed.seconds
    return [
        Row(
            "smart clients over HTTPS, checked: answers a core and second", f"{core.per_core:,.0f}", "",
            f"lag p99 {core.lag_p99_ms:.2f} ms", ">= 15,000", core.per_core >= 15_000,
        ),
        Row(
            "resumed handshakes a core and second, with connection and 304", f"{shaken:,.0f}",
            f"full {full.full / full.seconds:,.0f}", "", ">= 2,500", shaken >= 2_500,
        ),
        Row(
            "many users' wire over TLS, 304: client CPU, Python included", f"{each:.2f} us",
            f"in the clear {clear:.2f} us", f"+ {each - clear:.2f} us", "<= 6 us more", each <= clear + 6,
        ),
        Row(
            "memory of an open TLS connection, with its sessions", f"{memory.bytes_each / 1024:.1f} KiB", "",
            "", "<= 24 KiB", memory.bytes_each <= 24 << 10,
        ),
    ]  # fmt: skip


def any_server(place: Place) -> list[Row]:
    """The same readers, by the same scenario, at a node of ours and at nginx, in the clear and over TLS."""
    file = Path("scenarios/any-server.toml").resolve()
    secure = servers.certificate(place.directory / "certificate")
    site = smart_clients.site(place.directory / "site")
    for name in ("index.html", "small.html"):  # where crawls begin; what is waited for
        (site / name).write_text((site / "page-0.html").read_text())
    rows = []
    options = ["--cafile", str(secure / "cert.pem"), "--duration", f"{place.either(5.0, 30.0):g}"]
    with (
        servers.edge(site, place.directory / "edge", secure=secure) as ours,
        servers.nginx(site, place.directory / "nginx", secure=secure) as nginx,
    ):
        for kind, pair in (("http", (ours, nginx)), ("https", (ours.over_tls(), nginx.over_tls()))):
            costs, found = [], []
            for server in pair:
                before = server.cpu_seconds()
                folder = place.directory / f"{server.name.partition(' ')[0]}-{server.port}"
                folder.mkdir(parents=True)
                result = smart_clients.run(
                    folder, server.url, file, SERVER_CORE + 1, options=options, where="--plain"
                )
                answered = sum(result.statuses.values())
                costs.append((server.cpu_seconds() - before) / answered * 1e6)
                found.append(result)
            mine, theirs = found
            failed = sum(one.counts.get("failed", 0) + one.counts.get("wrong_answers", 0) for one in found)
            rows.append(
                Row(
                    f"scenarios/any-server.toml --plain {kind}://",
                    f"{costs[0]:.0f} us of server CPU an answer, p99 {mine.measures['p99']:.1f} ms",
                    f"nginx {costs[1]:.0f} us, p99 {theirs.measures['p99']:.1f} ms",
                    f"{mine.counts['requests']:,} and {theirs.counts['requests']:,} requests",
                    "none failed or wrong", failed == 0,
                )
            )  # fmt: skip
    return rows


def simulated(place: Place) -> list[Row]:
    """A cluster that is only reckoned."""
    figures = real_scale.measure(place.directory / "real", place.either(20.0, 60.0))
    worst = max(figures, key=lambda figure: abs(figure.difference))
    smart, least = real_scale.herds()
    seconds, cores = real_scale.day()
    return [
        Row(
            f"{real_scale.USERS:,} users, simulated and on four real nodes", f"worst: {worst.name}",
            f"{worst.run:.4g} in the run", f"{worst.difference:+.1%}", "within 10 %",
            abs(worst.difference) <= 0.1,
        ),
        Row(
            "herd index, rho 0.8, figures 5 s old", f"{smart:.3f}", f"least-loaded {least:.2f}", "",
            "<= 1.15",
            smart <= 1.15 < least,
        ),
        Row(
            "10^7 users for 24 h, all policies, simulated", f"{seconds:.0f} s", f"{cores} cores", "",
            "<= 120 s", seconds <= 120,
        ),
    ]  # fmt: skip


def measured(directory: Path, quick: bool) -> Row:
    """What simulate and plan reckon with, written where they find it."""
    found = constants.measure(directory, quick)
    constants.write(found)
    capacity_page.write()
    return Row(
        "constants of loadgen simulate and plan", f"{len(found.constants)} measured", "",
        f"{constants.PATH.name}, {capacity_page.PAGE.name} written", "all", True,
    )  # fmt: skip


def subscribed(count: int, publishes: int) -> list[Row]:
    """Very many subscribers of four nodes, in processes of the load generator."""
    found = subscribers.measure(count, publishes)
    pushes = f"{found.pushes:,} of {found.expected:,} pushes, {found.cpu:.0f} us of the nodes for each"
    errors = ", ".join(f"{number} {why}" for why, number in found.errors.items()) or "no failures"
    return [
        Row(
            f"{count:,} WebSocket subscribers of 4 nodes: push latency", f"p50 {found.p50:.0f} ms",
            f"generators behind by {found.lag:.0f} ms", f"p99 {found.p99:.0f} ms; {pushes}", "all of them",
            found.pushes == found.expected,
        ),
        Row(
            "user memory of each on the generator", f"{found.generator:.0f} B",
            f"on its node {found.node:.0f} B", errors, "<= 2 KiB", found.generator <= 2048,
        ),
        Row(
            "requests beside them", f"{found.requests:,}", f"p99 {found.request_p99:.0f} ms",
            f"{found.failed} failed", "0 failed", found.failed == 0,
        ),
    ]  # fmt: skip


def wired(server: Server, seconds: float, rounds: int) -> list[Row]:
    """What the load generator costs beside wrk, and whether its memory stays."""
    found = wire_cost.costs(server, seconds, rounds)
    grown = wire_cost.growth(server, 3 * seconds)
    return [
        Row(
            "many users' wire, 304: client CPU, Python included", f"{found.wire:.2f} us",
            f"wrk {found.wrk:.2f} us", f"wrk's + {found.wire - found.wrk:.2f} us", "<= wrk's + 3 us",
            found.wire <= found.wrk + 3,
        ),
        Row(
            f"memory of the load generator, {grown.requests:,} answers of 10 KiB",
            f"{grown.after / 2**20:.1f} MiB", f"after a fifth {grown.before / 2**20:.1f} MiB",
            f"{grown.share:+.1%}", "within 5 %", abs(grown.share) <= 0.05,
        ),
    ]  # fmt: skip


def _wire_cost(place: Place) -> list[Row]:
    with servers.edge(place.webroot, place.directory / "wire-cost") as server:
        return wired(server, place.seconds, place.rounds)


FORMS = {
    "wire-cost": _wire_cost,
    "clients": clients,
    "clients-https": secure_clients,
    "plain": any_server,
    "simulated": simulated,
    "subscribers": lambda place: subscribed(place.some(4_000, 100_000), place.some(2, 5)),
    "constants": lambda place: [measured(place.directory / "constants", place.quick)],
}
