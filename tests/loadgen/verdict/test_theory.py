"""What ``BENCH=theory`` takes as right: servers are what their closed forms say; wrk2 is understood."""

from __future__ import annotations

import math
import time
from itertools import islice
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import wrk2
from benchmarks.known_server import PERIOD_S, SERVERS, STRATA, Server, strata
from benchmarks.theory import Measured, compare

#: Options of git: who commits.
PERCENTS = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9}
OUTPUT = """Running 30s test @ http://127.0.0.1:36007
  1 threads and 1000 connections
  Latency Distribution (HdrHistogram - Recorded Latency)
 50.000%   69.82ms
 75.000%  977.00us
 90.000%   88.89ms
 99.000%  120.57ms
 99.900%    1.02s\x20
100.000%    1.50m\x20

  Detailed Percentile spectrum:
       Value   Percentile   TotalCount 1/(1-Percentile)

      60.191     0.000000            1         1.00
      99.263     0.950000         2851        20.00
    1003.519     0.995313         2987       213.33
    1039.359     1.000000         3001          inf
#[Mean    =       78.421, StdDeviation   =       69.630]
"""


def sampled(name: str, count: int) -> list[float]:
    """Milliseconds that a server of that *name* means to take for *count* requests, 5 ms apart; ascending."""
    with mock.patch("benchmarks.known_server.socket"), mock.patch("benchmarks.known_server.select"):
        server = Server(SERVERS[name])
    server._began = began = time.monotonic()
    arrivals = [began + number * 0.005 for number in range(count)]
    return sorted((server._when(one) - one) * 1000 for one in arrivals)


class ServerTests(SynchronousTestCase):
    """Ten of them."""

    def test_every_stratum_is_drawn_once_before_one_is_drawn_again(self) -> None:
        drawn = list(islice(strata(7), 3 * STRATA))
        for begin in range(0, len(drawn), STRATA):
            block = drawn[begin : begin + STRATA]
            self.assertEqual(sorted(int(one * STRATA) for one in block), list(range(STRATA)))
            self.assertNotEqual(block, sorted(block))
        for percent in PERCENTS.values():
            self.assertTrue(0.2 < percent / 100 * STRATA % 1 < 0.8, percent)

    def test_what_each_takes_is_what_its_closed_form_says(self) -> None:
        """To half a percent, of 4,000 requests: the p99.9 of what is drawn freely is off by up to 25."""
        self.assertEqual(len(SERVERS), 10)
        for name, known in SERVERS.items():
            times = sampled(name, round(4 * PERIOD_S / 0.005))
            for percent in PERCENTS.values():
                found = times[math.ceil(percent / 100 * len(times)) - 1]
                self.assertLess(abs(found / known.quantile(percent / 100) - 1), 0.005, (name, percent))


class ComparedTests(SynchronousTestCase):
    """What is right, and what wrk2 says."""

    def test_the_closed_form_is_right_unless_the_server_itself_was_late(self) -> None:
        said = dict.fromkeys(PERCENTS, 51.0)
        found = compare("fixed-50", Measured(said, {**dict.fromkeys(PERCENTS, 50.2), "p99": 60.0}))
        self.assertEqual([one.by_form for one in found], [True, True, True, False, True])
        self.assertEqual([round(one.apart, 3) for one in found], [0.02, 0.02, 0.02, -0.15, 0.02])

    def test_percentiles_of_wrk2_come_in_its_units_and_from_both_of_its_tables(self) -> None:
        found = wrk2.latencies(OUTPUT)
        self.assertEqual(
            [found[percent] for percent in (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.5313)],
            [69.82, 0.977, 88.89, 99.263, 120.57, 1020.0, 1003.519],
        )

    def test_where_it_cannot_be_had_a_sentence_says_why(self) -> None:
        folder = self.mktemp()
        with mock.patch.dict("os.environ", {"WRK2": "/nowhere/at/all"}):
            said = wrk2.program(wrk2.Path(folder))
        self.assertIsInstance(said, str)
        self.assertIn("wrk2 is left out: it could not be fetched from /nowhere/at/all", str(said))

    def test_where_it_cannot_be_built_the_compilers_own_line_says_why(self) -> None:
        said = self.of_folder("all:\n\t@echo 'a.c:1:10: fatal error: zlib.h: gone' >&2; exit 1\n")
        self.assertIn("it could not be built from", str(said))
        self.assertIn("a.c:1:10: fatal error: zlib.h: gone; git clone https://", str(said))
        self.assertIn("make bench BENCH=theory WRK2=FOLDER", str(said))

    def of_folder(self, makefile: str) -> object:
        """What is made of a folder of sources with that *makefile*."""
        self.folder = wrk2.Path(self.mktemp()).absolute()
        self.folder.mkdir()
        (self.folder / "Makefile").write_text(makefile)
        with mock.patch.dict("os.environ", {"WRK2": str(self.folder)}):
            return wrk2.program(wrk2.Path(self.mktemp(), "wrk2"))

    def test_a_folder_of_sources_is_built_in_a_copy_and_one_that_is_built_is_taken(self) -> None:
        built = self.of_folder("all:\n\t@echo x > wrk; chmod +x wrk\n")
        assert isinstance(built, wrk2.Path)
        self.assertTrue(built.is_file())
        self.assertEqual(sorted(one.name for one in self.folder.iterdir()), ["Makefile"])
        with mock.patch.dict("os.environ", {"WRK2": str(built.parent)}):
            self.assertEqual(wrk2.program(wrk2.Path(self.mktemp())), built)
