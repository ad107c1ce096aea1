"""The smart client in Chromium: what it asks its site for, and what it promises.

Requests and bytes are counted by four real nodes (``browser_client.js``).  What tests measure or try is run
as the test that it is.  The conformance suite of http-tests/cache-tests is no part of this project:
CACHE_TESTS in the environment names a clone of it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.rows import Place, Row

ROOT = Path(__file__).parents[1]
_TESTS = "tests/webroot/browser/client.test.js"
#: TCP payload both ways, for any number of unchanged copies.
BY_HTTP, BY_SOCKET = 900, 120


def client(place: Place) -> list[Row]:
    """All rows."""
    return [*_measured(place), _cache_tests(), _histories(place), *_tested()]


def _node(*arguments: str, **environment: str) -> str:
    """What a program of Node.js prints."""
    done = subprocess.run(
        ["node", *arguments], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def _measured(place: Place) -> list[Row]:
    quick = ("--quick",) if place.quick else ()
    text = _node("benchmarks/browser_client.js", *quick)
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"benchmarks/browser_client.js: {text[-2000:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    rows = []
    for name, count in (("fifty", 50), ("many", 2000)):
        requests, size = found[name]["requests"], found[name]["bytes"]
        good = requests == 1 and size <= BY_HTTP
        work, told = f"{count} unchanged copies, by HTTP", f"{requests} requests, {size} B"
        rows.append(Row(work, told, "", "both ways", f"1, <= {BY_HTTP} B", good))
    size = found["socket"]["bytes"]
    rows.append(
        Row("the same by socket", f"{size} B", "", "both ways", f"<= {BY_SOCKET} B", size <= BY_SOCKET)
    )
    views, polls = found["polls"]["views"], found["polls"]["polls"]
    rows.append(Row("load polls of a reader", str(polls), "", f"{views} page views", "0", polls == 0))
    seconds, requests = found["idle"]["seconds"], found["idle"]["requests"]
    told = f"{len(requests)} requests"
    rows.append(Row("an idle tab", told, "", f"{seconds} s", "0, but pings", not requests))
    return rows


def _cache_tests() -> Row:
    clone = os.environ.get("CACHE_TESTS")
    work, goal = "cache-tests, required, passed", ">= without the worker"
    if clone is None:
        return Row(work, "not run", "", "CACHE_TESTS=clone", goal, False)
    text = _node("benchmarks/cache_tests.js", clone, "--json")
    if "{" not in text:
        return Row(work, "failed", "", text.strip()[:80], goal, False)
    found = json.loads(text[text.index("{") : text.rindex("}") + 1])
    ours, without = found["with"], found["without"]["passed"]
    told = f"{ours['passed']} of {ours['required']}"
    return Row(work, told, f"{without} without", "", goal, bool(ours["passed"] >= without))


def _histories(place: Place) -> Row:
    count = place.some(100, 1000)
    text = _node("--test", "tests/webroot/histories.test.js", HISTORIES=str(count))
    return Row("mixed versions", _verdict(text), "", f"{count} histories", "0", _passed(text))


def _tested() -> list[Row]:
    """What tests in Chromium measure themselves."""
    wanted = "a warm hit is answered|with all nodes gone|kill -9 of a node"
    text = _node("--test", f"--test-name-pattern={wanted}", _TESTS)
    warm = re.search(r"([\d.-]+) ms more", text)
    alone = re.search(r"usable after (\d+) ms", text)
    rows = []
    for work, found, most in (
        ("warm hit, over plain Cache match", warm, 2.0),
        ("second visit without a server", alone, 300.0),
    ):
        told = f"{found[1]} ms" if found else "not measured"
        rows.append(Row(work, told, "", "", f"<= {most:g} ms", found is not None and float(found[1]) <= most))
    killed = re.search(r"^(not )?ok \d+ - kill -9 of a node", text, re.MULTILINE)
    good = killed is not None and not killed[1]
    rows.append(
        Row("a node killed, pages unseen", "0 failed" if good else "failed", "", "", "0 failed", good)
    )
    return rows


def _passed(text: str) -> bool:
    return re.search(r"^# fail 0$", text, re.MULTILINE) is not None


def _verdict(text: str) -> str:
    return "0" if _passed(text) else "some: see tests/webroot/histories.test.js"


def connections(place: Place) -> list[Row]:
    """What a reader's browser holds and opens, beside what ``plans/ten-million.toml`` takes for it."""
    text = _node("benchmarks/browser_connections.js", *(("--quick",) if place.quick else ()))
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"benchmarks/browser_connections.js: {text[-2000:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    names = {
        "socket_first": "a first visit",
        "socket_back": "a reader who comes back",
        "http_back": "the same without a WebSocket",
        "moved": "a reader whose node goes and comes",
    }
    rows = []
    for key, name in names.items():
        one = found[key]
        rows.append(
            Row(
                f"connections of {name}: held", f"{one['held']:.1f}",
                f"{one['opened']} opened, {one['sockets']} of them WebSockets",
                f"{one['views']} page views", "<= 2, as planned", one["held"] <= 2,
            )
        )  # fmt: skip
    polls = sum(found[key]["polls"] for key in names)
    rows.append(Row("load polls of them all", str(polls), "", "", "0", polls == 0))
    return rows


FORMS = {"client": client, "connections": connections}
