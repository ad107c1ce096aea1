"""Resources of an application, and who may change something through them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from edge.errors import ConfigError
from edge.node.resources.mount_check import mount_problems
from edge.node.resources.mounts import Guarded, Mount, open_mount, parse_mount
from tests.end_to_end.favourites import Favourites
from tests.node.serving import Answer, Connection


class Counting(Resource):
    """Counts what reaches it; has children."""

    def __init__(self) -> None:
        super().__init__()
        self.reached: list[bytes] = []

    def getChild(self, path: bytes, request: Any) -> Resource:
        return self

    def render(self, request: Any) -> bytes:
        self.reached.append(request.method)
        return b"done"


class MountTests(SynchronousTestCase):
    """Parsing and opening."""

    def test_what_a_mount_is(self) -> None:
        self.assertEqual(parse_mount("/a=b.c:D"), Mount("a", "b.c", "D", None))
        self.assertEqual(parse_mount("/a=b:D:/x:y z"), Mount("a", "b", "D", "/x:y z"))
        for bad in ("a=b:c", "/a/b=c:d", "/a=b", "/=b:c"):
            with self.assertRaises(ConfigError):
                parse_mount(bad)

    def test_what_cannot_be_opened_is_explained(self) -> None:
        for text, why in (
            ("/a=no_such_module:x", "cannot be imported"),
            ("/a=json:nothing", "json has no nothing"),
            ("/a=json:dumps", "dumps failed"),
            ("/a=json:dumps:x", "no twisted.web resource, but str"),
        ):
            with self.assertRaises(ConfigError) as caught:
                open_mount(parse_mount(text))
            self.assertIn(why, str(caught.exception))


class MountCheckTests(SynchronousTestCase):
    """:mod:`edge.node.resources.mount_check`, in real processes."""

    def test_each_mount_that_cannot_be_opened_is_named_and_nothing_is_imported_here(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "broken_application.py").write_text("print('mine'); import no_such_thing\n")
        (folder / "ending_application.py").write_text("raise SystemExit(3)\n")
        self.patch(sys, "path", [*sys.path, str(folder)])
        self.assertEqual(mount_problems(()), [])
        self.assertEqual(mount_problems(("/a=twisted.web.resource:Resource",)), [])
        (problem,) = mount_problems(("/a=twisted.web.resource:Resource", "/b=broken_application:Application"))
        self.assertIn("mount /b: broken_application cannot be imported: No module named", problem)
        self.assertNotIn("broken_application", sys.modules)
        (problem,) = mount_problems(("/c=ending_application:Application",))
        self.assertIn("/c=ending_application", problem)


class GuardedTests(SynchronousTestCase):
    """Requests that change something."""

    def ask(self, method: str, *lines: str, path: str = "/app/x", host: str = "127.0.0.1:80") -> Answer:
        self.inner = Counting()
        root = Resource()
        root.putChild(b"app", Guarded(self.inner, (b"http://friend",)))
        connection = Connection(root)
        connection.send("\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode())
        connection.turn()
        [answer] = connection.answers()
        return answer

    def test_pages_of_other_sites_change_nothing(self) -> None:
        for path in ("/app", "/app/x"):
            for lines in (
                ["Origin: http://evil"],
                ["Origin: null"],
                ["Origin: https://127.0.0.1:80"],
                ["Sec-Fetch-Site: cross-site"],
                ["Sec-Fetch-Site: same-site"],
            ):
                self.assertEqual(self.ask("DELETE", *lines, path=path).status, 403, lines)
                self.assertEqual(self.inner.reached, [])

    def test_everybody_else_may(self) -> None:
        for lines in (
            [],
            ["Origin: http://127.0.0.1:80", "Sec-Fetch-Site: same-origin"],
            ["Origin: http://friend", "Sec-Fetch-Site: cross-site"],
            ["Sec-Fetch-Site: none"],
        ):
            self.assertEqual(self.ask("DELETE", *lines).status, 200, lines)
            self.assertEqual(self.inner.reached, [b"DELETE"])

    def test_a_page_whose_name_was_led_to_our_address_changes_nothing(self) -> None:
        lines = ("Origin: http://evil.example", "Sec-Fetch-Site: same-origin")
        self.assertEqual(self.ask("POST", *lines, host="evil.example").status, 403)
        lines = ("Origin: http://friend", "Sec-Fetch-Site: same-origin")
        self.assertEqual(self.ask("POST", *lines, host="friend").status, 200)

    def test_reading_is_for_everybody(self) -> None:
        self.assertEqual(self.ask("GET", "Origin: http://evil", "Sec-Fetch-Site: cross-site").status, 200)


class FavouritesTests(SynchronousTestCase):
    """The service of the Unicode pages, without its threads."""

    def setUp(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        self.service = Favourites(os.path.join(folder, "f.sqlite"))

    def test_the_same_key_changes_nothing_twice(self) -> None:
        change = self.service.change
        self.assertEqual(change("v", "41", True, "key"), {"favourite": True})
        self.assertEqual(change("v", "41", False, None), {"favourite": False})
        self.assertEqual(change("v", "41", True, "key"), {"favourite": True, "repeated": True})
        self.assertEqual(self.service.favourites_of("v"), {"codes": []})
        change("v", "42", True, "other")
        change("w", "43", True, None)
        self.assertEqual(self.service.favourites_of("v"), {"codes": ["42"]})

    def test_bad_requests_are_explained(self) -> None:
        root = Resource()
        root.putChild(b"favourites", self.service)
        for body in (b"", b"{}", b'{"visitor":"v","code":"110000","favourite":true}', b'{"visitor":"/"}'):
            connection = Connection(root)
            head = b"POST /favourites HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            connection.send(head + body)
            connection.turn()
            [answer] = connection.answers()
            self.assertEqual(answer.status, 400, body)
            self.assertIn("error", json.loads(answer.body))
