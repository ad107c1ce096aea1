"""The article's page: the head of a streamed page, what a first visit weighs, rendering, and patching.

``article-patch`` runs ``patching/measure.js``: 1,000 rows in Chromium, ours beside lit, preact and
idiomorph, which npm installs in that folder for it.  ``article-visit`` runs a node with the
demonstration's components, and queries that take 200 ms; ``article-rendering`` renders beside Jinja2.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import brotlicffi

from benchmarks import scripts, servers
from benchmarks.rows import Place, Row
from edge.app.rendering import Components
from tools.system import NPM_CI

ROOT = Path(__file__).resolve().parents[1]
_PATCHING = ROOT / "benchmarks" / "patching"
#: Milliseconds that each query takes.
QUERY_MS = 200
#: What browsers accept.
_FIELDS = "Host: localhost\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
_RESOURCE = re.compile(r'(?:href|src)="(/[^"]+\.(?:css|js|svg))"')
_IMPORT = re.compile(r"""\b(?:from|import)\s*\(?["']([./][^"']+\.js)["']""")

_APPLICATION = """
import asyncio
from demonstration import pages
from edge.app.rendering import Components

components = Components({webroot!r})
glyph = {{"code": "41", "name": "LATIN CAPITAL LETTER A", "glyph": "A", "votes": 7}}
DATA = {{
    "Ranking": {{"ranking": [{{**glyph, "code": f"{{code:x}}"}} for code in range(8)]}},
    "Recent": {{"recent": [{{"id": n, "text": "said", "at": 1e9, "character": glyph}} for n in range(5)]}},
    "Blocks": {{"blocks": [dict(slug=f"b{{n}}", name="Latin", count=95, sample="A") for n in range(24)]}},
}}


async def ask(name, variables):
    await asyncio.sleep({seconds})
    return DATA[name]


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({{"type": event["type"] + ".complete"}})
            if event["type"] == "lifespan.shutdown":
                return
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
    stream = components.page(pages.entry(), ask, {{name: f"sha256:{{name}}" for name in [*DATA, "Vote"]}})
    await send({{"type": "http.response.start", "status": 200, "headers": headers}})
    async for piece in stream:
        await send({{"type": "http.response.body", "body": piece, "more_body": True}})
    await send({{"type": "http.response.body", "body": b""}})
"""


def visit(place: Place) -> list[Row]:
    """A first visit, with a query of 200 ms behind it."""
    folder = place.directory / "application"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    webroot = ROOT / "demonstration" / "webroot"
    (folder / "bench_article.py").write_text(
        _APPLICATION.format(webroot=str(webroot), seconds=QUERY_MS / 1000)
    )
    config = place.directory / "edge.toml"
    config.write_text(
        f'[[app]]\nat = "/"\nrun = "bench_article:app"\nfolder = "{folder}"\n'
        f'environment = {{ PYTHONPATH = "{ROOT}" }}\n'
    )
    with servers.edge(
        webroot, place.directory / "edge", "native", "--config", str(config), ready="/"
    ) as node:
        asked = [_first_visit(node) for _ in range(place.some(5, 50))]
        weight = _weight(node)
    heads, wholes = zip(*asked, strict=True)
    head, whole = statistics.median(heads), statistics.median(wholes)
    return [
        Row(
            f"first visit, a query of {QUERY_MS} ms behind it: head", f"{head:.1f} ms", "",
            f"all {whole:.0f} ms, least {min(heads):.1f}", "<= 5 ms", head <= 5,
        ),
        Row(
            "page and all that it names, with heads", f"{weight / 1000:.1f} kB", "", "on the wire",
            "<= 100 kB", weight <= 100_000,
        ),
    ]  # fmt: skip


def _first_visit(node: servers.Server) -> tuple[float, float]:
    """Milliseconds from the request to the end of the head, and to the end of the page."""
    with node.connect() as connection:
        begun = time.perf_counter()
        connection.sendall(f"GET / HTTP/1.1\r\n{_FIELDS}Connection: close\r\n\r\n".encode())
        answer, head = b"", 0.0
        while data := connection.recv(1 << 16):
            answer += data
            if not head and b"</head>" in _decoded(answer):
                head = time.perf_counter() - begun
    assert b"</html>" in _decoded(answer), answer[:500]
    return head * 1000, (time.perf_counter() - begun) * 1000


def _decoded(answer: bytes) -> bytes:
    """The body as far as it is there."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        body = _joined(body)
    if b"content-encoding: br" in head.lower():
        return bytes(brotlicffi.Decompressor().decompress(body))
    return body


def _joined(body: bytes) -> bytes:
    pieces = []
    while b"\r\n" in body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        pieces.append(rest[:length])
        body = rest[length + 2 :]
        if not length:
            break
    return b"".join(pieces)


def _weight(node: servers.Server) -> int:
    """Bytes of the page, of what it names, of what that imports, and of the worker."""
    waiting, seen, total = ["/", "/sw.js"], {"/", "/sw.js"}, 0
    while waiting:
        path = waiting.pop()
        with node.connect() as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\n{_FIELDS}Connection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        total += len(answer)
        text = _decoded(answer).decode("utf-8", "replace")
        named = (
            _RESOURCE.findall(text) if path == "/" else _IMPORT.findall(text) if path[-3:] == ".js" else []
        )
        for one in named:
            absolute = one if one.startswith("/") else os.path.normpath(f"{os.path.dirname(path)}/{one}")
            if absolute not in seen:
                seen.add(absolute)
                waiting.append(absolute)
    return total


def rendering(place: Place) -> list[Row]:
    """Thirty rows rendered by QuickJS, and by Jinja2."""
    try:
        from jinja2 import Environment
    except ImportError:
        return []
    folder = place.directory / "components"
    folder.mkdir(parents=True)
    (folder / "rows.js").write_text(
        'import { html, keyed } from "/edge/page/html.js";\n'
        "const row = ({ id, name }) => keyed(id, html`\n"
        '  <li class="row"><a href="/character/${id}">${name}</a></li>`);\n'
        "export const render = ({ rows }) => html`<ol>${rows.map(row)}</ol>`;\n"
    )
    template = Environment(autoescape=True).from_string(
        '<ol data-key="rows">{% for row in rows %}<li data-key="{{ row.id }}" class="row">'
        '<a href="/character/{{ row.id }}">{{ row.name }}</a></li>{% endfor %}</ol>'
    )
    props = {"rows": [{"id": number, "name": f"LATIN & <LETTER> {number}"} for number in range(30)]}
    components = Components(place.directory)
    kinds: dict[str, Callable[[], str]] = {
        "QuickJS": lambda: components.render_now("rows", props),
        "Jinja2": lambda: template.render(props),
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    try:
        assert components.render_now("rows", props).count("<li") == template.render(props).count("<li")
        for _ in range(place.some(100, 2000)):
            for name, work in kinds.items():
                begun = time.perf_counter()
                work()
                times[name].append((time.perf_counter() - begun) * 1000)
    finally:
        components.close()
    ours, theirs = (statistics.median(times[name]) for name in ("QuickJS", "Jinja2"))
    return [
        Row(
            "thirty rows rendered on the server",
            f"{ours:.2f} ms",
            f"Jinja2 {theirs:.2f} ms",
            f"{ours / theirs:.1f} x",
            "<= 4 x",
            ours <= 4 * theirs,
        )
    ]


def patching(place: Place) -> list[Row]:
    """1,000 rows changed in Chromium, beside three others."""
    if not (_PATCHING / "node_modules").is_dir():
        subprocess.run(NPM_CI, cwd=_PATCHING, check=True)
    found = scripts.result_of(str(_PATCHING / "measure.js"), str(place.some(5, 31)))
    wrong = [
        f"{kind}, {change}"
        for kind, all_ in found.items()
        for change, one in all_.items()
        if not one["right"]
    ]
    rows = []
    for change, what, factor in (
        ("tenth", "1,000 rows, every tenth changed", 1),
        ("reversed", "1,000 rows, reversed", 2),
        ("first", "1,000 rows, the first becomes the last", 2),
    ):
        for kind in ("edge, components", "edge, one component"):
            ours, preact = found[kind][change]["wall"], found["preact"][change]["wall"]
            others = ", ".join(
                f"{name} {found[name][change]['wall']:.1f}" for name in ("lit", "preact", "idiomorph")
            )
            good = ours <= factor * preact and not wrong
            rows.append(
                Row(
                    f"{what} ({kind[6:]})",
                    f"{ours:.1f} ms",
                    others,
                    f"{ours / preact:.2f} x preact",
                    f"<= {factor} x",
                    good,
                )
            )
    held = max(
        found[kind][change]["held"]
        for kind in ("edge, components", "edge, one component")
        for change in ("tenth", "reversed")
    )
    rows.append(
        Row(
            "the longest that others wait meanwhile",
            f"{held:.1f} ms",
            "",
            "tenth, reversed",
            "<= 8 ms",
            held <= 8,
        )
    )
    return rows


FORMS = {"article-patch": patching, "article-visit": visit, "article-rendering": rendering}
