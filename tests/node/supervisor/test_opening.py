"""What a node opens before anything of it runs."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from edge.config import Config
from edge.errors import ConfigError, ListenError
from edge.node.supervisor.directories import User, share_folder
from edge.node.supervisor.opening import open_node


class OpeningTests(SynchronousTestCase):
    """All, or nothing and an error."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())  # its path has to be short enough for a socket
        self.addCleanup(shutil.rmtree, self.folder)

    def config(self, *listen: str) -> Config:
        """Of a small node."""
        return Config(
            state_dir=self.folder,
            listen=listen or ("tcp:0:interface=127.0.0.1",),
            workers=2,
            table_entries=1024,
            arena_mib=1,
        )

    def test_everything_is_there_and_goes_again(self) -> None:
        """The admin socket is for its owner alone."""
        opened = open_node(self.config())
        mode = stat.S_IMODE((self.folder / "admin.sock").stat().st_mode)
        self.assertEqual((mode, len(opened.urls), len(opened.listeners[0].sockets)), (0o600, 1, 2))
        self.assertTrue(opened.urls[0].startswith("http://127.0.0.1:"))
        opened.close()
        self.assertFalse((self.folder / "admin.sock").exists())
        open_node(self.config()).close()

    def test_what_it_makes_is_for_its_user_alone(self) -> None:
        """Whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        folder = self.folder / "new" / "state"
        opened = open_node(replace(self.config(), state_dir=folder, cache_dir=folder / "cache"))
        opened.state_dir.tell_listening([], "")
        for path in (folder, folder / "cache", folder / "lock", folder / "listening.json"):
            wanted = 0o700 if path.is_dir() else 0o640
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), wanted, path)
        opened.close()

    def test_what_root_makes_for_another_user_is_that_users(self) -> None:
        """With the socket of the admin API, and every directory that had to be made."""
        if os.geteuid():
            raise SkipTest("only root can give files away")
        self.folder.chmod(0o755)
        user = User(4711, 4712)
        folder = self.folder / "new" / "state"
        config = replace(self.config(), state_dir=folder, cache_dir=folder / "cache")
        config = replace(config, admin=f"unix:{folder}/admin.sock", tls_auto=("a.example",))
        config = replace(config, listen=("tls:0:interface=127.0.0.1",))
        opened = open_node(config, user)
        for name in ("..", ".", "cache", "lock", "admin.sock", "acme", "acme/certificate.pem"):
            found = os.stat(folder / name)
            self.assertEqual((found.st_uid, found.st_gid), user, name)
        opened.close()
        open_node(config, user).close()

    def test_a_directory_that_the_user_may_not_write_is_named(self) -> None:
        """Here, and not by a traceback when it is written to."""
        if os.geteuid():
            raise SkipTest("only root can start for another user")
        self.folder.chmod(0o755)
        with self.assertRaisesRegex(ConfigError, f"{self.folder}: cannot be written by the user 4711"):
            open_node(self.config(), User(4711, 4711))
        self.assertEqual((os.geteuid(), os.getegid()), (0, 0))
        open_node(self.config()).close()

    def test_a_file_in_place_of_a_directory_or_above_it_is_named(self) -> None:
        file = self.folder / "file"
        file.touch()
        for path in (file, file / "state"):
            for config in (replace(self.config(), state_dir=path), replace(self.config(), cache_dir=path)):
                with self.assertRaisesRegex(ConfigError, f"-dir {path}: {file} is a file; name a directory"):
                    open_node(config)

    def test_a_link_in_place_of_the_lock_is_not_followed(self) -> None:
        """Root would give its target away."""
        target = self.folder / "target"
        target.touch()
        (self.folder / "lock").symlink_to(target)
        with self.assertRaises(ConfigError):
            open_node(self.config())

    def test_a_link_in_place_of_the_certificate_s_folder_leads_nowhere(self) -> None:
        """Whoever is the node's user could have root write elsewhere."""
        if os.geteuid():
            raise SkipTest("only root can start for another user")
        target = self.folder / "target"
        target.mkdir(mode=0o700)
        state = self.folder / "state"
        state.mkdir()
        (state / "acme").symlink_to(target)
        for path in (self.folder, state):
            os.chown(path, 4711, 4711)
        config = replace(self.config(), state_dir=state, cache_dir=state / "cache", tls_auto=("a.example",))
        config = replace(config, listen=("tls:0:interface=127.0.0.1",))
        with self.assertRaisesRegex(ConfigError, "state/acme/.*Permission denied"):
            open_node(config, User(4711, 4711))
        self.assertEqual(list(target.iterdir()), [])

    def test_what_fails_leaves_nothing_open(self) -> None:
        """Neither the lock nor the listeners before it."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with self.assertRaises(ListenError):
                open_node(self.config("tcp:0:interface=127.0.0.1", f"tcp:{port}:interface=127.0.0.1"))
        open_node(self.config()).close()

    def test_a_certificate_that_cannot_be_loaded_is_named_before_anything_listens(self) -> None:
        """The message has the file."""
        with self.assertRaisesRegex(ConfigError, "none.pem"):
            open_node(self.config(f"tls:0:privateKey={self.folder}/none.pem:certKey={self.folder}/none.pem"))
        open_node(self.config()).close()

    def test_a_node_alone_without_a_webroot_would_serve_nothing(self) -> None:
        """It says so."""
        with self.assertRaisesRegex(ConfigError, "--webroot none"):
            open_node(Config(webroot=None, state_dir=self.folder))


class SharedFolderTests(SynchronousTestCase):
    """What workers read by a group of theirs."""

    def test_it_is_the_groups_at_the_first_start_and_at_each_later_one(self) -> None:
        """With what was made in between, also by a node whose workers were somebody else."""
        root = os.geteuid() == 0
        path = Path(tempfile.mkdtemp(prefix="edge-")) / "blobs"
        self.addCleanup(shutil.rmtree, path.parent)
        for start, gid in enumerate((65534, 65534, 65533) if root else (os.getgid(),) * 3):
            share_folder(path, gid)
            below = path / str(start)
            below.mkdir(0o700)
            (below / "blob").write_bytes(b"x")
            share_folder(path, gid)
            for one in (path, *path.rglob("*")):
                self.assertEqual(one.stat().st_gid, gid)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o2750)
