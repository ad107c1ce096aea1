"""The article's site on four nodes, in Chromium and under load: votes, bytes, all nodes killed.

``article_live.js`` measures what a browser sees; then ``loadgen run scenarios/article.toml`` asks a staging
cluster of its own, whose metrics tell what the tables answered.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks import scripts
from benchmarks.rows import Place, Row

ROOT = Path(__file__).parents[1]
#: Milliseconds from a vote until another node's browser shows it; bytes of a later navigation both ways.
SHOWN_MS, UNCHANGED_BYTES, CHANGED_BYTES = 300, 1000, 3000
FIRST_PAGE_S = 10.0
TABLE_SHARE = 0.95
#: Least scores of Lighthouse, and the most that a page may jump (CLS).
LIGHTHOUSE = {"performance": 98, "accessibility": 100, "best-practices": 100, "seo": 100}
SHIFT = 0.05
NODES = 4
_PATIENCE_S = 120.0
#: A node below that utilization is at rest; seconds until the load begins all the same.
_CALM, _REST_S = 0.25, 60.0


def article_live(place: Place) -> list[Row]:
    """All rows."""
    return [*_in_chromium(place), *_under_load(place)]


def _in_chromium(place: Place) -> list[Row]:
    quick = ("--quick",) if place.quick else ()
    found = scripts.result_of("benchmarks/article_live.js", *quick)
    vote = found["vote"]
    told = f"{vote['p99']} ms, p50 {vote['p50']} ms"
    rows = [Row("vote at n1, shown at n3, p99", told, "", f"{vote['count']} votes", f"<= {SHOWN_MS} ms",
                vote["p99"] <= SHOWN_MS)]  # fmt: skip
    pushed = f"both ways; {found['pushed']} B of it pushed anyway"
    for what, name, goal in (
        ("nothing changed", "unchanged", UNCHANGED_BYTES),
        ("one component changed", "changed", CHANGED_BYTES),
    ):
        sizes = [one["bytes"] for one in found[name]]
        told = f"{sizes[0]} B at most, p50 {sizes[len(sizes) // 2]}, {sizes[-1]} at least"
        rows.append(Row(f"later navigation, {what}", told, "", pushed, f"<= {goal} B", sizes[0] <= goal))
    works = [one["path"] for one in found["killed"] if one["status"] == 200 and one["heading"]]
    told = f"{len(works)} of {len(found['killed'])} work"
    rows.append(
        Row(
            "all nodes and the data killed", told, "", "pages seen", "all", len(works) == len(found["killed"])
        )
    )
    return rows


def _under_load(place: Place) -> list[Row]:
    port = _free_ports()
    folder = place.directory / "staging"
    began = time.monotonic()
    with (place.directory / "staging.log").open("wb") as log:
        command = [sys.executable, "-m", "ops.staging", "--base-port", str(port), "--folder", str(folder)]
        staging = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for_page(f"http://localhost:{port}/", staging)
            first = time.monotonic() - began
            _wait_for_page(f"http://localhost:{port + NODES - 1}/ranking", staging)
            _wait_for_rest(f"http://localhost:{port}/.edge/load")
            result = _load(place, port, folder)
        finally:
            staging.send_signal(signal.SIGINT)
            staging.wait(60)
    share, errors = result["measures"].get("table_share", 0.0), result["measures"].get("errors", 0.0)
    told = f"{share:.1%}, p99 {result['measures'].get('p99', 0.0):.0f} ms, {errors:.0f} errors"
    return [
        Row("from nothing to the first page", f"{first:.1f} s", "", "as make run", f"<= {FIRST_PAGE_S:g} s",
            first <= FIRST_PAGE_S),
        Row("queries from the table", told, "", f"{result['counts']['page_views']} page views",
            f">= {TABLE_SHARE:.0%}", share >= TABLE_SHARE and not errors),
    ]  # fmt: skip


def _load(place: Place, port: int, folder: Path) -> dict[str, Any]:
    out = place.directory / "result"
    states = [part for number in range(1, NODES + 1) for part in ("--state", str(folder / f"n{number}"))]
    cluster = f"http://localhost:{port}"
    seconds = str(place.either(15.0, 60.0))
    subprocess.run(
        [sys.executable, "-m", "loadgen.cli", "run", "scenarios/article.toml", "--cluster", cluster, *states,
         "--out", str(out), "--duration", seconds, "--json"],
        cwd=ROOT, stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    result: dict[str, Any] = json.loads((out / "result.json").read_text())
    return result


def _wait_for_page(url: str, staging: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            if staging.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{url}: the staging cluster does not come up") from None
        time.sleep(0.05)


def _wait_for_rest(url: str) -> None:
    """Until no node is busy any more with its start: files compressed, tables filled from each other."""
    until = time.monotonic() + _REST_S
    rested = 0
    while rested < 3 and time.monotonic() < until:
        with urllib.request.urlopen(url, timeout=5) as answer:
            nodes = json.load(answer)["nodes"]
        calm = len(nodes) == NODES and all(node["utilization"] < _CALM for node in nodes)
        rested = rested + 1 if calm else 0
        time.sleep(1.0)


def _free_ports() -> int:
    """The first of four ports of HTTP that are free, as those of gossip and the buttons."""
    port = 20_000 + os.getpid() % 10_000
    while not all(_is_free(port + n) for n in (*range(NODES), 9, *range(-1000, NODES - 1000))):
        port += 20
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def lighthouse(place: Place) -> list[Row]:
    """What Lighthouse says of three pages on a phone, the median of first visits."""
    found = scripts.result_of("tests/webroot/browser/lighthouse.js", str(place.some(1, 5)))
    rows = []
    for path, scores in found.items():
        missed = [name for name, goal in LIGHTHOUSE.items() if scores[name] < goal]
        others = ", ".join(f"{name} {scores[name]}" for name in LIGHTHOUSE if name != "performance")
        shift = scores["shift"]
        rows.append(
            Row(
                f"Lighthouse, a phone, {path}", f"performance {scores['performance']}", "", others,
                ">= 98, others 100", not missed,
            )
        )  # fmt: skip
        rows.append(Row(f"layout shift of {path}", f"{shift:.3f}", "", "", f"< {SHIFT}", shift < SHIFT))
    return rows


FORMS = {"article-live": article_live, "article-lighthouse": lighthouse}
