"""Runs the benchmarks and prints the table that the README quotes.  See the package's docstring."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import (
    addresses,
    apps,
    apps_cache,
    apps_cluster,
    apps_conformance,
    article,
    article_live,
    beside_nginx,
    browser_client,
    client,
    generator,
    graphql,
    guarding,
    robustness,
    several_nodes,
    sites,
    theory,
    tls,
    verdicts,
)
from benchmarks.rows import Place, Row

#: Name -> what measures it; in the order in which they run.
FORMS: dict[str, Callable[[Place], list[Row]]] = {
    **beside_nginx.FORMS,
    **addresses.FORMS,
    **guarding.FORMS,
    **tls.FORMS,
    **apps.FORMS,
    **apps_cache.FORMS,
    **apps_cluster.FORMS,
    **apps_conformance.FORMS,
    **graphql.FORMS,
    **article.FORMS,
    **article_live.FORMS,
    **browser_client.FORMS,
    **robustness.FORMS,
    **several_nodes.FORMS,
    **sites.FORMS,
    **generator.FORMS,
    **verdicts.FORMS,
    **theory.FORMS,
}
#: Names that stand for several of them.
GROUPS = {
    "robustness": robustness.SOUND,
    "first-day": (*addresses.FORMS, *sites.FORMS, *guarding.FORMS),
    "tls": tls.TLS,
    "apps": (*apps.FORMS, *apps_cache.FORMS, *apps_cluster.FORMS, *apps_conformance.FORMS, *graphql.FORMS),
}


def measure(forms: Sequence[str], quick: bool) -> list[Row]:
    """All rows for *forms*; *quick* shortens every part (for a look, not for figures)."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        webroot = client.site(directory / "site")
        for form in FORMS:
            if form in forms:
                place = Place(directory / form, webroot, quick)
                place.directory.mkdir()
                place.directory.chmod(0o755)
                rows += FORMS[form](place)
    return rows


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("form", nargs="*", help=f"some of {', '.join((*FORMS, *GROUPS))} (default: all)")
    parser.add_argument("--quick", action="store_true", help="short runs, for a look")
    options = parser.parse_args()
    forms = [form for name in options.form for form in GROUPS.get(name, (name,))]
    unknown = set(forms) - set(FORMS)
    if unknown:
        parser.error(
            f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join((*FORMS, *GROUPS))}"
        )
    if psutil.cpu_count() == 1:
        parser.error("these benchmarks need two cores: one for the server, one for the client")
    rows = measure(forms or list(FORMS), options.quick)
    table = Table(title="server CPU per request, one pinned core each, same run")
    for heading in ("work", "ours", "reference", "result", "goal", ""):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            row.work, row.ours, row.reference, row.result, row.goal, "reached" if row.reached else "MISSED"
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0 if all(row.reached for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
