"""What several sites cost: ours with ten, ours with one, and nginx with ten server blocks."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import addresses, client, servers
from benchmarks.beside_nginx import Work, not_modified, ratios
from benchmarks.rows import Place, Row
from benchmarks.servers import Server

SITES = 10
#: The one that is asked for: the last of those that are told.
HOST = f"site-{SITES - 1}.example"


def _at_site(make: Callable[[Server], str]) -> Callable[[Server], str]:
    """The request that *make* makes, to one of the sites."""

    def made(server: Server) -> str:
        lines = make(server).split("\r\n")
        return "\r\n".join(f"Host: {HOST}" if line.startswith("Host:") else line for line in lines)

    return made


def _ten(server: Server) -> str:
    return client.request("/ten.html")


WORKS = (
    Work(f"304 at one of {SITES} sites", 0.90, _at_site(not_modified)),
    Work(f"200, 10 KiB compressed body, at one of {SITES} sites", 1.0, _at_site(_ten)),
)


def _sites(place: Place) -> list[Row]:
    """Ours with one site, ours with ten, and nginx with ten."""
    folder = place.directory
    names = [f"site-{number}.example" for number in range(SITES)]
    options = [word for name in names for word in ("--site", f"{name}={place.webroot}")]
    with (
        servers.edge(place.webroot, folder / "ten", "native", *options) as ten,
        servers.nginx(place.webroot, folder / "nginx", hosts=names) as nginx,
    ):
        rows = ratios(WORKS, ten, nginx, place.seconds, place.rounds)
    works = [(f"{work.name}: over one site", work.request) for work in WORKS]
    return rows + addresses.dearer(works, addresses.with_options(place, *options), place)


FORMS = {"ten-sites": _sites}
