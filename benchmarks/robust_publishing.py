"""The rows of publishing: how soon a first start serves, and what waits while a large file is read."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.rows import Place, Row
from benchmarks.servers import Server, admin, edge
from edge.config import default_webroot

#: Bytes of the large file, and of what is written together.
LARGE, CHUNK = 1_500_000_000, 1 << 20
FILES, FILES_A_FOLDER = 200_000, 100
#: Seconds after which whatever is waited for counts as never.
PATIENCE = 120.0


def rows(place: Place) -> list[Row]:
    """First answers of the demonstration and of very many files; changes beside a large file; crashes."""
    demonstration = _first_answer(default_webroot(), place.directory / "demonstration", "/")
    files = place.some(20_000, FILES)
    many = _many(place.directory / "many", files)
    asked = _first_answer(many, place.directory / "many-node", f"/{files // FILES_A_FOLDER - 1}/99.txt")
    return [
        _seconds("first start of the demonstration: first 200", demonstration, 10),
        _seconds(f"first start of {files:,} files: first 200 of what is asked for", asked, 5),
        *_beside_a_large_file(place, place.some(LARGE // 10, LARGE)),
        _crashes(place.some(100, 2000)),
    ]


def _seconds(work: str, seconds: float, goal: float) -> Row:
    return Row(work, f"{seconds:.2f} s", "", f"{seconds:.2f} s", f"<= {goal:g} s", seconds <= goal)


def _first_answer(webroot: Path, directory: Path, path: str) -> float:
    """Seconds from the start of a node that has never seen *webroot* to its first 200 for *path*."""
    began = time.monotonic()
    with edge(webroot, directory, "native", ready=path):
        return time.monotonic() - began


def _many(root: Path, count: int) -> Path:
    for folder in range(count // FILES_A_FOLDER):
        (root / str(folder)).mkdir(parents=True)
        for number in range(FILES_A_FOLDER):
            (root / str(folder) / f"{number}.txt").write_text(f"file {folder} {number} " * 40)
    return root


def _beside_a_large_file(place: Place, size: int) -> list[Row]:
    site, directory = place.directory / "site", place.directory / "beside"
    site.mkdir()
    for name in ("edited.html", "removed.html", "purged.html"):
        (site / name).write_text("old")
    large = place.directory / "large"
    with large.open("wb") as file:
        for _ in range(size // CHUNK):
            file.write(os.urandom(CHUNK))
    with edge(site, directory) as server:
        large.rename(site / "large.bin")
        _until(lambda: server.head("/large.bin")[":status"] == "503")
        (place.directory / "new").write_text("edited")
        (place.directory / "new").rename(site / "edited.html")
        edited = _until(lambda: server.head("/edited.html").get("content-length") == "6")
        (site / "removed.html").unlink()
        removed = _until(lambda: server.head("/removed.html")[":status"] == "404")
        began = time.monotonic()
        admin(directory, "POST", "/purge", {"paths": ["/purged.html"]})
        _until(lambda: server.head("/purged.html")[":status"] == "404")
        purged = time.monotonic() - began
        still = _is_read(server)
    beside = f"beside a file of {size / 1e9:.1f} GB that is read"
    return [
        _seconds(f"{beside}: an edit is served", edited, 1),
        _seconds("a removal", removed, 1),
        _seconds("a purge", purged, 1),
        Row("the file was still being read then", str(still), "", str(still), "True", still),
    ]


def _is_read(server: Server) -> bool:
    return server.head("/large.bin")[":status"] == "503"


def _until(condition: Callable[[], bool]) -> float:
    """Seconds until *condition* holds."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() > began + PATIENCE:
            return PATIENCE
        time.sleep(0.01)
    return time.monotonic() - began


def _crashes(count: int) -> Row:
    """The power fails at random points of publishing, on a disk that loses what was not synchronized."""
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "twisted.trial", "--temp-directory", str(root / "_trial_temp_bench"),
         "tests.publish.test_crashes"],
        cwd=root, env={**os.environ, "CRASHES": str(count)}, capture_output=True, check=False,
    )  # fmt: skip
    wrong = "0 wrong" if not done.returncode else "wrong bytes"
    work = f"{count:,} crashes at any step of publishing: bytes sent"
    return Row(work, wrong, "", wrong, "0 wrong", not done.returncode)
