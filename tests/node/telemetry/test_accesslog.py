"""The access log: formats that cannot be injected into, and a writer that nobody waits for."""

from __future__ import annotations

import json
import os
import tempfile

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.node.telemetry import accesslog
from edge.node.telemetry.accesslog import AccessLog, common_line, json_line, try_access_log

AT = 1_700_000_000.25


class FormatTests(SynchronousTestCase):
    """One request, one line."""

    def test_json_has_every_field(self) -> None:
        """With the fields of the node."""
        line = json_line(AT, "192.0.2.1", b"GET", b"/a?b", 304, 128, {"node": "n1", "worker": 0})
        self.assertEqual(
            json.loads(line),
            {"time": AT, "node": "n1", "worker": 0, "peer": "192.0.2.1", "method": "GET", "target": "/a?b",
             "status": 304, "bytes": 128},
        )  # fmt: skip

    def test_common_log_format(self) -> None:
        """As every log analyser reads it."""
        self.assertEqual(
            common_line(AT, "192.0.2.1", b"GET", b"/a", 200, 5, {}),
            '192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] "GET /a HTTP/1.1" 200 5',
        )
        self.assertTrue(common_line(AT, "", b"GET", b'/"\\\n', 400, 0, {}).startswith("- - - ["))

    @given(st.binary(max_size=60), st.binary(max_size=200))
    def test_hostile_bytes_stay_within_their_line(self, method: bytes, target: bytes) -> None:
        """No line ends, no quotes, no controls."""
        record = json.loads(json_line(AT, "", method, target, 400, 0, {}))
        self.assertEqual(record["target"].encode("latin-1"), target)
        for line in (
            json_line(AT, "", method, target, 400, 0, {}),
            common_line(AT, "", method, target, 400, 0, {}),
        ):
            self.assertTrue(line.isascii() and line.isprintable(), line)
        self.assertEqual(common_line(AT, "", method, target, 400, 0, {}).count('"'), 2)


class AccessLogTests(SynchronousTestCase):
    """The file and its thread."""

    def test_what_came_over_tls_says_so(self) -> None:
        log = AccessLog(self.path, lambda: 0.0)
        log.record(AT, "", b"GET", b"/", 200, 1, "TLSv1.3 TLS_AES_128_GCM_SHA256")
        log.record(AT, "", b"GET", b"/", 200, 1)
        log.close()
        lines = [json.loads(line) for line in self._lines(self.path)]
        self.assertEqual([line.get("tls") for line in lines], ["TLSv1.3 TLS_AES_128_GCM_SHA256", None])

    def setUp(self) -> None:
        """A directory for logs."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "access.log")

    def _lines(self, path: str) -> list[str]:
        with open(path) as file:
            return file.read().splitlines()

    def test_lines_are_in_the_file_when_it_is_closed(self) -> None:
        """In order."""
        log = AccessLog(self.path, Clock().seconds, "clf")
        for number in range(100):
            log.record(AT, "", b"GET", b"/%d" % number, 200, 1)
        log.close()
        lines = self._lines(self.path)
        self.assertEqual(
            [f'"GET /{number} HTTP/1.1"' in line for number, line in enumerate(lines)], [True] * 100
        )

    def test_reopening_goes_on_in_a_new_file(self) -> None:
        """After the old one was renamed."""
        log = AccessLog(self.path, Clock().seconds)
        log.record(AT, "", b"GET", b"/old", 200, 1)
        while not (os.path.exists(self.path) and os.path.getsize(self.path)):
            pass
        os.rename(self.path, self.path + ".1")
        log.reopen()
        while not os.path.exists(self.path):
            pass
        log.record(AT, "", b"GET", b"/new", 200, 1)
        log.close()
        self.assertIn("/old", self._lines(self.path + ".1")[0])
        self.assertIn("/new", self._lines(self.path)[0])

    def test_a_file_that_cannot_be_opened_is_said_before_the_start(self) -> None:
        """With the way out."""
        with self.assertRaisesRegex(
            ConfigError, r"access-log /nonexistent/x: cannot be opened: .*name a file"
        ):
            try_access_log("/nonexistent/x")

    def test_a_folder_that_is_not_there_drops_lines_until_it_is(self) -> None:
        """A worker that starts then serves without its log: others' logs have nothing to do with it."""
        path = os.path.join(os.path.dirname(self.path), "later", "access.log")
        log = AccessLog(path, Clock().seconds, "clf")
        log.record(AT, "", b"GET", b"/dropped", 200, 1)
        while not log.dropped:
            pass
        os.mkdir(os.path.dirname(path))
        log.record(AT, "", b"GET", b"/written", 200, 1)
        log.close()
        self.assertEqual((log.dropped, len(self._lines(path))), (1, 1))

    def test_a_full_disk_drops_lines_and_says_so_once(self) -> None:
        """Requests go on."""
        log = AccessLog("/dev/full", Clock().seconds)
        for _ in range(3):
            log.record(AT, "", b"GET", b"/", 200, 1)
        log.close()
        self.assertEqual(log.dropped, 3)

    def test_a_slow_disk_drops_lines_instead_of_waiting(self) -> None:
        """The queue is bounded."""
        self.patch(accesslog, "QUEUE_LINES", 0)
        log = AccessLog(self.path, Clock().seconds)
        log.record(AT, "", b"GET", b"/", 200, 1)
        log.close()
        self.assertEqual((log.dropped, self._lines(self.path)), (1, []))
