"""``loadgen record``: from a log to a scenario that ``loadgen run`` takes as it is."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.cli import main
from loadgen.logs.entries import parse
from loadgen.models.think import Think, sample
from loadgen.record import pages, sessions
from loadgen.record.traffic import Traffic
from loadgen.results import load
from loadgen.run.coordinator.scenario_file import read
from tests.commands import run_command
from tests.loadgen.run.coordinator.liar import running

BEGIN = 1_700_000_000


def visits(users: int, seed: int = 1) -> list[tuple[float, str, str]]:
    """Second, client, page of sessions: one a second, three pages each on average, thinking for 8 s."""
    rng, choose = np.random.default_rng(seed), random.Random(seed)
    thinks = iter(sample(Think(kind="lognormal", mean_s=8, sigma=1), rng, 10 * users).tolist())
    found = []
    for user in range(users):
        at = float(user)
        for _ in range(int(rng.geometric(1 / 3))):
            found.append(
                (at, f"10.0.{user >> 8}.{user & 255}", f"/page/{min(int(choose.paretovariate(1)), 20)}")
            )
            at += next(thinks)
    return sorted(found)


def json_lines(users: int) -> Iterator[str]:
    """A log of our own node, with a style for each page."""
    for at, peer, page in visits(users):
        for path, after in ((page, 0.0), ("/style.css", 0.05)):
            yield json.dumps({
                "time": round(BEGIN + at + after, 3), "peer": peer, "method": "GET", "target": path,
                "status": 200, "bytes": 5, "user": "alice", "referer": f"https://x{page}" if after else "",
                "user_agent": "M",
            })  # fmt: skip


class RecordTests(SynchronousTestCase):
    """The command."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def record(self, lines: list[str], *options: str, code: int = 0) -> str:
        log = self.folder / "access.log"
        log.write_text("".join(f"{line}\n" for line in lines))
        self.made = self.folder / "made.toml"
        found, out, err = run_command(main, "record", str(log), "-o", str(self.made), *options)
        self.assertEqual(found, code, err)
        return out + err

    def test_a_scenario_has_the_users_of_the_log(self) -> None:
        out = self.record(list(json_lines(1500)))
        scenario = read(self.made)
        self.assertEqual(scenario.users, 1500)
        self.assertApproximates(scenario.session.pages_mean, 3, 0.25)
        self.assertEqual(scenario.session.think.kind, "lognormal")
        self.assertApproximates(scenario.session.think.mean_s, 8, 0.8)
        steps = scenario.arrivals.steps
        ends = [second for second, _ in steps[1:]] + [scenario.duration_s]
        sessions = sum((end - second) * rate for (second, rate), end in zip(steps, ends, strict=True))
        self.assertApproximates(sessions, 1500, 1)
        listed = (self.folder / "made.pages.txt").read_text().splitlines()
        self.assertEqual(listed[0], "/page/1 /style.css")
        self.assertEqual(len(listed), 20)
        self.assertTrue(0.8 < scenario.site.zipf < 2.2)
        # The fit is shown: data beside each law, with the distance.
        for word in ("p90", "data", "lognormal *", "weibull", "geometric *", "Zipf", "distance"):
            self.assertIn(word, out)

    def test_run_takes_the_scenario_as_it_is(self) -> None:
        lines = [line.replace("/page/", "/?").replace("/style.css", "/a.css") for line in json_lines(60)]
        self.record(lines)
        out = self.folder / "out"
        with running() as server:
            arguments = (
                str(self.made),
                "--cluster",
                server.url,
                "--out",
                str(out),
                "--duration",
                "2",
                "--users",
                "900",
            )
            code, said, err = run_command(main, "run", *arguments)
        # A busy machine makes a run invalid.
        self.assertIn(code, (0, 3), said + err)
        self.assertGreater(load(out).counts["page_views"], 0)

    def test_the_curve_is_squeezed_and_its_rates_stay(self) -> None:
        self.record(list(json_lines(600)), "--duration", "60")
        scenario = read(self.made)
        self.assertEqual(scenario.duration_s, 60)
        self.assertTrue(all(second < 60 for second, _ in scenario.arrivals.steps))
        self.assertTrue(all(0.5 < rate < 1.5 for _, rate in scenario.arrivals.steps[:-8]))

    def test_no_secret_of_the_log_is_in_what_is_written_or_said(self) -> None:
        lines = list(json_lines(300))
        secrets = (
            "/page/1?token=hunter2secret", "/reset/kJ8sLq2PzX91mNb4VcT7", "/u/alice@example.org",
            "/own/of-one-reader-alone",
        )  # fmt: skip
        for number, target in enumerate(secrets * 3):
            peer = "192.0.2.77" if "alone" in target else f"192.0.2.{number}"
            lines.append(json.dumps({
                "time": BEGIN + 300 + number, "peer": peer, "method": "GET", "target": target, "status": 200,
                "user": "bob-the-user", "headers": {"Cookie": ["sid=cookiemonster"]},
            }))  # fmt: skip
        lines.sort(key=lambda line: float(json.loads(line)["time"]))
        out = self.record(lines)
        written = self.made.read_text() + (self.folder / "made.pages.txt").read_text() + out
        words = (
            "hunter2",
            "kJ8sLq",
            "alice",
            "bob-the-user",
            "cookiemonster",
            "192.0.2",
            "10.0.",
            "of-one-reader",
        )
        for word in words:
            self.assertNotIn(word, written)
        for said in (
            "3 addresses had a query string",
            "6 requests for addresses",
            "pages that one client alone",
        ):
            self.assertIn(said, out)
        self.record(lines, "--alone")
        self.assertIn("/own/of-one-reader-alone", (self.folder / "made.pages.txt").read_text())

    def test_batches_of_smart_clients_are_views_and_programs_are_none(self) -> None:
        lines = []
        for user in range(40):
            for view in range(3):
                at, peer = BEGIN + user + 20 * view, f"10.0.0.{user}"
                own = {"time": at, "peer": peer, "status": 200, "user_agent": "M"}
                lines.append(json.dumps(own | {"method": "POST", "target": "/.edge/revalidate"}))
                lines.append(json.dumps(own | {"method": "GET", "target": "/.edge/load", "time": at + 0.1}))
            bot = {"user_agent": "Googlebot/2.1", "method": "GET", "target": "/", "status": 200}
            lines.append(json.dumps({"time": at, "peer": peer} | bot))
        out = self.record(sorted(lines, key=lambda line: json.loads(line)["time"]))
        scenario = read(self.made)
        self.assertAlmostEqual(scenario.session.pages_mean, 3)
        self.assertEqual((scenario.cache.warm, scenario.site.list), (1.0, ""))
        self.assertIn("40 requests of programs", out)

    def test_a_log_without_pages_or_with_wrong_options_has_a_sentence(self) -> None:
        one = {"time": BEGIN, "peer": "::1", "method": "GET", "target": "/a.css", "status": 200}
        self.assertIn("no page view in it: 1 requests", self.record([json.dumps(one)], code=2))
        for options in (("--duration", "0"), ("--pages", "0"), ("--idle", "0"), ("--duration", "1e9")):
            self.assertIn(options[0], self.record([], *options, code=2))
        self.assertIn("it is empty", self.record([], code=2))


class BoundTests(SynchronousTestCase):
    """Memory, whatever the log has."""

    def test_paths_clients_and_sessions_without_end_are_forgotten(self) -> None:
        self.patch(pages, "MOST_PATHS", 500)
        self.patch(sessions, "MOST_CLIENTS", 500)
        traffic = Traffic(with_bots=True)
        template = '{"time":%d,"peer":"%s","method":"GET","target":"%s","status":200}'
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(6000):
            target = "/" if number % 3 == 0 else f"/x/{number}"
            traffic.add(number / 10, parse((template % (BEGIN, f"c{number}", target)).encode()))
        traffic.end()
        self.assertLessEqual(len(traffic.pages), 500)
        self.assertEqual(traffic.pages.listed(alone=True)[0][:2], (b"/", 2000))
        self.assertEqual(traffic.sessions.count, 6000)
        self.assertGreater(traffic.sessions.crowded_out, 5000)
        self.assertGreater(traffic.pages.forgotten, 0)
