"""The shared cache measured by http-tests/cache-tests: the suite's server is the application behind the node.

The suite is no part of this project: it is fetched, or ``CACHE_TESTS`` names a clone.  Its server learns from
fields of each request which one of a test that is; the clean question has none of them, so a copy of the
suite says it to the server beforehand, out of band.  That, and nothing else, is changed in the copy.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks import servers
from benchmarks.browser_client import suite
from benchmarks.rows import Place, Row

#: Of optimal tests, in the results that the suite publishes.
NGINX = 66
#: File -> what is replaced by what, each wherever it stands.
_EDITS = {
    "client/test.mjs": (
        "if (test.dump === true) clientUtils.logRequest(url, init, reqNum)",
        "await fetch(`${process.env.ORIGIN}/reqnum/${uuid}/${reqNum}`)",
    ),
    "server/handle-test.mjs": (
        "parseInt(request.headers['req-num'])",
        "(parseInt(request.headers['req-num']) || globalThis.numbers?.get(uuid))",
    ),
    "server/server.mjs": (
        "if (dispatch === 'config') {",
        "if (dispatch === 'reqnum') {"
        " (globalThis.numbers ??= new Map()).set(pathSegs[0], parseInt(pathSegs[1])); response.end() }"
        " else if (dispatch === 'config') {",
    ),
}
#: Runs the tests; prints kind -> verdict -> which tests.
_RUN = """
import { runTests, getResults } from '%(suite)s/test-engine/client/runner.mjs'
import { determineTestResult, resultTypes } from '%(suite)s/test-engine/lib/results.mjs'
import suites from '%(suite)s/tests/index.mjs'
await runTests(suites, false, process.env.EDGE)
const found = getResults(), told = {}
for (const { tests } of suites) for (const { id, kind = 'required' } of tests) if (id in found) {
  const verdict = determineTestResult(suites, id, found, false)
  const name = Object.keys(resultTypes).find((key) => resultTypes[key] === verdict)
  ;((told[kind] ??= {})[name] ??= []).push(id)
}
console.log(JSON.stringify(told))
process.exit(0)
"""
#: What the tests vary with.
_NODE = """
[[app]]
at = "/"
to = "http://127.0.0.1:{port}"
share = ["/test/**"]
vary = {{ Foo = ["1", "2"], Bar = ["abc", "def"], Baz = ["789"], Accept-Language = ["en", "de"] }}
"""
#: The one package that its tests need, for interim answers.
_HEARS_103 = "undici@7"
#: For the whole run.
_SECONDS = 600


def conformance(place: Place) -> list[Row]:
    """Required tests that fail, and optimal ones that pass."""
    cloned = suite(place)
    if isinstance(cloned, str):
        return [Row("cache-tests", "not fetched", "", f"{cloned[:80]}: CACHE_TESTS=clone", "0 failed", False)]
    copy = _edited(cloned, place.directory / "conformance")
    with _origin(copy) as port:
        file = place.directory / "conformance.toml"
        file.write_text(_NODE.format(port=port))
        webroot = place.directory / "empty"
        webroot.mkdir()
        folder = place.directory / "edge-conformance"
        with servers.edge(webroot, folder, "native", "--config", str(file), ready="/.edge/ready") as ours:
            found = _run(copy, ours.url.rstrip("/"), f"http://127.0.0.1:{port}")
    required, optimal = found["required"], found["optimal"]
    failed, passed = required.get("fail", []), len(optimal.get("pass", []))
    return [
        Row(
            "cache-tests, required", f"{len(failed)} failed", f"{len(required.get('pass', []))} passed",
            " ".join(failed)[:80], "0 failed", not failed,
        ),
        Row(
            "cache-tests, optimal", f"{passed} passed", f"nginx {NGINX}",
            f"of {sum(map(len, optimal.values()))}", f">= {NGINX}", passed >= NGINX,
        ),
    ]  # fmt: skip


def _edited(cloned: Path, copy: Path) -> Path:
    for part in ("test-engine", "tests"):
        shutil.copytree(cloned / part, copy / part)
    (copy / "package.json").write_text("{}")
    subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", _HEARS_103], cwd=copy, check=True
    )
    for name, (old, new) in _EDITS.items():
        file = copy / "test-engine" / name
        text = file.read_text()
        if old not in text:
            raise SystemExit(f"{file} is not as it was: {old!r} is not in it")
        file.write_text(text.replace(old, new))
    return copy


@contextlib.contextmanager
def _origin(copy: Path) -> Iterator[int]:
    """The suite's server; its port."""
    port = servers.free_port()
    settings = {"protocol": "http", "port": str(port), "pidfile": str(copy / "pid")}
    environment = os.environ | {f"npm_config_{name}": value for name, value in settings.items()}
    with (copy / "server.log").open("wb") as log:
        process = subprocess.Popen(
            ["node", "test-engine/server/server.mjs"], cwd=copy, env=environment, stdout=log, stderr=log
        )
    try:
        servers.wait_until(lambda: b"Listening" in (copy / "server.log").read_bytes(), "it listens")
        yield port
    finally:
        process.terminate()
        process.wait()


def _run(copy: Path, edge: str, origin: str) -> dict[str, dict[str, list[str]]]:
    """Kind -> verdict -> tests."""
    done = subprocess.run(
        ["node", "--no-warnings", "--input-type=module", "-e", _RUN % {"suite": copy}],
        env=os.environ | {"EDGE": edge, "ORIGIN": origin},
        capture_output=True, text=True, timeout=_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"the suite failed: {done.stderr[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


FORMS = {"apps-conformance": conformance}
