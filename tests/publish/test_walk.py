from __future__ import annotations

import os
import socket

from edge.errors import PublishError
from edge.publish.problems import Kind, printable
from edge.publish.settings import PublishSettings
from edge.publish.walk import MAX_LINKS, SourceFile, Tree, open_file
from edge.publish.webroot import open_tree
from tests.publish.site import SiteTestCase


class WalkTestCase(SiteTestCase):
    def walk(self, **options: object) -> dict[str, SourceFile]:
        """All files by name."""
        with Tree(self.root, **options) as tree:  # type: ignore[arg-type]
            return {f.name: f for folder in tree.walk(self.problems.append) for f in folder.files.values()}

    def read(self, file: SourceFile, **options: object) -> bytes:
        """The contents of one file, opened as a scan does."""
        with Tree(self.root, **options) as tree:  # type: ignore[arg-type]
            directory = tree.open_directory(file.directory)
            try:
                with open(os.open(file.file, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory), "rb") as opened:
                    return opened.read()
            finally:
                os.close(directory)


class Names(WalkTestCase):
    def test_files_of_all_directories_are_found_under_their_paths(self) -> None:
        for name in ("index.html", "a/b.css", "a/c/d.js", "b"):
            self.write(name)
        found = self.walk()
        self.assertEqual(
            {name: file.path for name, file in found.items()},
            {"index.html": b"/index.html", "b": b"/b", "a/b.css": b"/a/b.css", "a/c/d.js": b"/a/c/d.js"},
        )
        self.assertEqual(self.problems, [])

    def test_hidden_names_are_skipped_in_silence_except_well_known(self) -> None:
        for name in (".git/config", "a/.env", ".htaccess", ".well-known/security.txt", ".well-known/.x"):
            self.write(name)
        self.assertEqual(list(self.walk()), [".well-known/security.txt"])
        self.assertEqual(self.problems, [])

    def test_the_server_s_own_prefix_is_reserved_at_the_root_only(self) -> None:
        self.write(".edge/load")
        self.write("a/edge")
        self.assertEqual(list(self.walk()), ["a/edge"])
        self.assertEqual(self.kinds(), {".edge": Kind.RESERVED})

    def test_names_with_odd_octets_are_percent_encoded_once(self) -> None:
        names = {
            "a b.html": b"/a%20b.html",
            "100%.html": b"/100%25.html",
            "a%20b.html": b"/a%2520b.html",
            "what?.html": b"/what%3F.html",
            "a#b.html": b"/a%23b.html",
            "a\nb.html": b"/a%0Ab.html",
            "caf\u00e9.html": b"/caf%C3%A9.html",
            os.fsdecode(b"caf\xe9.html"): b"/caf%E9.html",
            "a;b=c&d,e@f:g!h$i'(j)*k+l~m.html": b"/a;b=c&d,e@f:g!h$i'(j)*k+l~m.html",
        }
        for name in names:
            self.write(name)
        self.assertEqual({name: file.path for name, file in self.walk().items()}, names)
        self.assertEqual(self.problems, [])

    def test_names_without_a_canonical_path_are_reported_and_skipped(self) -> None:
        self.write("a\\b.html")
        self.write("c\\d/e.html")
        self.write("fine.html")
        self.assertEqual(list(self.walk()), ["fine.html"])
        self.assertEqual(self.kinds(), {"a\\b.html": Kind.UNNAMEABLE, "c\\d": Kind.UNNAMEABLE})

    def test_paths_longer_than_a_request_target_are_reported_and_skipped(self) -> None:
        deep = os.path.relpath(self.root)
        for _ in range(11):  # 11 x 250 spaces, three octets each
            deep = os.path.join(deep, " " * 250)
            os.mkdir(deep)
        self.assertEqual(self.walk(), {})
        self.assertEqual(set(self.kinds().values()), {Kind.UNNAMEABLE})

    def test_reports_are_safe_to_print(self) -> None:
        name = os.fsdecode(b"a\n\x1b[31m\xff\xe2\x80\xae.html")
        self.assertEqual(printable(name), "a\\n\\x1b[31m\\xff\\u202e.html")


class Kinds(WalkTestCase):
    def test_pipes_and_sockets_are_reported_and_not_opened(self) -> None:
        os.mkfifo(os.path.join(self.root, "pipe"))
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(os.path.relpath(os.path.join(self.root, "sock")))
            self.assertEqual(self.walk(), {})
        self.assertEqual(self.kinds(), {"pipe": Kind.SPECIAL, "sock": Kind.SPECIAL})

    def test_a_directory_that_may_not_be_read_is_reported_and_the_rest_found(self) -> None:
        self.write("shut/a.html")
        self.write("wide/b.html")

        def opener(name: str, flags: int, directory: int | None) -> int:
            if name == "shut":
                raise PermissionError(13, "Permission denied")
            return open_file(name, flags, directory)

        self.assertEqual(list(self.walk(opener=opener)), ["wide/b.html"])
        self.assertEqual(self.kinds(), {"shut": Kind.UNREADABLE})
        self.assertIn("permission denied", str(self.problems[0]))

    def test_a_directory_that_vanishes_is_reported(self) -> None:
        self.write("a/a.html")
        with Tree(self.root) as tree:
            folders = tree.walk(self.problems.append)
            next(folders)
            os.rename(os.path.join(self.root, "a"), os.path.join(self.root, "..", "away"))
            self.assertEqual([folder.files for folder in folders], [{}])
        self.assertEqual(self.kinds(), {"a": Kind.VANISHED})

    def test_the_state_directory_is_no_part_of_the_site(self) -> None:
        self.write("state/secret.html")
        status = os.stat(os.path.join(self.root, "state"))
        watched: list[str] = []
        with Tree(self.root, exclude=frozenset({(status.st_dev, status.st_ino)})) as tree:
            self.assertEqual([f.files for f in tree.walk(self.problems.append, watched.append)], [{}, {}])
        self.assertEqual(watched, [os.path.realpath(self.root)])
        self.assertEqual(self.kinds(), {"state": Kind.RESERVED})

    def test_what_is_the_node_s_own_is_no_part_of_the_site_by_whatever_name(self) -> None:
        for name in ("state/admin.token", "keys/n1.key", "index.html"):
            self.write(name)
        self.link("key.txt", "keys/n1.key")
        os.link(os.path.join(self.root, "keys/n1.key"), os.path.join(self.root, "same.key"))
        own = tuple(os.path.join(self.root, name) for name in ("state", "keys/n1.key", "not/there"))
        with open_tree(PublishSettings(root=self.root, private=own), self.store()) as tree:
            files = [name for folder in tree.walk(self.problems.append) for name in folder.files]
        self.assertEqual(files, ["index.html"])
        found = dict.fromkeys(("key.txt", "keys/n1.key", "same.key", "state"), Kind.RESERVED)
        self.assertEqual(self.kinds(), found)

    def test_more_files_than_the_table_holds_are_cut_off_with_a_report(self) -> None:
        for name in ("a.html", "b.html", "c/d.html", "c/e.html"):
            self.write(name)
        self.assertEqual(list(self.walk(file_limit=3)), ["a.html", "b.html", "c/d.html"])
        self.assertEqual(self.kinds(), {"c": Kind.TOO_MANY})

    def test_each_directory_is_announced_before_it_is_listed(self) -> None:
        self.write("a/b.html")
        self.link("c.html", "a/b.html")
        root = os.path.realpath(self.root)
        seen: list[str] = []

        def announce(directory: str) -> None:
            if directory == root and not seen:
                self.write("new.html")  # comes between announcing and listing
            seen.append(directory)

        with Tree(self.root) as tree:
            names = [name for folder in tree.walk(self.problems.append, announce) for name in folder.files]
        self.assertEqual(names, ["c.html", "new.html", "b.html"])
        self.assertEqual(seen, [root, os.path.join(root, "a"), os.path.join(root, "a")])


class Links(WalkTestCase):
    def test_links_inside_of_the_root_are_published_under_their_own_names(self) -> None:
        self.write("a/b.html", b"contents")
        self.link("c.html", "a/b.html")
        self.link("d", "a")
        self.link("e/f", "../d")
        found = self.walk()
        self.assertEqual(sorted(found), ["a/b.html", "c.html", "d/b.html", "e/f/b.html"])
        for file in found.values():
            self.assertEqual(self.read(file), b"contents")

    def test_links_that_leave_the_root_are_refused(self) -> None:
        outside = os.path.join(self.root, "..", "outside")
        os.makedirs(outside)
        with open(os.path.join(outside, "secret.html"), "w"):
            pass
        self.link("a.html", "../outside/secret.html")
        self.link("b", "../outside")
        self.link("c.html", os.path.abspath(os.path.join(outside, "secret.html")))
        self.link("d", "/")
        self.link("e", "..")
        os.symlink("a.html", os.path.join(self.root, "f.html"))  # through another link
        self.assertEqual(self.walk(), {})
        self.assertEqual(
            self.kinds(), dict.fromkeys(["a.html", "b", "c.html", "d", "e", "f.html"], Kind.LEAVES_ROOT)
        )

    def test_links_that_leave_the_root_are_followed_if_so_wished(self) -> None:
        outside = os.path.join(self.root, "..", "outside")
        os.makedirs(outside)
        with open(os.path.join(outside, "b.html"), "wb") as file:
            file.write(b"contents")
        self.link("a.html", "../outside/b.html")
        self.link("d", "../outside")
        found = self.walk(follow_symlinks=True)
        self.assertEqual(sorted(found), ["a.html", "d/b.html"])
        for source in found.values():
            self.assertEqual(self.read(source, follow_symlinks=True), b"contents")

    def test_a_root_beside_another_with_the_same_beginning_is_outside(self) -> None:
        os.makedirs(self.root + "-other")
        self.link("a", "../site-other")
        self.walk()
        self.assertEqual(self.kinds(), {"a": Kind.LEAVES_ROOT})

    def test_links_in_circles_end(self) -> None:
        self.write("a/b.html")
        self.link("a/up", "..")
        self.link("a/self", ".")
        self.link("round", "round")
        self.link("ping", "pong")
        self.link("pong", "ping")
        self.assertEqual(list(self.walk()), ["a/b.html"])
        self.assertEqual(self.kinds(), dict.fromkeys(["a/up", "a/self", "round", "ping", "pong"], Kind.LOOP))

    def test_a_maze_of_links_is_left_at_a_bounded_depth(self) -> None:
        for n in range(MAX_LINKS + 3):
            self.write(f"d{n}/x.html")
            self.link(f"d{n}/next", f"../d{n + 1}")
        self.walk(file_limit=500)
        self.assertIn(Kind.LOOP, self.kinds().values())

    def test_a_link_to_nothing_is_reported(self) -> None:
        self.link("a.html", "b.html")
        self.assertEqual(self.walk(), {})
        self.assertEqual(self.kinds(), {"a.html": Kind.DANGLING})

    def test_a_link_to_a_pipe_is_reported(self) -> None:
        os.mkfifo(os.path.join(self.root, "pipe"))
        self.link("a", "pipe")
        self.walk()
        self.assertEqual(self.kinds(), {"pipe": Kind.SPECIAL, "a": Kind.SPECIAL})

    def test_a_directory_exchanged_for_a_link_after_listing_is_not_followed(self) -> None:
        self.write("a/b.html", b"public")
        found = self.walk()
        outside = os.path.join(self.root, "..", "outside")
        os.makedirs(outside)
        with open(os.path.join(outside, "b.html"), "wb") as file:
            file.write(b"secret")
        os.rename(os.path.join(self.root, "a"), os.path.join(self.root, "z"))
        self.link("a", "../outside")
        self.assertRaises(OSError, self.read, found["a/b.html"])
        os.unlink(os.path.join(self.root, "z", "b.html"))
        os.symlink("../../outside/b.html", os.path.join(self.root, "z", "b.html"))
        moved = found["a/b.html"]._replace(directory=os.path.join(os.path.realpath(self.root), "z"))
        self.assertRaises(OSError, self.read, moved)

    def test_a_directory_outside_is_never_opened_without_permission(self) -> None:
        with Tree(self.root) as tree:
            self.assertRaises(PermissionError, tree.open_directory, "/")
            self.assertRaises(PermissionError, tree.open_directory, os.path.dirname(tree.root))

    def test_the_root_itself_may_be_a_link(self) -> None:
        self.write("a.html")
        os.symlink("site", self.root + "-link")
        with Tree(self.root + "-link") as tree:
            self.assertEqual([list(folder.files) for folder in tree.walk(self.problems.append)], [["a.html"]])


class Roots(WalkTestCase):
    def test_a_missing_webroot_is_named_with_the_way_out(self) -> None:
        error = self.assertRaises(PublishError, Tree, self.root + "/nowhere")
        self.assertEqual(
            str(error), f"the webroot {self.root}/nowhere does not exist; create it, or name another"
        )

    def test_a_webroot_that_is_a_file_is_refused(self) -> None:
        error = self.assertRaises(PublishError, Tree, self.write("a.html"))
        self.assertIn("is not a directory", str(error))

    def test_a_webroot_without_permission_is_refused(self) -> None:
        for raised, words in (
            (PermissionError(13, "Permission denied"), "no permission to read the webroot"),
            (OSError(5, "Input/output error"), "cannot be opened: input/output error"),
        ):

            def opener(name: str, flags: int, directory: int | None, raised: OSError = raised) -> int:
                raise raised

            def open_tree() -> None:
                Tree(self.root, opener=opener)

            self.assertIn(words, str(self.assertRaises(PublishError, open_tree)))
