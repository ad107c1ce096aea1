"""The demonstration in the staging cluster: its files, its data, and what the button "publish a change" does.

::

    .staging/site/             the files of demonstration/webroot/, copied: a change touches no checkout
    .staging/demonstration/    its data, writable for its processes
    .staging/token             of the buttons (ops/controls.py)
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
from pathlib import Path

from ops.controls import token_of

#: What of ``demonstration/`` is files of the site.
WEBROOT = Path(__file__).resolve().parents[1] / "demonstration" / "webroot"
#: What nodes run.
CONFIGURATION = WEBROOT.parent / "edge.toml"
#: The file that is published anew, and the hues that it takes in turn (degrees, of OKLCH).
COLOURS = "site/colours.css"
HUES = (195, 265, 335, 30, 130)


class Demonstration:
    """Files, data and buttons of the demonstration, under one folder."""

    def __init__(self, folder: Path, controls_url: str, webroot: Path = WEBROOT) -> None:
        """*folder*: of the staging cluster; *controls_url*: where the buttons lead."""
        self.site = folder / "site"
        self.data = folder / "demonstration"
        self.token = token_of(folder / "token")
        #: Whether it answers free-form GraphQL.
        self.development = False
        self._controls_url = controls_url
        self._webroot = webroot

    @property
    def environment(self) -> dict[str, str]:
        """Variables that its processes, on all nodes, find things by."""
        buttons = {"url": self._controls_url, "token": self.token}
        own = f"sqlite:{self.data.absolute() / 'demonstration.sqlite'}"
        return {
            "DEMONSTRATION_DATA": os.environ.get("DEMONSTRATION_DATA") or own,
            "DEMONSTRATION_DEV": "1" if self.development else os.environ.get("DEMONSTRATION_DEV", ""),
            "EDGE_STAGING": json.dumps(buttons, separators=(",", ":")),
        }

    def prepare(self) -> None:
        """Copy the files, and make a folder for the data that belongs to those who write there."""
        shutil.rmtree(self.site, ignore_errors=True)
        shutil.copytree(self._webroot, self.site)
        self.data.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:  # workers and applications have given up root
            nobody = pwd.getpwnam("nobody")
            for path in (self.data, *self.data.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)

    def publish(self) -> str:
        """Publish a change: another colour; what was done, as a sentence."""
        file = self.site / COLOURS
        text = file.read_text("utf-8")
        found = re.search(r"--hue: (\d+)", text)
        now = int(found[1]) if found else HUES[-1]
        hue = HUES[(HUES.index(now) + 1) % len(HUES)] if now in HUES else HUES[0]
        new = re.sub(r"--hue: \d+", f"--hue: {hue}", text)
        temporary = file.with_suffix(".new")
        temporary.write_text(new, "utf-8")
        temporary.replace(file)
        size = len(new.encode())
        return f"n1 has a new /{COLOURS} of {size} bytes. Watch the colours: no page is loaded again."
