"""What a node opens before anything of it runs."""

from __future__ import annotations

import shutil
import socket
import stat
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.config import Config
from edge.errors import ConfigError, ListenError
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
