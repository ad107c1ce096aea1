"""Starting, changing and not starting a real node."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from edge.descriptors import node_connections
from tests.end_to_end.node import PATIENCE, ROOT, RunningNode, exchange


class NotStartingTests(SynchronousTestCase):
    """What keeps a node from starting is one sentence and exit code 1."""

    def fail(self, node: RunningNode) -> str:  # type: ignore[override]
        """Start *node*, which cannot; what it said."""
        self.addCleanup(node.clean_up)
        self.assertEqual(node.spawn().wait(PATIENCE), 1)
        said = node.log.read_text()
        self.assertNotIn("Traceback", said)
        return said

    def test_a_port_in_use_is_named(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            said = self.fail(RunningNode(listen=(f"tcp:{port}:interface=127.0.0.1",)))
        self.assertIn(f"port {port} is in use by another program", said)

    def test_an_address_that_is_not_ours_is_named(self) -> None:
        said = self.fail(RunningNode(listen=("tcp:0:interface=192.0.2.1",)))
        self.assertIn("no interface with the address 192.0.2.1", said)

    def test_a_second_supervisor_leaves_the_state_directory_to_the_first(self) -> None:
        first = RunningNode(workers=1)
        self.addCleanup(first.clean_up)
        first.start()
        second = RunningNode(workers=1)
        second.state = first.state
        assert first.process is not None
        self.assertIn(f"in use by another twistd edge (pid {first.process.pid})", self.fail(second))
        self.assertEqual(first.ask("/.edge/health")[0], 200)

    def test_a_certificate_that_cannot_be_loaded_is_named(self) -> None:
        node = RunningNode(workers=0, listen=("tls:0:privateKey=DIR/key.pem:certKey=DIR/cert.pem",))
        (node.directory / "key.pem").write_bytes(b"")
        (node.directory / "cert.pem").write_bytes(b"")
        self.assertIn("holds no certificate", self.fail(node))

    def test_an_access_log_that_cannot_be_opened_is_named(self) -> None:
        for workers in (0, 1):
            node = RunningNode("--access-log", "/dev/null/none", workers=workers)
            self.assertIn("/dev/null/none", self.fail(node))


class EndingTests(SynchronousTestCase):
    """A node that is told to end."""

    def test_workers_say_nothing_of_their_interpreter_when_they_end(self) -> None:
        node = RunningNode(workers=2)
        self.addCleanup(node.clean_up)
        node.start()
        self.assertEqual(node.stop(), 0)
        said = [line for line in node.log.read_text().splitlines() if "worker " in line]
        self.assertEqual([line for line in said if "fast path" not in line], [])


class UserTests(SynchronousTestCase):
    """``twistd --uid``: started by root, run by somebody else."""

    def test_a_new_state_directory_is_made_for_the_user_and_nobody_else(self) -> None:
        """It keeps root's capabilities, as the interpreter may lie below /root: owners tell what matters."""
        if os.geteuid() or not shutil.which("setpriv"):
            raise SkipTest("only root can become another user")
        node = RunningNode(workers=0)
        node.prefix = ("setpriv", "--securebits", "+no_setuid_fixup")
        self.addCleanup(node.clean_up)
        logs = node.directory / "logs"
        logs.mkdir()
        os.chown(logs, 65534, 65534)
        for folder in (node.directory, node.site):
            folder.chmod(0o755)
        node.write("big.bin", os.urandom(600_000))
        node.options += ["--access-log", str(logs / "access")]
        node.twistd_options = ("--uid=65534", "--gid=65534")
        node.start()
        self.assertEqual(node.ask("/big.bin")[0], 200)
        node.wait_for(lambda: (logs / "access").read_text(), "the access log is written")
        [blob] = [path for path in (node.state / "cache" / "blobs").glob("*/*") if path.is_file()]
        for path, mode in ((node.state, 0o700), (blob, 0o640), (logs / "access", 0o640)):
            found = path.stat()
            self.assertEqual((found.st_uid, stat.S_IMODE(found.st_mode)), (65534, mode), path)

    def test_in_a_directory_that_is_open_to_all_nothing_is_made_for_others(self) -> None:
        """The databases neither, whose modes are those that the umask leaves."""
        node = RunningNode(workers=1)
        self.addCleanup(node.clean_up)
        node.state.mkdir(mode=0o755, exist_ok=True)
        node.state.chmod(0o755)
        node.write("page.html", b"<p>text")
        node.start()
        self.assertEqual(node.ask("/page.html")[0], 200)
        made = list(node.state.rglob("*"))
        self.assertTrue([path for path in made if path.suffix == ".sqlite"])
        open_to_all = [path for path in made if not path.is_symlink() and path.stat().st_mode & 0o007]
        self.assertEqual(open_to_all, [])


class ReloadTests(SynchronousTestCase):
    """Reloading the configuration by SIGHUP."""

    def test_what_can_change_changes_and_what_cannot_is_said(self) -> None:
        node = RunningNode(workers=2)
        self.addCleanup(node.clean_up)
        config = node.directory / "edge.toml"
        config.write_text("")
        node.options += ["--config", str(config), "--access-log", str(node.directory / "access")]
        node.write("a.txt", b"text")
        node.start()
        field = "Access-Control-Allow-Origin"
        origin = {"Origin": "https://a.example"}
        self.assertIsNone(node.ask("/a.txt", origin)[1][field])
        before = node.worker_pids()

        config.write_text(
            'allow-origin = ["https://a.example"]\nnode = "other"\n'
            '[[cache]]\nglob = "/*"\nvalue = "max-age=5"\n'
        )
        assert node.process is not None
        node.process.send_signal(signal.SIGHUP)
        node.wait_for(lambda: "SIGHUP: done" in node.log.read_text(), "it is done")
        for headers in (origin, {**origin, "Range": "bytes=0-0"}):
            fields = node.ask("/a.txt", headers)[1]
            self.assertEqual((fields[field], fields["Cache-Control"]), ("*", "max-age=5"))
        self.assertIn("a change of node takes effect at the next start", node.log.read_text())
        self.assertFalse(set(before) & set(node.worker_pids()))
        self.assertEqual([w["restarts"] for w in node.admin("GET", "/status")[1]["workers"]], [0, 0])

        config.write_text("nonsense = 1\n")
        node.process.send_signal(signal.SIGHUP)
        node.wait_for(lambda: "the configuration stays as it was" in node.log.read_text(), "it says so")
        self.assertEqual(node.ask("/a.txt", origin)[1][field], "*")

        access = node.directory / "access"
        node.wait_for(lambda: len(access.read_text().splitlines()) >= 4, "the access log is written")
        lines = [json.loads(line) for line in access.read_text().splitlines()]
        self.assertEqual({line["status"] for line in lines}, {200, 206})

    def test_sigusr1_goes_on_in_new_files_of_both_logs(self) -> None:
        """As logrotate is told to do it: the files have been renamed."""
        for workers in (1, 0):
            self.rotate(RunningNode(workers=workers))

    def rotate(self, node: RunningNode) -> None:
        """An answer before and one after a rotation."""
        access, own = node.directory / "access", node.directory / "own"
        node.options += ["--access-log", str(access)]
        node.twistd_options = (f"--logfile={own}",)
        self.addCleanup(node.clean_up)
        node.start()
        node.ask("/first")
        node.wait_for(lambda: "/first" in access.read_text(), "the answer is in the access log")
        access.rename(f"{access}.1")
        own.rename(f"{own}.1")
        assert node.process is not None
        node.process.send_signal(signal.SIGUSR1)
        node.wait_for(lambda: "logs are reopened" in own.read_text(), "the new log says so")
        node.wait_for(access.exists, "there is a new access log")
        node.ask("/second")
        node.wait_for(lambda: "/second" in access.read_text(), "the answer is in the new access log")
        self.assertNotIn("/first", access.read_text())

    def test_a_mount_that_is_broken_meanwhile_takes_nothing_else_down(self) -> None:
        """At SIGHUP the workers stay; one that dies is replaced, and serves everything but the mount."""
        node = RunningNode(workers=1)
        self.addCleanup(node.clean_up)
        node.directory.chmod(0o755)  # workers may be nobody
        application = node.directory / "mounted_application.py"
        good = "from twisted.web.static import Data\ndef make(): return Data(b'mine', 'text/plain')\n"
        application.write_text(good)
        node.prefix = ("env", f"PYTHONPATH={ROOT}{os.pathsep}{node.directory}")
        config = node.directory / "edge.toml"
        config.write_text('mount = ["/app=mounted_application:make"]\n')
        node.options += ["--config", str(config)]
        node.write("a.txt", b"text")
        node.start()
        self.assertEqual(node.ask("/app")[2], b"mine")
        application.write_text("import no_such_thing\n")
        config.write_text('mount = ["/app=mounted_application:make"]\nallow-origin = ["https://a.example"]\n')
        assert node.process is not None
        before = node.worker_pids()
        node.process.send_signal(signal.SIGHUP)
        node.wait_for(lambda: "SIGHUP: done" in node.log.read_text(), "it is done")
        self.assertIn("mounted_application cannot be imported: No module named", node.log.read_text())
        self.assertEqual((node.worker_pids(), node.ask("/app")[2]), (before, b"mine"))
        os.kill(before[0], signal.SIGKILL)
        node.wait_for(lambda: node.worker_pids() != before and node.workers_ready(), "there is a successor")
        self.assertEqual((node.ask("/a.txt")[2], node.ask("/app")[0]), (b"text", 503))
        self.assertIn("it is answered 503, the rest is served", node.log.read_text())
        self.assertNotIn("Traceback", node.log.read_text())

    def test_more_connections_than_descriptors_are_made_possible_or_said_to_be_not(self) -> None:
        node = RunningNode("--connections=5000", workers=1)
        self.addCleanup(node.clean_up)
        node.prefix = ("prlimit", "--nofile=1024:1024")
        node.start()
        assert node.process is not None
        limits = Path("/proc", str(node.process.pid), "limits").read_text().splitlines()
        [descriptors] = [int(line.split()[-2]) for line in limits if line.startswith("Max open files")]
        if descriptors == 1024:  # not root
            said = f"1 worker(s) with 1024 descriptors each hold {node_connections(1024, 1)}"
            self.assertIn(said, node.log.read_text())
        else:
            self.assertGreater(descriptors, 5000)

    def test_a_large_site_is_waited_for_and_then_answered_503(self) -> None:
        node = RunningNode("--brotli-quality", "11", workers=1)
        self.addCleanup(node.clean_up)
        for number in range(8):
            node.write(f"{number}.txt", str(number).encode() + bytes(range(64, 122)) * 30_000)
        node.spawn()
        node.wait_for(lambda: (node.state / "listening.json").exists(), "it listens")
        connection = node.connect()
        status, fields, _ = exchange(connection, "/0.txt")
        if status == 503:
            self.assertEqual(fields["Retry-After"], "1")
            self.assertEqual(node.ask("/.edge/ready")[0], 503)
        else:
            self.assertEqual(status, 200)
        node.wait_for(lambda: node.ask("/.edge/ready")[0] == 200, "it is ready")
        self.assertEqual(node.ask("/0.txt")[0], 200)
