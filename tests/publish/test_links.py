"""Links on the way to a file."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from edge.publish.links import MOST, links_on_the_way


class LinksOnTheWayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = os.path.realpath(self.mktemp())
        os.makedirs(self.root + "/d")

    def found(self, name: str) -> list[str]:
        return [os.path.join(*one)[len(self.root) :] for one in links_on_the_way(self.root + name)]

    def test_each_link_is_found_in_its_directory_as_the_kernel_passes_them(self) -> None:
        os.symlink("../v/1", self.root + "/d/latest")
        os.symlink("./d//latest/.", self.root + "/current")
        os.makedirs(self.root + "/v/1")
        os.symlink(self.root + "/current", self.root + "/v/1/around")
        for name, found in (
            ("/d", []),
            ("/current/index.html", ["/current", "/d/latest"]),
            ("/v/1/around/x", ["/v/1/around", "/current", "/d/latest"]),
            ("/d/../current", ["/current", "/d/latest"]),
        ):
            self.assertEqual(self.found(name), found, name)

    def test_what_does_not_exist_ends_nothing_and_circles_end(self) -> None:
        os.symlink("gone/on", self.root + "/dangling")
        os.symlink("circle", self.root + "/circle")
        self.assertEqual(self.found("/none/at/all"), [])
        self.assertEqual(self.found("/dangling"), ["/dangling"])
        self.assertEqual(self.found("/circle"), ["/circle"] * MOST)
