"""How long a node takes to publish 10,000 small files: the first time, and when it has seen them before."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks import servers

FILES = 10_000
_PUBLISHED = re.compile(r"published .*: (\d+) resources, .* in ([0-9.]+) s")


def site(directory: Path) -> Path:
    """Pages of 1 to 12 KB in a hundred folders."""
    for number in range(FILES):
        folder = directory / f"{number % 100:02}"
        folder.mkdir(parents=True, exist_ok=True)
        text = f"<p>page {number}</p>\n" + f"<p>{number * 7919 % 10007} words of {number}</p>\n" * (
            30 + number % 400
        )
        (folder / f"page-{number}.html").write_text(text)
    (directory / "small.html").write_text("small")
    return directory


def seconds(directory: Path) -> tuple[float, float]:
    """(first, second) start, as the node itself measures its publish."""
    webroot = site(directory / "site")
    return _start(webroot, directory), _start(webroot, directory)


def _start(webroot: Path, directory: Path) -> float:
    with servers.edge(webroot, directory, "native", "--brotli-quality", "5"):
        pass
    found = _PUBLISHED.search((directory / "log").read_text())
    if found is None or int(found[1]) < FILES:
        raise SystemExit(f"the node did not publish {FILES} files; see {directory / 'log'}")
    return float(found[2])
