"""The smart client in Chromium: what it asks its site for, and what it promises.

Requests and bytes are counted by four real nodes (``browser_client.js``).  What tests measure or try is run
as the test that it is.  The conformance suite of http-tests/cache-tests is no part of this project: it is
fetched for the measurement, at :data:`COMMIT`; CACHE_TESTS in the environment names a clone instead.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import scripts
from benchmarks.rows import Place, Row

_TESTS = "tests/webroot/browser/client.test.js"
#: TCP payload both ways, for any number of unchanged copies.
BY_HTTP, BY_SOCKET = 900, 120
SUITE, COMMIT = "https://github.com/http-tests/cache-tests", "b55b8bda3dbb8c927c04e85bd8d496a8caa3e4ba"
#: Seconds for that.
FETCH_SECONDS = 120


def client(place: Place) -> list[Row]:
    """All rows."""
    return [*_measured(place), _cache_tests(place), _histories(place), *_tested()]


def _measured(place: Place) -> list[Row]:
    quick = ("--quick",) if place.quick else ()
    found = scripts.result_of("benchmarks/browser_client.js", *quick)
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


def suite(place: Place) -> Path | str:
    """Where the suite is; a text: why it is nowhere."""
    given = os.environ.get("CACHE_TESTS")
    if given is not None:
        return Path(given).absolute()
    folder = place.directory / "cache-tests"
    for command in (["init", "-q"], ["fetch", "-q", "--depth=1", SUITE, COMMIT], ["checkout", "-q", COMMIT]):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(
                ["git", *command], cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode:
            return done.stderr.strip()
    return folder


def _cache_tests(place: Place) -> Row:
    work, goal = "cache-tests, required, passed", ">= without the worker"
    clone = suite(place)
    if isinstance(clone, str):
        return Row(work, "not fetched", "", f"{clone[:80]}: CACHE_TESTS=clone", goal, False)
    text = scripts.output_of("benchmarks/cache_tests.js", str(clone), "--json")
    results = next((line for line in text.splitlines() if line.startswith('{"')), None)
    if results is None:
        return Row(work, "failed", "", text.strip()[:80], goal, False)
    found = json.loads(results)
    ours, without = found["with"], found["without"]["passed"]
    told = f"{ours['passed']} of {ours['required']}"
    return Row(work, told, f"{without} without", "", goal, bool(ours["passed"] >= without))


def _histories(place: Place) -> Row:
    count = place.some(100, 1000)
    text = scripts.output_of("--test", "tests/webroot/histories.test.js", HISTORIES=str(count))
    good = re.search(r"^# fail 0$", text, re.MULTILINE) is not None
    return Row("mixed versions", "0" if good else _why(text), "", f"{count} histories", "0", good)


def _tested() -> list[Row]:
    """What tests in Chromium measure themselves."""
    wanted = "a warm hit is answered|with all nodes gone|kill -9 of a node"
    text = scripts.output_of("--test", f"--test-name-pattern={wanted}", _TESTS)
    warm = re.search(r"([\d.-]+) ms more", text)
    alone = re.search(r"usable after (\d+) ms", text)
    rows = []
    for work, found, most in (
        ("warm hit, over plain Cache match", warm, 2.0),
        ("second visit without a server", alone, 300.0),
    ):
        told = f"{found[1]} ms" if found else f"not measured: {_why(text)}"
        rows.append(Row(work, told, "", "", f"<= {most:g} ms", found is not None and float(found[1]) <= most))
    killed = re.search(r"^(not )?ok \d+ - kill -9 of a node", text, re.MULTILINE)
    good = killed is not None and not killed[1]
    rows.append(
        Row("a node killed, pages unseen", "0 failed" if good else _why(text), "", "", "0 failed", good)
    )
    return rows


def _why(text: str) -> str:
    """What a test that failed says of it."""
    found = re.search(r"^ +error: (?:\|-\n +)?(.*)$", text, re.MULTILINE)
    return found[1][:200] if found else "nothing was said"


def connections(place: Place) -> list[Row]:
    """What a reader's browser holds and opens, over HTTPS."""
    quick = ("--quick",) if place.quick else ()
    with TemporaryDirectory(prefix="edge-authority-") as folder:
        subprocess.run(
            [sys.executable, "-m", "ops.localhost_authority", folder], cwd=scripts.ROOT, check=True
        )
        trust = {"TEST_TLS": folder, "NODE_EXTRA_CA_CERTS": f"{folder}/ca.pem"}
        found = scripts.result_of("benchmarks/browser_connections.js", *quick, **trust)
    names = {
        "socket_first": "a first visit",
        "socket_back": "a reader who comes back",
        "http_back": "the same without a WebSocket",
        "moved": "a reader whose node goes and comes",
    }
    # Who leaves a node that goes opens a WebSocket to the next one.
    return [_held(name, found[key], 2 if key == "moved" else 1) for key, name in names.items()]


def _held(name: str, one: dict[str, Any], most: int) -> Row:
    """The row of a session, which may open *most* WebSockets."""
    sockets = one["sockets"]
    shaken = f"{one['full']} full handshakes, {one['resumed']} resumed"
    told = f"{one['opened']} opened, {sockets} of them WebSockets; {shaken}"
    views = f"{one['views']} page views in {one['seconds']:.0f} s"
    goal = "one WebSocket" if most == 1 else "one to each of two nodes"
    return Row(f"connections of {name}: held", f"{one['held']:.1f}", told, views, goal, sockets <= most)


FORMS = {"client": client, "connections": connections}
