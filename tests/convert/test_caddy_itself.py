"""The account of Caddy that the converter is held against (``caddy_model.py``), beside Debian's Caddy."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import unittest
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from tests import processes
from tests.convert.caddy_model import Directive, answer
from tests.convert.test_caddy_closed import ADDRESSES, PATHS, sites, text_of
from tests.end_to_end.cluster import free_port

#: Words of the sites, as Caddy has them that runs here: visitors come from loopback addresses, and no
#: application answers.
_HERE = {
    "10.0.0.0/8": "127.10.0.0/16",
    "10.1.0.0/16": "127.10.1.0/24",
    "192.0.2.0/24": "127.20.0.0/24",
    "localhost:1": "127.0.0.1:1",
    "https://up": "https://127.0.0.1:1",
    "auth:1": "127.0.0.1:1 {\n\turi /verify\n}",
    "https://{x}/": "https://x{path}/",
    "expression {query.k}": "expression {query.k} == 'z'",
    # Of version 2.6, which Debian has; later ones take it, too.
    "basic_auth": "basicauth",
}
_FROM = {"192.0.2.1": "127.20.0.1", "10.0.0.1": "127.10.0.1", "10.1.0.1": "127.10.1.1"}
#: bcrypt of a password, in base64 as Debian's version wants it.
_USER = "{\n\tann JDJhJDE0JHJTWEx4NmNPYnBOVXNFOFJWY1ZkNy5tZlFWSGZDcEJTaGN1RTQuVnB4OXpEWEdMeE1uQkNT\n}"


@unittest.skipUnless(shutil.which("caddy"), "Caddy is not installed: apt-get install caddy")
class CaddyTests(SynchronousTestCase):
    """One process, which is given one Caddyfile after the other."""

    def setUp(self) -> None:
        self.folder = Path(os.path.abspath(self.mktemp()))
        self.root = self.folder / "root"
        for path in (*PATHS, "/a/index.html", "/a/b/index.html"):  # /a and /a/b are folders
            file = self.root / path.lstrip("/")
            if path not in ("/a", "/a/b"):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("a file")
        self.port, self.admin = free_port(), free_port()
        self.begin = f"{{\n\tadmin localhost:{self.admin}\n\tauto_https off\n}}\n"
        (self.folder / "Caddyfile").write_text(self.begin)
        homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(self.folder))
        with (self.folder / "log").open("wb") as log:
            self.caddy = processes.start(
                ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
                cwd=self.folder, env={**os.environ, **homes}, stdout=log, stderr=log,
            )  # fmt: skip
        self.addCleanup(self._stop)
        until = time.monotonic() + processes.PATIENCE
        while not self._is_there():
            self.assertLess(time.monotonic(), until, (self.folder / "log").read_text())
            time.sleep(0.05)

    def _stop(self) -> None:
        self.caddy.terminate()
        self.caddy.wait(processes.PATIENCE)

    def _is_there(self) -> bool:
        with contextlib.suppress(OSError), contextlib.closing(HTTPConnection("localhost", self.admin)) as one:
            one.connect()
            return True
        return False

    def _load(self, site: tuple[Directive, ...]) -> None:
        text = (
            text_of(site).replace(":80 {", f":{self.port} {{").replace("root * /srv", f"root * {self.root}")
        )
        for word, here in _HERE.items():
            text = text.replace(word, here)
        text = re.sub(r"(basicauth(?: \S+)? bcrypt)", rf"\1 {_USER}", text)
        with contextlib.closing(HTTPConnection("localhost", self.admin, timeout=processes.PATIENCE)) as one:
            one.request("POST", "/load", self.begin + text, {"Content-Type": "text/caddyfile"})
            reply = one.getresponse()
            self.assertEqual(reply.status, 200, f"{reply.read()!r}\n{text}")

    def _shows(self, path: str, address: str) -> bool:
        """Whether Caddy answers with the file, or leads to it."""
        source = (_FROM[address], 0)
        with contextlib.closing(
            HTTPConnection("127.0.0.1", self.port, timeout=processes.PATIENCE, source_address=source)
        ) as one:
            one.request("GET", path)
            try:
                reply = one.getresponse()
            except (RemoteDisconnected, ConnectionError):  # abort
                return False
            return reply.status == 308 or (reply.status == 200 and reply.read() == b"a file")

    @settings(max_examples=int(os.environ.get("EDGE_CADDY_SITES", "40")), deadline=None)
    @given(sites())
    def test_caddy_shows_what_the_account_of_it_says(self, site: tuple[Directive, ...]) -> None:
        self._load(site)
        for path in PATHS:
            for address in ADDRESSES:
                told = answer(site, path, address) == "file"
                self.assertEqual(self._shows(path, address), told, f"{path} from {address}\n{text_of(site)}")
