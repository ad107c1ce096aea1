"""``make test``: sets up, runs everything, and ends with one line ``N passed, N failed``.

Each of lint, format, imports, types and the documents counts as one test; trial's, the native ones and
those of the smart client count one by one.  A part that breaks off without its summary counts as one
failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.make_venv import has_native
from tools.system import COMPILER, DATABASES, NGINX, OPENSSL, Need, ensure

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / "bin"

#: What is tried over HTTPS as well: what the browser itself treats differently there (registration of the
#: worker, sockets, requests to other origins) and what depends on how connections begin and end (choice of a
#: node, its loss).  What the worker does with answers is the same over both.
HTTPS_FILE = "tests/webroot/browser/client.test.js"
OVER_HTTPS = (
    "first visit: the worker takes over and keeps the page and what it uses",
    "a visit with nothing changed is one small request, and no preflight",
    "a new version is kept in the background, and the page shows it without a reload",
    "a client leaves a node that was made ten times slower",
    "kill -9 of a node: four pages see no failed request, and the whole is within its budgets",
    "requests to nodes of other origins need no preflight",
    "the kill switch removes worker and caches in one navigation",
)


def main() -> int:
    """0 when nothing failed."""
    missing = ensure(
        [Need("make", "make"), Need("faketime", "faketime"), *COMPILER, OPENSSL], "for the tests"
    )
    if missing or not _set_up():
        print("0 passed, 1 failed")
        return 1
    results = [
        _one("lint", "ruff", "check", "."),
        _one("format", "ruff", "format", "--check", "."),
        _one("imports", "lint-imports", "--no-cache"),
        _one("types", "mypy"),
        _docs(),
        _native(),
        *_client(),
        _trial(),
    ]
    passed, failed = sum(one[0] for one in results), sum(one[1] for one in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def count_trial(output: str, code: int) -> tuple[int, int]:
    """(passed, failed) of what trial printed and its exit code."""
    summary = re.findall(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", output, re.MULTILINE)
    counts = {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", summary[-1] if summary else "")}
    passed = counts.get("successes", 0) + counts.get("expectedFailures", 0)
    failed = sum(counts.get(name, 0) for name in ("failures", "errors", "unexpectedSuccesses"))
    return passed, failed or int(code != 0 or not passed)


def count_native(output: str, code: int) -> tuple[int, int]:
    """(passed, failed) of what the tests in C printed and their exit code."""
    passed = len(re.findall(r"^ok - ", output, re.MULTILINE))
    failed = len(re.findall(r"^not ok - ", output, re.MULTILINE))
    return passed, failed or int(code != 0 or not passed)


def count_node(output: str, code: int) -> tuple[int, int]:
    """(passed, failed) of what ``node --test`` printed (TAP) and its exit code."""
    counts = {name: int(n) for name, n in re.findall(r"^# (\w+) (\d+)$", output, re.MULTILINE)}
    passed, failed = counts.get("pass", 0), counts.get("fail", 0) + counts.get("cancelled", 0)
    return passed, failed or int(code != 0 or not passed)


def _set_up() -> bool:
    """The environment, and the native modules in it: without them half the tests would mean nothing."""
    if not has_native(BIN / "python"):
        for stamp in VENV.glob(".installed*"):
            stamp.unlink()
    make = ["make", "--no-print-directory", f"PYTHON={sys.executable}", "test-venv"]
    code, _ = _run("environment", make, EDGE_REQUIRE_NATIVE="1")
    return code == 0


def _one(title: str, program: str, *arguments: str) -> tuple[int, int]:
    code, _ = _run(title, [str(BIN / program), *arguments])
    return (1, 0) if code == 0 else (0, 1)


def _docs() -> tuple[int, int]:
    make = ["make", "--no-print-directory", f"PYTHON={sys.executable}", "docs"]
    code, _ = _run("documents", make)
    return (1, 0) if code == 0 else (0, 1)


def _native() -> tuple[int, int]:
    make = ["make", "--no-print-directory", "-C", "tests/native", "test"]
    code, output = _run("native code under ASan and UBSan", make)
    return count_native(output, code)


def _client() -> list[tuple[int, int]]:
    """The smart client: its types, its logic in node, and all of it in Chromium against real nodes."""
    node = [Need("node", "nodejs"), Need("npm", "npm"), Need("chromium", "chromium")]
    node.append(Need("firefox-esr", "firefox-esr"))
    node += [Need("lynx", "lynx"), Need("w3m", "w3m"), Need("script", "bsdutils")]  # of no scripts
    node.append(Need("certutil", "libnss3-tools"))  # has Chromium trust an authority
    if ensure(node, "for the tests of the smart client"):
        return [(0, 1)]
    code, _ = _run("environment of the client", ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"])
    if code:
        return [(0, 1)]
    results = []
    for project in ("workers", "pages", "declarations"):
        tsc = ["npx", "tsc", "-p", f"tests/webroot/{project}.tsconfig.json"]
        code, _ = _run(f"types of the client's {project}", tsc)
        results.append((int(code == 0), int(code != 0)))
    for title, folder in (("the client in node", "webroot"), ("the client in Chromium", "webroot/browser")):
        files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / folder).glob("*.test.js"))
        # One after the other: browsers and clusters of four nodes have the machine's cores to themselves.
        test = ["node", "--test", "--test-concurrency=1", "--test-reporter=tap", *files]
        code, output = _run(title, test, TEST_OUTPUT=str(ROOT / ".test-output"))
        results.append(count_node(output, code))
    results.append(_client_over_https())
    return results


def _client_over_https() -> tuple[int, int]:
    """:data:`OVER_HTTPS` with nodes that Chromium trusts as `make run TLS=1` says."""
    folder = Path(tempfile.mkdtemp(prefix="edge-web-"))
    try:
        make = [str(BIN / "python"), "-m", "ops.localhost_authority", str(folder)]
        if _run("authority of localhost", make)[0]:
            return 0, 1
        patterns = [f"--test-name-pattern=^{re.escape(title)}$" for title in OVER_HTTPS]
        test = ["node", "--test", "--test-concurrency=1", "--test-reporter=tap", *patterns, HTTPS_FILE]
        environment = {
            "TEST_TLS": str(folder),
            "NODE_EXTRA_CA_CERTS": str(folder / "ca.pem"),
            "TEST_OUTPUT": str(ROOT / ".test-output"),
        }
        code, output = _run("the client in Chromium over HTTPS", test, **environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    passed, failed = count_node(output, code)
    return passed, failed or max(0, len(OVER_HTTPS) - passed)


def _trial() -> tuple[int, int]:
    missing = ensure([Need("pebble", "pebble")], "for the tests of automatic certificates")
    missing += ensure(DATABASES, "for the tests of the demonstration")
    missing += ensure([Need("promtool", "prometheus")], "for the tests of alerts and dashboard")
    missing += ensure(NGINX, "for the tests beside nginx and behind it")
    missing += ensure([Need("/etc/mime.types", "media-types")], "for the test of media types")
    missing += ensure([Need("zsh", "zsh"), Need("fish", "fish")], "for the tests of completion")
    # Short, because the tests make Unix sockets in it; outside of the tree, which stays as it is.
    folder = Path(tempfile.mkdtemp(prefix="edge-"))
    trial = [str(BIN / "python"), "-m", "twisted.trial", f"--temp-directory={folder / 't'}", "tests"]
    code, output = _run("trial", trial)
    passed, failed = count_trial(output, code)
    failed += len(missing)
    if failed:
        print(f"what the tests left is in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return passed, failed


def _run(title: str, command: list[str], **environment: str) -> tuple[int, str]:
    """Run *command*, showing its output; (exit code, output)."""
    print(f"--- {title}: {' '.join(command)}", flush=True)
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env={**os.environ, **environment},
        )
    except OSError as error:
        print(f"{command[0]} does not start: {error.strerror}", flush=True)
        return 1, ""
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    return process.wait(), "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
