"""wrk on its own core, and the requests it sends."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import SERVER_CORE, Server

#: What a desktop Chromium sends for a page (field names and sizes; about 600 bytes).
BROWSER_FIELDS = {
    "Host": "localhost:8001",
    "Connection": "keep-alive",
    "Cache-Control": "max-age=0",
    "sec-ch-ua": '"Chromium";v="142", "Not_A Brand";v="99"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "Upgrade-Insecure-Requests": "1",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.9",
}
#: What it sends for a question of the smart client's worker (``brief`` in webroot/edge/worker/sender.js).
QUESTION_FIELDS = {
    **{
        name: BROWSER_FIELDS[name]
        for name in (
            "Host",
            "Connection",
            "sec-ch-ua-platform",
            "sec-ch-ua",
            "User-Agent",
            "sec-ch-ua-mobile",
        )
    },
    "accept-language": "*",
    "Accept": "*/*",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "same-origin",
    "Sec-Fetch-Dest": "empty",
    "Accept-Encoding": BROWSER_FIELDS["Accept-Encoding"],
}
#: What it sends by itself to see whether there is another worker.
LOOK_FIELDS = {
    "Host": BROWSER_FIELDS["Host"],
    "Connection": BROWSER_FIELDS["Connection"],
    "Accept": "*/*",
    "Service-Worker": "script",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "same-origin",
    "Sec-Fetch-Dest": "serviceworker",
    "Referer": f"http://{BROWSER_FIELDS['Host']}/sw.js",
    "User-Agent": BROWSER_FIELDS["User-Agent"],
    "Accept-Encoding": BROWSER_FIELDS["Accept-Encoding"],
    "Accept-Language": BROWSER_FIELDS["Accept-Language"],
}


@dataclass(frozen=True)
class WrkRun:
    """One run of wrk against one server."""

    requests: int
    #: Server CPU seconds during the run.
    cpu: float
    errors: int

    @property
    def microseconds(self) -> float:
        """Server CPU per request."""
        return self.cpu / self.requests * 1e6


def request(path: str, method: str = "GET", body: str = "", **fields: str) -> str:
    """A whole request as a browser sends it; *fields* replace or add (underscores become dashes)."""
    merged = {**BROWSER_FIELDS, **{name.replace("_", "-"): value for name, value in fields.items()}}
    if body:
        merged["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in merged.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n{body}"


def question(path: str) -> str:
    """A question of the smart client's worker, as a browser sends it."""
    return _get(path, QUESTION_FIELDS)


def look(etag: str) -> str:
    """A browser's look whether there is another worker than that with the *etag*."""
    return _get("/sw.js", {**LOOK_FIELDS, "If-None-Match": etag})


def _get(path: str, fields: dict[str, str]) -> str:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n"


def wrk(server: Server, text: str, seconds: float, connections: int = 64, pipeline: int = 1) -> WrkRun:
    """Sends *text* over and over on *connections* connections, *pipeline* of them at once.

    *seconds*: whole ones, for wrk knows no others; a part is one more.
    """
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is not installed: the benchmarks need it (apt-get install wrk)")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
    script = f'local text = string.rep("{quoted}", {pipeline})\nrequest = function() return text end\n'
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = [
            "taskset", "-c", str(SERVER_CORE + 1), program, "-t1", f"-c{connections}",
            f"-d{math.ceil(seconds)}s", "-s", file.name, server.url,
        ]  # fmt: skip
        before = server.cpu_seconds()
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        cpu, output = server.cpu_seconds() - before, run.stdout
    requests = re.search(r"(\d+) requests in", output)
    if run.returncode or requests is None or not int(requests[1]):
        raise SystemExit(f"wrk got no answers from {server.name}:\n{output}{run.stderr}")
    errors = sum(int(number) for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", output))
    unexpected = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return WrkRun(int(requests[1]), cpu, errors + (int(unexpected[1]) if unexpected else 0))


def site(directory: Path) -> Path:
    """The files that both servers serve: small.html and ten.html, whose gzip form is 10 KiB."""
    import gzip
    import random

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "small.html").write_text("<!doctype html><title>small</title><p>hello</p>\n" * 20)
    words = random.Random(1)
    text = ""
    while len(gzip.compress(text.encode(), 9)) < 10 * 1024:
        text += " ".join(f"{words.getrandbits(40):x}" for _ in range(40)) + "<br>\n"
    (directory / "ten.html").write_text(text)
    for name in ("small.html", "ten.html"):
        (directory / f"{name}.gz").write_bytes(gzip.compress((directory / name).read_bytes(), 9, mtime=0))
    for number in range(50):
        (directory / f"asset-{number}.css").write_text(f".asset{number} {{ color: #{number:06x} }}\n" * 10)
    return directory
