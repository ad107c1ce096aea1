"""``make test``: sets up, runs everything, and ends with one line ``N passed, N failed``.

Each of lint, format, imports, types and the documents counts as one test; trial's, the native ones and
those of the smart client count one by one.  A part that breaks off without its summary counts as one
failure, and so does one that leaves processes running.  What works with real processes and fails is run once
more, alone; that it failed at first is told at the end.

Nothing here waits for ever: each part has its bound of :data:`BOUNDS`, all of them together have
:data:`ALL_SECONDS`, and each test of trial has that of ``tests/__main__.py``.  Parts run beside one another,
as many as there are cores or two more; browsers that are held to budgets of time have the machine to
themselves.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.make_venv import has_native
from tools.parts import Count, Part, Parts, one
from tools.system import BROWSER, COMPILER, DATABASES, NGINX, NPM_CI, OPENSSL, Need, ensure

#: What the tests need beside the environment, and what for.
NEEDS = (
    (
        [Need("make", "make"), Need("faketime", "faketime"), *COMPILER, OPENSSL],
        "for the tests",
    ),
    (
        [
            *BROWSER,
            Need("firefox-esr", "firefox-esr"),
            *(Need("lynx", "lynx"), Need("w3m", "w3m"), Need("script", "bsdutils")),  # of no scripts
            Need("certutil", "libnss3-tools"),  # has Chromium trust an authority
        ],
        "for the tests of the smart client",
    ),
    ([Need("pebble", "pebble")], "for the tests of automatic certificates"),
    (DATABASES, "for the tests of the demonstration"),
    ([Need("promtool", "prometheus")], "for the tests of alerts and dashboard"),
    (NGINX, "for the tests beside nginx and behind it"),
    ([Need("caddy", "caddy")], "for the test of what Caddy shows"),
    ([Need("/etc/mime.types", "media-types")], "for the test of media types"),
    ([Need("zsh", "zsh"), Need("fish", "fish")], "for the tests of completion"),
)

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / "bin"
MAKE = ["make", "--no-print-directory", f"PYTHON={sys.executable}"]

#: Seconds after which a part counts as hanging: several times what it takes on a machine of two cores.
BOUNDS = {
    "environment": 1200,  # downloads, and compiles
    "environment of the client": 600,
    "types": 900,
    "documents": 900,
    "native code under ASan and UBSan": 1200,
    "the client in node": 600,
    "the client in Chromium": 900,  # each file
    "the client in Chromium over HTTPS": 900,
    "trial": 900,  # each share
}
BOUND = 300
#: Seconds for everything, less than the machines that run this for every change have patience for.
ALL_SECONDS = 80 * 60
#: Seconds for one file of ``node --test``, its hooks included.
NODE_FILE_SECONDS = 900

#: Seconds of the longest files of tests of the smart client.
LONG = {
    "demonstration.test.js": 99,
    "dashboard.test.js": 50,
    "lifecycle.test.js": 41,
    "http.test.js": 34,
    "whole.test.js": 34,
}
#: The file of those that are held to budgets of time, and what of it is tried over HTTPS as well: what the
#: browser itself treats differently there (registration of the worker, sockets, requests to other origins)
#: and what depends on how connections begin and end (choice of a node, its loss).  What the worker does with
#: answers is the same over both.
TIMED_FILE = "tests/webroot/browser/client.test.js"
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
    begun = time.monotonic()
    # Tests start hundreds of nodes: without what was compiled before, half of what each costs is compiling.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    missing = [what for needs, why in NEEDS for what in ensure(needs, why)]
    parts = Parts(ROOT, begun + ALL_SECONDS)
    # Outside of the tree, which stays as it is.
    folder = Path(tempfile.mkdtemp(prefix="edge-"))
    slots = min(os.cpu_count() or 1, 4)
    if _set_up(parts):
        parts.run([part("environment of the client", NPM_CI)])
        parts.run(_beside_one_another(folder), slots)
        parts.run(_browsers(), slots)
        parts.run(_timed_browsers(folder))
        # Two more than there are cores: half of what they take is waiting for nodes.
        parts.run(_trial(folder), slots + 2)
        parts.run_again()
    passed = sum(result.passed for result in parts.results)
    failed = sum(result.failed for result in parts.results) + len(missing)
    if failed:
        print(f"what the tests left is in {folder}")
        for result in parts.results:
            if result.failed:
                print(f"failed: {result.title}", *result.failures, sep="\n    ")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    for result in parts.results:
        if result.at_first and not result.failed:
            print(f"failed at first, and passed alone: {result.title}", *result.at_first, sep="\n    ")
    slowest = sorted(parts.results, key=lambda result: -result.seconds)[:12]
    print("what took longest:", ", ".join(f"{result.title} {result.seconds:.0f} s" for result in slowest))
    skipped = sum(result.skipped for result in parts.results)
    print(f"in {(time.monotonic() - begun) / 60:.1f} minutes; {skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def count_trial(output: str, code: int) -> tuple[int, int]:
    """(passed, failed) of what trial printed and its exit code."""
    summary = re.findall(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", output, re.MULTILINE)
    counts = {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", summary[-1] if summary else "")}
    passed = counts.get("successes", 0) + counts.get("expectedFailures", 0)
    failed = sum(counts.get(name, 0) for name in ("failures", "errors", "unexpectedSuccesses"))
    return passed, failed or int(code != 0 or not (passed or counts.get("skips")))


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


def count_over_https(output: str, code: int) -> tuple[int, int]:
    """The same; of :data:`OVER_HTTPS` each that did not run has failed."""
    passed, failed = count_node(output, code)
    return passed, failed or max(0, len(OVER_HTTPS) - passed)


def part(title: str, command: list[str], count: Count = one, again: bool = False, **environment: str) -> Part:
    """A part with its bound of :data:`BOUNDS`; what follows a colon in *title* tells it from its like."""
    return Part(title, command, BOUNDS.get(title.partition(":")[0], BOUND), count, environment, again)


def shares() -> list[list[str]]:
    """What trial is given, share by share: each module of tests once.

    A process for each: a hang costs the rest of one, what is left running is known by who left it, and a core
    that is free takes the next one.  One module of those with real nodes is a share, because it takes
    long; elsewhere a package is, or the modules beside packages.
    """
    tests = ROOT / "tests"
    found = [[_name(module)] for module in sorted((tests / "end_to_end").glob("test_*.py"))]
    for folder in (tests / "loadgen", tests, tests / "node"):  # what takes long first
        found.append([_name(module) for module in sorted(folder.glob("test_*.py"))])
        packages = [path for path in sorted(folder.iterdir()) if any(path.rglob("test_*.py"))]
        found += [[_name(path)] for path in packages if path.name not in {"end_to_end", "node", "loadgen"}]
    return [share for share in found if share]


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _set_up(parts: Parts) -> bool:
    """The environment, and the native modules in it: without them half the tests would mean nothing."""
    if not has_native(BIN / "python"):
        for stamp in VENV.glob(".installed*"):
            stamp.unlink()
    return parts.run([part("environment", [*MAKE, "test-venv"], EDGE_REQUIRE_NATIVE="1")])


def _beside_one_another(folder: Path) -> list[Part]:
    """What takes one core each, and whose results do not depend on what the others take."""
    return [
        part("native code under ASan and UBSan", [*MAKE, "-C", "tests/native", "test"], count_native),
        part("documents", [*MAKE, "docs"]),
        part("types", [str(BIN / "mypy")]),
        part("the client in node", [*_NODE, *_files("webroot")], count_node),
        *(
            part(
                f"types of the client: {project}",
                ["npx", "tsc", "-p", f"tests/webroot/{project}.tsconfig.json"],
            )
            for project in ("workers", "pages", "declarations")
        ),
        part("lint", [str(BIN / "ruff"), "check", "."]),
        part("format", [str(BIN / "ruff"), "format", "--check", "."]),
        part("imports", [str(BIN / "lint-imports"), "--no-cache"]),
        part("authority of localhost", [str(BIN / "python"), "-m", "ops.localhost_authority", str(folder)]),
    ]


def _files(folder: str) -> list[str]:
    """What ``node --test`` is given of *folder*."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / folder).glob("*.test.js"))


_NODE = [
    "node",
    "--test",
    "--test-concurrency=1",
    f"--test-timeout={NODE_FILE_SECONDS * 1000}",
    "--test-reporter=tap",
]


def _browser(file: str, title: str = "", *options: str, **environment: str) -> Part:
    """One file of tests of the smart client in Chromium against real nodes."""
    environment = {"TEST_OUTPUT": str(ROOT / ".test-output"), **environment}
    title = title or f"the client in Chromium: {file}"
    return part(title, [*_NODE, *options, file], count_node, True, **environment)


def _browsers() -> list[Part]:
    """All but those of :data:`TIMED_FILE`; what takes long first."""
    files = [file for file in _files("webroot/browser") if file != TIMED_FILE]
    return [_browser(file) for file in sorted(files, key=lambda file: -LONG.get(Path(file).name, 0))]


def _timed_browsers(folder: Path) -> list[Part]:
    """:data:`TIMED_FILE`, and :data:`OVER_HTTPS` as `make run TLS=1` says, with the authority in *folder*."""
    trust = {"TEST_TLS": str(folder), "NODE_EXTRA_CA_CERTS": str(folder / "ca.pem")}
    patterns = [f"--test-name-pattern=^{re.escape(title)}$" for title in OVER_HTTPS]
    over_https = _browser(TIMED_FILE, "the client in Chromium over HTTPS", *patterns, **trust)
    return [_browser(TIMED_FILE), replace(over_https, count=count_over_https)]


def _trial(folder: Path) -> list[Part]:
    """The tests in Python, in :func:`shares`."""
    found = []
    for number, share in enumerate(shares()):
        # A short name, because the tests make Unix sockets in it.
        command = [str(BIN / "python"), "-m", "tests", f"--temp-directory={folder / str(number)}", *share]
        title = share[0] if len(share) == 1 else f"{share[0].rpartition('.')[0]}.test_*"
        found.append(
            part(f"trial: {title}", command, count_trial, True, PYTHONFAULTHANDLER="1", PYTHONUNBUFFERED="1")
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
