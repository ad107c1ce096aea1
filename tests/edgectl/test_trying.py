"""``edgectl try``: what it says is what a node does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.edgectl.main import main
from tests.commands import run_command
from tests.end_to_end.node import RunningNode

_CONFIGURATION = """
clean-urls = true
fallback = "/index.html"
listing = ["/pub/**"]

[[redirect]]
from = "/old/:year/*"
to = "/new/:year/:splat"
status = 301

[[redirect]]
from = "/x"
to = "/about"

[[redirect]]
from = "/gone"
status = 410

[[rewrite]]
from = "/docs/*"
to = "/pub/:splat"

[[header]]
path = "/about"
set = { X-A = "1" }

[[app]]
at = "/api"
to = "http://127.0.0.1:1"
"""
_FILES = {"index.html": b"index", "about.html": b"about\n" * 200, "pub/a.txt": b"a" * 2000, "b|c.html": b"b"}
_FILES |= {"_redirects": b"/moved /about 301\n/blog/:n/* /pub/:splat 302\n"}
_FILES |= {"_headers": b"/pub/*\n  X-B: 2\n"}
#: Addresses, with a field of the request, and what has to stand in the steps.
_TRIED = (
    ("/", "Accept: */*", "file"),
    ("/about", "Accept-Encoding: zstd", "[[header]] path = '/about'"),
    ("/about.html", "Accept: */*", "clean-urls"),
    ("/old/1/b", "Accept: */*", "[[redirect]] number 1"),
    ("/x", "Accept: */*", "[[redirect]] number 2"),
    ("/gone", "Accept: */*", "[[redirect]] number 3"),
    ("/moved", "Accept: */*", "_redirects line 1"),
    ("/blog/7/a", "Accept: */*", "_redirects line 2"),
    ("/pub/a.txt", "Accept: */*", "_headers: path = '/pub/**'"),
    ("/docs/a.txt", "Accept: */*", "[[rewrite]] number 1"),
    ("/pub/", "Accept: */*", "file"),
    ("/pub", "Accept: */*", "folder"),
    ("/nothing", "Accept: text/html", "fallback"),
    ("/none.js", "Accept: */*", "nothing is there"),
    ("//about", "Accept: */*", "merge-slashes"),
    ("/a/../b", "Accept: */*", "other programs"),
    ("/b|c", "Accept: */*", "/b%7Cc"),
    ("/.edge/none", "Accept: */*", "nothing is there"),
)


class TryTests(SynchronousTestCase):
    def configure(self, folder: Path) -> Path:
        """The configuration and the files of these tests in *folder*."""
        for name, body in _FILES.items():
            path = folder / "site" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        file = folder / "edge.toml"
        file.write_text(f'webroot = "site"\n{_CONFIGURATION}')
        return file

    def tried(self, *arguments: str) -> dict[str, Any]:
        """The JSON of ``edgectl try``."""
        code, out, err = run_command(main, "--json", *arguments)
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)  # type: ignore[no-any-return]

    def test_what_it_says_of_a_configuration_and_of_a_node_is_what_the_node_does(self) -> None:
        """Status, Location, fields and sizes; and the steps name the rule."""
        node = RunningNode(workers=1)
        self.addCleanup(node.clean_up)
        file = self.configure(node.directory)
        node.options += ["--config", str(file)]
        node.has_webroot = False
        node.start()
        for target, field, step in _TRIED:
            name, _, value = field.partition(": ")
            status, fields, body = node.ask(target, {name: value})
            for way in (["--config", str(file)], None):
                whom = [] if way else ["--state-dir", str(node.state)]
                found = self.tried(*whom, "try", target, "--header", field, *(way or []))
                says = " ".join(f"{one['what']} {one['says']}" for one in found["steps"])
                self.assertIn(step, says, (target, way))
                self.assertEqual(found["status"], status, (target, way, says))
                if status in (301, 302, 308):
                    self.assertIn(f"Location: {fields['Location']}", found["fields"], target)
                if found["bytes"]["body"] is not None and way is None:
                    self.assertEqual(found["bytes"]["body"], len(body), target)
                    self.assertTrue(all(one.partition(": ")[0] in fields for one in found["fields"]), target)

    def test_an_application_answers_what_no_file_does(self) -> None:
        folder = Path(os.path.abspath(self.mktemp()))
        file = self.configure(folder)
        found = self.tried("try", "/api/users", "--config", str(file))
        self.assertIn("api, at /api", found["steps"][-1]["says"])
        file.write_text('traces = "http://127.0.0.1:4318"\n' + file.read_text())
        found = self.tried("try", "/api/users", "--config", str(file))
        self.assertIn("goes through Python while traces are made", found["steps"][-1]["says"])

    def test_sites_are_told_apart_by_host(self) -> None:
        folder = Path(os.path.abspath(self.mktemp()))
        self.configure(folder)
        file = folder / "sites.toml"
        file.write_text('[[site]]\nhosts = ["a.example"]\nwebroot = "site"\n')
        self.assertEqual(
            self.tried("try", "http://A.example:80/about.html", "--config", str(file))["status"], 200
        )
        self.assertEqual(self.tried("try", "http://b.example/", "--config", str(file))["status"], 421)

    def test_who_may_is_said_before_what_there_is(self) -> None:
        folder = Path(os.path.abspath(self.mktemp()))
        file = self.configure(folder)
        (folder / "users").write_text("a:$2b$04$Yx.DbfthNUgrq.svXWvwfOoNxLNu.bAgNpXhH4h2R4ZgDqt.A89ey\n")
        rules = '[[auth]]\npath = "/about"\nusers = "users"\nrealm = "r"\n'
        rules += '[[access]]\npath = "/b*"\nallow = ["10.0.0.0/8"]\ndeny = ["0.0.0.0/0"]\n'
        rules += '[[rate]]\npath = "/b*"\nrequests = 7\nper = "minute"\nburst = 3\n'
        file.write_text(file.read_text() + rules)
        for arguments, status, step in (
            (["/about"], 401, "[[auth]] path = '/about'"),
            (["/about", "--header", "Authorization: Basic x"], 200, "taken for right"),
            (["/b|c", "--address", "192.0.2.1"], 403, "[[access]] path = '/b*': 192.0.2.1 may not"),
            (["/b|c", "--address", "10.1.2.3"], 200, "10.1.2.3 may"),
            (["/b|c"], 200, "7 a minute from one address"),
        ):
            found = self.tried("try", *arguments, "--config", str(file))
            self.assertEqual(found["status"], status, arguments)
            self.assertIn(step, " ".join(one["says"] for one in found["steps"]))

    def test_what_is_no_address_is_refused_in_words(self) -> None:
        file = self.configure(Path(os.path.abspath(self.mktemp())))
        for arguments, word in (
            (["try", "ftp://a/b"], "give a URL"),
            (["try", "/\u00e9"], "than ASCII"),
            (["try", "/", "--header", "nonsense"], "NAME: VALUE"),
            (["try", "http://[::1/"], "is no address"),
            (["try", "/", "--address", "here"], "in numbers"),
        ):
            code, _, err = run_command(main, *arguments, "--config", str(file))
            self.assertEqual(code, 1)
            self.assertIn(word, err)
        code, _, err = run_command(main, "try", "/", "--config", str(file.with_name("none.toml")))
        self.assertEqual(code, 1)
        self.assertIn("cannot be read", err)


class ConvertTests(SynchronousTestCase):
    def test_toml_goes_to_standard_output_and_remarks_to_standard_error(self) -> None:
        file = Path(os.path.abspath(self.mktemp()))
        file.write_text("server {\n root /srv;\n lua_code_cache on;\n}\n")
        code, out, err = run_command(main, "convert", str(file))
        self.assertEqual((code, "webroot" in out), (1, True))
        self.assertEqual(err, f"{file}:3: lua_code_cache on: there is nothing here that does this\n")
        code, out, err = run_command(main, "--json", "convert", str(file), "--from", "nginx")
        self.assertEqual((code, err), (1, ""))
        self.assertEqual(json.loads(out)["remarks"][0]["line"], 3)
        file.write_text("server { root /srv; }\n")
        self.assertEqual(run_command(main, "convert", str(file))[::2], (0, ""))
        file.write_text("server {")
        code, out, err = run_command(main, "convert", str(file))
        self.assertEqual((code, out), (1, ""))
        self.assertIn("edgectl: ", err)
