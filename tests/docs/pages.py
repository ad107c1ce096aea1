"""The documents as files, and as the site that is made of them."""

from __future__ import annotations

import html
import re
import sys
from functools import cache
from pathlib import Path

from tests import processes

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def sources() -> list[Path]:
    """All pages, and the documents beside the README."""
    pages = [path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts]
    return [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")), *pages]


@cache
def site() -> Path:
    """The folder of the built site; what ``make docs`` has built already is not built again."""
    build = DOCS / "_build"
    command = [sys.executable, "-m", "sphinx", "--quiet", "--doctree-dir", str(build / "doctrees")]
    done = processes.run(
        [*command, str(DOCS), str(build / "html")], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return build / "html"


@cache
def article(page: str) -> str:
    """The text of a page, like ``reference/options``, as it is read."""
    text = (site() / f"{page}.html").read_text("utf-8")
    body = text[text.index("<article") : text.index("</article")]
    return html.unescape(re.sub(r"<[^>]+>", "", body))
