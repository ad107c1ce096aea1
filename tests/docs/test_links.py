"""What the documents name exists: links in the repository's own view, and paths of files.

Sphinx checks the links of the site; here they are followed from file to file, as one follows them in the
repository.  Parts that are made from the code are not in the files, so their anchors are not looked for.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from docs._ext.generated import MARKER
from tests.docs.pages import ROOT, sources

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CONTENTS = re.compile(r"^```\{toctree\}$(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
#: A path with a folder, in backticks.
_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")
#: A source file alone.
_FILE = re.compile(r"`([\w-]+\.(?:py|c|h|js))`")
_SKIPPED = {".git", ".venv", "node_modules", "_build", "build", "__pycache__", ".staging"}


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    """Those of the headings of *path*."""
    return {anchor(text) for text in _HEADING.findall(_FENCE.sub("", path.read_text("utf-8")))}


class LinkTests(SynchronousTestCase):
    """Followed from file to file."""

    def test_every_relative_link_leads_somewhere(self) -> None:
        wrong = []
        for page in sources():
            text = _FENCE.sub("", page.read_text("utf-8"))
            for target in _LINK.findall(text):
                if re.match(r"[a-z]+:", target):
                    continue
                name, _, fragment = target.partition("#")
                path = (page.parent / name).resolve() if name else page
                if not path.exists():
                    wrong.append(f"{page.relative_to(ROOT)}: {target}")
                elif fragment and not MARKER.search(path.read_text()) and fragment not in anchors(path):
                    wrong.append(f"{page.relative_to(ROOT)}: {target}: no such heading")
        self.assertEqual(wrong, [])

    def test_every_page_is_reached_from_the_first(self) -> None:
        """By the tables of contents, as the site's navigation shows them."""
        reached, ahead = set(), [ROOT / "docs" / "index.md"]
        while ahead:
            page = ahead.pop()
            reached.add(page)
            for block in re.findall(
                r"^```\{toctree\}$(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
            ):
                names = [line for line in block.split("\n") if line and not line.startswith(":")]
                ahead += [(page.parent / f"{name}.md").resolve() for name in names]
        self.assertEqual({page for page in sources() if ROOT / "docs" in page.parents} - reached, set())


class PathTests(SynchronousTestCase):
    """Files and folders that are named in backticks."""

    def setUp(self) -> None:
        self.names: set[str] = set()
        for folder, folders, files in os.walk(ROOT):
            folders[:] = [name for name in folders if name not in _SKIPPED]
            self.names.update(os.path.relpath(os.path.join(folder, name), ROOT) for name in files + folders)

    def test_every_path_of_the_repository_exists(self) -> None:
        """Of the repository: it begins with one of its folders; those of the smart client, within webroot."""
        tops = {name for name in self.names if "/" not in name and (ROOT / name).is_dir()}
        wrong = [
            f"{page.relative_to(ROOT)}: {path}"
            for page in sources()
            for path in _PATH.findall(page.read_text("utf-8"))
            if path.split("/")[0] in tops
            and "_build" not in path
            and path.rstrip("/") not in self.names
            and f"webroot/{path.rstrip('/')}" not in self.names
        ]
        self.assertEqual(wrong, [])

    def test_every_source_file_exists_somewhere(self) -> None:
        files = {name.rpartition("/")[2] for name in self.names}
        wrong = [
            f"{page.relative_to(ROOT)}: {name}"
            for page in sources()
            for name in _FILE.findall(page.read_text("utf-8"))
            if name not in files
        ]
        self.assertEqual(wrong, [])
