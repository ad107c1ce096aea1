"""``loadgen run`` as a user calls it: against real nodes, and against a server that lies.

Whether a run is valid depends on how busy the machine is, so that is not asserted here: what was asked
and answered is.
"""

from __future__ import annotations

import atexit
import functools
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from loadgen.cli import main
from loadgen.results import Result, load
from loadgen.run.client.heads import Heads
from loadgen.wire import select
from loadgen.wire.interface import Answer, Limits, Wire
from tests import processes
from tests.commands import run_command
from tests.devices import full_device
from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import ROOT
from tests.loadgen.run.coordinator.liar import running, tag

#: Either: a busy machine makes a run invalid, which says nothing of what is tested here.
DONE = (0, 3)

SCENARIO = """
v = 1
title = "a test"
users = 200
duration_s = 3
keep_alive_s = 20
timeout_s = 60
[arrivals]
kind = "poisson"
rate_per_s = 20
present = 0.5
[session.think]
kind = "exponential"
mean_s = 0.5
[cache]
warm = 0.5
pages = 3
"""


class Runs(SynchronousTestCase):
    """Calls the command."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="loadgen-"))
        self.addCleanup(lambda: processes.run(["rm", "-rf", str(self.folder)], check=True))

    def scenario(self, more: str = "", **replaced: str) -> Path:
        """A file of the scenario, lines replaced by their beginning, *more* added."""
        lines = SCENARIO.splitlines()
        for name, value in replaced.items():
            lines = [f"{name} = {value}" if line.startswith(f"{name} =") else line for line in lines]
        path = self.folder / "scenario.toml"
        path.write_text("\n".join(lines) + more)
        return path

    def run_on(
        self, url: str, *options: str, scenario: Path | None = None, where: Sequence[str] | None = None
    ) -> tuple[int, str, str]:
        """Exit code, output, errors; *where*: instead of the cluster at *url*."""
        file = scenario or self.scenario()
        out = ("--out", str(self.folder / "out"))
        where = ("--cluster", url) if where is None else where
        return run_command(main, "run", str(file), *where, *out, *options)

    def result(self) -> Result:
        """Of the last run."""
        return load(self.folder / "out")


@functools.cache
def dashing() -> bytes:
    """A picture whose ETag begins with a dash, as one of 64 does."""
    pictures = (b"<svg xmlns='http://www.w3.org/2000/svg'><!--%d--></svg>" % number for number in count())
    return next(one for one in pictures if tag(one).startswith("-"))


@functools.cache
def shared_cluster() -> RunningCluster:
    """Two real nodes for all tests of this module: it takes seconds to start them."""
    cluster = RunningCluster(2)
    atexit.register(cluster.clean_up)
    first = cluster.nodes[0]
    names = [f"/{number}.html" for number in range(6)]
    links = "".join(f"<a href={name}>{name}</a>" for name in ["/", *names])
    for name in ["/index.html", *names]:
        page = f"<link rel=stylesheet href=/a.css><img src=/i.svg><img src=/dash.svg>{links}<p>{name}"
        first.write(name[1:], page.encode() * 20)
    first.write("a.css", b"p { color: red }" * 40)
    first.write("i.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    first.write("dash.svg", dashing())
    cluster.start()
    for node in cluster.nodes:
        node.wait_for(lambda node=node: node.ask("/i.svg")[0] == 200, "it has the site")
    return cluster


class ClusterTests(Runs):
    """Against real nodes."""

    def setUp(self) -> None:
        super().setUp()
        self.cluster = shared_cluster()

    @property
    def url(self) -> str:
        """The first node's."""
        return f"http://127.0.0.1:{self.cluster.nodes[0].port}"

    def requests_of_nodes(self) -> int:
        """As the nodes count themselves."""
        return sum(
            worker["requests"]
            for node in self.cluster.nodes
            for worker in node.admin("GET", "/status")[1]["workers"]
        )

    def test_readers_are_confirmed_what_they_have(self) -> None:
        """Nothing fails, nothing is wrong, and the nodes have counted as many requests."""
        before = self.requests_of_nodes()
        code, out, err = self.run_on(self.url)
        self.assertIn(code, DONE, out + err)
        result = self.result()
        counts = result.counts
        self.assertGreater(min(counts["not_modified"], counts["bodies"], counts["batches"]), 0)
        for name in ("failed", "wrong_answers", "stale_confirmations"):
            self.assertEqual(counts.get(name, 0), 0, name)
        asked = sum(node.requests for node in result.nodes)
        self.assertLessEqual(asked, self.requests_of_nodes() - before)
        lost = asked - sum(result.statuses.values())
        self.assertLessEqual(lost, counts.get("hedges", 0) + counts.get("retries", 0))
        self.assertEqual(counts["page_views"] > 0, True)
        self.assertLess(result.generator.bytes_per_user, 200)
        self.assertEqual(len(result.nodes), 2)
        self.assertIn("Saved in", out)

    def test_a_validator_that_begins_with_a_dash_is_taken(self) -> None:
        """In a header, in a query and in a batch, alone and beside others; and by users."""
        etag = tag(dashing()).encode()
        wire = select("auto", 1, Limits())
        self.addCleanup(wire.close)
        urls = [f"http://127.0.0.1:{node.port}" for node in self.cluster.nodes]
        heads = Heads(urls)
        for number, node in enumerate(self.cluster.nodes):
            wire.node("127.0.0.1", node.port)
            for home in (0, 1):
                request = heads.get(number, home, b"/dash.svg", "image", etag)
                answer, _ = self.asked(wire, number, request)
                self.assertEqual((answer.status, answer.etag), (304, etag), request)
            lines = b"%b /dash.svg\n-%b /dash.svg\n%b /dash.svg" % (etag, etag[1:-1], etag)
            answer, body = self.asked(wire, number, heads.post(number, 1, b"/.edge/revalidate", lines))
            self.assertEqual(json.loads(body)["stale"], [1])
        code, out, err = self.run_on(self.url, "--duration", "2")
        self.assertIn(code, DONE, out + err)
        counts = self.result().counts
        self.assertEqual((counts.get("failed", 0), counts.get("wrong_answers", 0)), (0, 0))

    def asked(self, wire: Wire, node: int, request: bytes) -> tuple[Answer, bytes]:
        """The answer to *request*, and its body."""
        wire.send(1, 0, node, time.monotonic_ns(), request)
        until = time.monotonic() + processes.PATIENCE
        while time.monotonic() < until:
            for answer in wire.run(time.monotonic_ns() + 10_000_000):
                return answer, bytes(wire.bodies[answer.body_at :][: answer.body_length])
        raise AssertionError(f"no answer to {request!r}")

    def test_the_same_seed_is_the_same_plan_and_processes_share_it(self) -> None:
        """Sessions and page views are as many; with two processes there are users in both."""
        plans = []
        for _ in range(2):
            self.run_on(self.url, "--seed", "7", "--duration", "2")
            plans.append([self.result().counts[name] for name in ("sessions", "page_views")])
        self.assertEqual(*plans)
        code, _, err = self.run_on(self.url, "--processes", "2", "--duration", "2", "--json")
        self.assertIn(code, DONE, err)
        self.assertEqual(self.result().processes, 2)

    def test_the_python_wire_does_the_same(self) -> None:
        """Where there is no compiler."""
        code, out, err = self.run_on(self.url, "--wire", "python", "--duration", "2")
        self.assertIn(code, DONE, out + err)
        counts = self.result().counts
        self.assertGreater(counts["not_modified"], 0)
        self.assertEqual((counts.get("failed", 0), counts.get("wrong_answers", 0)), (0, 0))

    def test_users_with_sockets_are_pushed_to(self) -> None:
        """Half of the users have one; their latencies are measured."""
        more = '\n[sockets]\nshare = 0.5\ntopics = ["load"]\n'
        code, out, err = self.run_on(self.url, scenario=self.scenario(more))
        self.assertIn(code, DONE, out + err)
        result = self.result()
        self.assertGreater(result.counts["pushes"], 100)
        self.assertIn("push", result.histograms)
        self.assertEqual(max(second.connections for second in result.series) >= 100, True)

    def test_a_deploy_is_noticed_and_nothing_old_confirmed(self) -> None:
        """A command of the scenario changes a page; its readers get the new version."""
        page = self.cluster.nodes[0].site / "index.html"
        command = ["sh", "-c", f"echo '<p>deployed' >> {page}"]
        more = f'\n[[events]]\nat_s = 0.5\nsay = "a deploy"\ncommand = {command!r}\n'
        code, out, err = self.run_on(self.url, scenario=self.scenario(more))
        self.assertIn(code, DONE, out + err)
        result = self.result()
        self.assertEqual(result.counts.get("stale_confirmations", 0), 0)
        self.assertEqual(result.counts.get("wrong_answers", 0), 0)
        self.assertIn("a deploy", [note for second in result.series for note in second.notes])

    def test_a_node_that_dies_is_not_noticed_by_readers(self) -> None:
        """kill -9 in the middle: others are asked, nothing fails."""
        victim = self.cluster.nodes[1]
        assert victim.process is not None
        command = ["kill", "-KILL", str(victim.process.pid)]
        scenario = self.scenario(f"\n[[events]]\nat_s = 1\ncommand = {command!r}\n", duration_s="5")
        try:
            code, out, err = self.run_on(self.url, scenario=scenario)
        finally:
            victim.process.kill()
            victim.process.wait(20)
            victim.start()
            victim.wait_for(lambda: victim.ask("/i.svg")[0] == 200, "it has the site")
        self.assertIn(code, DONE, out + err)
        counts = self.result().counts
        self.assertEqual(counts.get("failed", 0), 0)
        self.assertGreater(counts["retries"], 0)

    def test_ctrl_c_leaves_a_result_of_what_was_done(self) -> None:
        self.interrupted(signal.SIGINT)

    def test_so_does_the_signal_by_which_pipelines_end_a_step(self) -> None:
        self.interrupted(signal.SIGTERM)

    def interrupted(self, how: signal.Signals) -> None:
        """Marked as interrupted, exit code 130, no traceback."""
        command = [sys.executable, "-m", "loadgen.cli", "run", str(self.scenario(duration_s="60"))]
        command += ["--cluster", self.url, "--out", str(self.folder / "out"), "--json"]
        pipe = subprocess.PIPE
        # What a shell starts in the background ignores the signal, and so would its children.
        listen = functools.partial(signal.signal, how, signal.SIG_DFL)
        process = processes.start(command, stdout=pipe, stderr=pipe, cwd=ROOT, text=True, preexec_fn=listen)
        assert process.stdout is not None
        for line in process.stdout:
            if '"event":"second"' in line:
                break
        process.send_signal(how)
        _, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, err), (130, ""))
        result = self.result()
        self.assertEqual(result.verdict, "interrupted")
        self.assertGreater(result.counts["requests"], 0)

    def test_another_machine_does_the_work(self) -> None:
        """Here it is this one; with another token it is turned away."""
        token = self.folder / "token"
        token.write_text("a token of more than sixteen bytes\n")
        other = self.folder / "other"
        other.write_text("another token of some length\n")
        listen = ["worker", "--listen", "127.0.0.1:0", "--runs", "1", "--token-file", str(token)]
        worker = processes.start(
            [sys.executable, "-m", "loadgen.cli", *listen], stdout=subprocess.PIPE, cwd=ROOT, text=True
        )
        address = processes.first_line(worker).split()[-1]
        try:
            code, _, err = self.run_on(self.url, "--workers", address, "--token-file", str(other))
            self.assertEqual(code, 1)
            self.assertIn("does not accept our token", err)
            code, out, err = self.run_on(self.url, "--workers", address, "--token-file", str(token))
            self.assertIn(code, DONE, out + err)
            self.assertGreater(self.result().counts["not_modified"], 0)
            self.assertEqual(worker.wait(30), 0)
        finally:
            worker.kill()
            worker.communicate(timeout=processes.PATIENCE)


class LiarTests(Runs):
    """Servers that are not what they should be, and users who are not careful."""

    def test_a_confirmation_of_what_was_superseded_fails_the_run(self) -> None:
        """A version that somebody has got supersedes the one before."""
        scenario = self.scenario("", warm="0.0", duration_s="5")
        scenario.write_text(scenario.read_text().replace("keep_alive_s", "stale_ms = 300\nkeep_alive_s"))
        second = b"<link rel=stylesheet href=/a.css><p>two"
        with running() as liar:
            liar.once(lambda: liar.answered >= 100, lambda: liar.pages.update({"/": second}))
            liar.once(lambda: second in liar.given, lambda: setattr(liar, "confirms_all", True))
            _, out, err = self.run_on(liar.url, scenario=scenario)
        self.assertGreater(self.result().counts.get("stale_confirmations", 0), 0, out + err)

    def test_a_body_that_is_not_what_its_etag_says_fails_the_run(self) -> None:
        """The digest is checked."""
        with running() as liar:
            liar.once(lambda: liar.answered >= 10, lambda: setattr(liar, "spoilt", b"!"))
            _, out, err = self.run_on(liar.url, scenario=self.scenario(warm="0.0"))
        self.assertGreater(self.result().counts.get("wrong_answers", 0), 0, out + err)

    def test_garbage_is_counted_and_not_waited_for(self) -> None:
        """Each failed request has its reason."""
        with running() as liar:
            liar.once(lambda: liar.answered >= 10, lambda: setattr(liar, "garbage", b"SSH-2.0-liar\r\n\r\n"))
            code, out, err = self.run_on(liar.url, "--duration", "2")
        self.assertIn(code, (2, *DONE), out + err)
        result = self.result()
        self.assertGreater(result.counts["failed"], 0)
        self.assertIn("not an HTTP answer", result.errors)

    def test_a_missed_threshold_is_exit_code_two(self) -> None:
        """Unless the run is invalid, which says nothing of thresholds."""
        scenario = self.scenario()
        text = scenario.read_text().replace("[arrivals]", 'thresholds = ["requests < 1"]\n[arrivals]')
        scenario.write_text(text)
        with running() as liar:
            code, out, _ = self.run_on(liar.url, "--duration", "1", scenario=scenario)
        self.assertIn(code, (2, 3))
        self.assertFalse(self.result().thresholds[0].held)
        self.assertIn("requests < 1", out)

    def test_what_cannot_be_loaded_is_said_before_anything_is_done(self) -> None:
        """Nobody there, no node of ours, not our machine, no folder, a wrong file or option."""
        scenario = self.scenario()
        blocked = self.folder / "file"
        blocked.write_text("")
        wrong = self.folder / "wrong.toml"
        wrong.write_text(scenario.read_text().replace("users", "user"))
        with running() as liar:
            for arguments, code, message in (
                ((scenario, "--cluster", "http://127.0.0.1:1"), 1, "is the node running?"),
                ((scenario, "--cluster", "http://192.0.2.1:80"), 2, "--i-own-this-target 192.0.2.1"),
                ((scenario, "--cluster", liar.url, "--out", blocked / "x"), 2, "give a folder"),
                ((scenario, "--cluster", liar.url, "--users", "0"), 2, "--users 0"),
                ((scenario, "--cluster", liar.url, "--processes", "500"), 2, "--processes 500"),
                ((scenario, "--cluster", liar.url, "--workers", "no:where"), 2, "write HOST or HOST:PORT"),
                ((wrong, "--cluster", liar.url), 2, "did you mean users?"),
                ((self.folder / "none.toml", "--cluster", liar.url), 2, "scenarios/ has examples"),
            ):
                got, _, err = run_command(main, "run", *map(str, arguments))
                self.assertEqual(got, code, err)
                self.assertIn(message, err)
                self.assertNotIn("Traceback", err)

    def test_a_run_that_does_not_begin_leaves_no_folder(self) -> None:
        """Nor the folders above it."""
        out = self.folder / "a" / "b"
        code, _, err = run_command(
            main, "run", str(self.scenario()), "--cluster", "http://127.0.0.1:1", "--out", str(out)
        )
        self.assertEqual((code, out.parent.exists()), (1, False), err)

    def test_a_full_disk_is_said_and_the_summary_printed(self) -> None:
        """What was measured is not lost without a word."""
        full = full_device()
        out = self.folder / "out"
        out.mkdir()
        (out / "result.new").symlink_to(full)
        with running() as liar:
            code, printed, err = self.run_on(liar.url, "--duration", "1")
        self.assertEqual(code, 1)
        self.assertIn("No space left", err)
        self.assertIn("page views", printed)
