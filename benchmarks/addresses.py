"""What rules of fields and addresses cost: our node with and without, and nginx with the same ones.

Twenty rules of fields, of which three apply to a page, two hundred redirects, clean URLs.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks import client, servers
from benchmarks.beside_nginx import Work, not_modified, ratios
from benchmarks.rows import Place, Row
from benchmarks.servers import Server

HEADERS, REDIRECTS = 20, 200
#: How much dearer anything may be for them.
_DEARER = 1.05


def _ten(server: Server) -> str:
    return client.request("/ten.html")


def _redirect(server: Server) -> str:
    return client.request("/old/page-150?utm_source=mail")


def _clean(server: Server) -> str:
    etag = server.head("/page", **{"Accept-Encoding": "gzip, deflate, br, zstd"})["etag"]
    return client.request("/page", If_None_Match=etag)


#: Beside nginx, which has the same rules.
WORKS = (
    Work(f"304 with {HEADERS} rules of fields and {REDIRECTS} redirects", 0.90, not_modified),
    Work("200, 10 KiB compressed body, with them", 1.0, _ten),
    Work("redirect with a query", 1.0, _redirect),
)
#: With the rules, in proportion to without.
COSTS: tuple[tuple[str, Callable[[Server], str]], ...] = (
    ("304: all rules over none", not_modified),
    ("200, 10 KiB compressed body: all rules over none", _ten),
)


def _configuration() -> str:
    """The rules in our words."""
    tables = [
        f'[[header]]\npath = "/section-{n}/**"\nset = {{ "X-Section" = "{n}" }}' for n in range(HEADERS - 3)
    ]
    tables += [
        '[[header]]\nset = { "X-Frame-Options" = "DENY" }',
        '[[header]]\npath = "*.html"\nset = { "Referrer-Policy" = "no-referrer" }',
        '[[header]]\npath = "/**"\nadd = { "Link" = "</asset-1.css>; rel=preload; as=style" }',
    ]
    tables += [
        f'[[redirect]]\nfrom = "/old/page-{n}"\nto = "/new/{n}"\nstatus = 301' for n in range(REDIRECTS)
    ]
    return "\n".join(tables) + "\n"


def _nginx_rules() -> str:
    """The same in nginx's."""
    lines = [f"location /section-{n}/ {{ add_header X-Section {n}; }}" for n in range(HEADERS - 3)]
    lines += [
        "add_header X-Frame-Options DENY;",
        "add_header Referrer-Policy no-referrer;",
        'add_header Link "</asset-1.css>; rel=preload; as=style";',
    ]
    lines += [f"location = /old/page-{n} {{ return 301 /new/{n}$is_args$args; }}" for n in range(REDIRECTS)]
    return "\n        ".join(lines)


def _rules(place: Place) -> list[Row]:
    """Ours without rules, ours with, and nginx with."""
    folder = place.directory
    file = folder / "edge.toml"
    file.write_text(_configuration())
    with (
        servers.edge(place.webroot, folder / "ruled", "native", "--config", str(file)) as ours,
        servers.nginx(place.webroot, folder / "nginx", rules=_nginx_rules()) as nginx,
    ):
        rows = ratios(WORKS, ours, nginx, place.seconds, place.rounds)
    return rows + dearer(COSTS, with_options(place, "--config", str(file)), place)


def with_options(place: Place, *options: str) -> Callable[[Path, bool], AbstractContextManager[Server]]:
    """What starts a node in a folder, with *options* or without."""
    return lambda folder, rules: servers.edge(place.webroot, folder, "native", *(options if rules else ()))


def dearer(
    works: Sequence[tuple[str, Callable[[Server], str]]],
    start: Callable[[Path, bool], AbstractContextManager[Server]],
    place: Place,
) -> list[Row]:
    """Kinds of requests with and without the rules: several pairs of servers, short rounds interleaved.

    *start*: (folder of its own, whether it has the rules) -> the server.  Of two processes of one program one
    is up to a tenth dearer than the other, by where its memory lies; so there are some of each.
    """
    ratios_of: list[list[float]] = [[] for _ in works]
    figures: list[tuple[list[float], list[float]]] = [([], []) for _ in works]
    errors = [0 for _ in works]
    for pair in range(place.some(1, 5)):
        folder = place.directory / f"pair-{pair}"
        with start(folder / "with", True) as ours, start(folder / "without", False) as bare:
            for number, (_, make) in enumerate(works):
                rounds: tuple[list[float], list[float]] = ([], [])
                texts = make(ours), make(bare)
                for _ in range(place.some(2, 5)):
                    for which, server in enumerate((ours, bare)):
                        result = client.wrk(server, texts[which], 1)
                        rounds[which].append(result.microseconds)
                        errors[number] += result.errors
                medians = [statistics.median(one) for one in rounds]
                ratios_of[number].append(medians[0] / medians[1])
                for which in range(2):
                    figures[number][which].append(medians[which])
    rows = []
    for number, (name, _) in enumerate(works):
        ratio, found = statistics.median(ratios_of[number]), ratios_of[number]
        note = f" ({errors[number]} errors!)" if errors[number] else ""
        with_rules, without = (statistics.median(one) for one in figures[number])
        rows.append(
            Row(name, f"{with_rules:.2f} us", f"without {without:.2f} us",
                f"{ratio:.3f} x ({min(found):.2f} .. {max(found):.2f}){note}", f"<= {_DEARER:.2f} x",
                ratio <= _DEARER and not errors[number])
        )  # fmt: skip
    return rows


def _clean_urls(place: Place) -> list[Row]:
    """A page at its clean address, beside nginx's try_files."""
    webroot = place.directory / "site"
    client.site(webroot)
    (webroot / "page.html").write_bytes((webroot / "small.html").read_bytes())
    rules = "location / { try_files $uri $uri.html =404; }"
    with (
        servers.edge(webroot, place.directory / "edge", "native", "--clean-urls") as ours,
        servers.nginx(webroot, place.directory / "nginx", rules=rules) as nginx,
    ):
        return ratios((Work("304 at a clean URL", 0.90, _clean),), ours, nginx, place.seconds, place.rounds)


FORMS = {"rules": _rules, "clean-urls": _clean_urls}
