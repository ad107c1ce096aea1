"""What nodes counted of applications during a run."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.run.coordinator.shared_answers import SharedAnswers, table_share

METRICS = """# TYPE edge_shared_answers_total counter
edge_shared_answers_total{{result="hit",worker="0"}} {0}.0
edge_shared_answers_total{{result="hit",worker="1"}} {0}.0
edge_shared_answers_total{{result="filled",worker="0"}} 3.0
edge_requests_total{{result="hit"}} 1e9
"""


class SharedAnswersTests(SynchronousTestCase):
    """A node's admin socket."""

    def node(self) -> tuple[Path, list[int]]:
        folder = Path(tempfile.mkdtemp())  # the names of sockets are short
        self.addCleanup(shutil.rmtree, folder)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(folder / "admin.sock"))
        server.listen()
        hits = [5, 40]

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                connection.recv(4096)
                body = METRICS.format(hits.pop(0)).encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(server.close)
        self.addCleanup(thread.join, 10)
        return folder, hits

    def test_only_what_the_run_has_brought_counts(self) -> None:
        folder, _ = self.node()
        shared = SharedAnswers([folder])
        self.assertEqual(shared.counts(), {"shared_hit": 70, "shared_filled": 0})

    def test_without_a_node_nothing_is_told_and_a_wrong_folder_is_named(self) -> None:
        self.assertEqual(SharedAnswers([]).counts(), {})
        with self.assertRaisesRegex(UsageError, "--state /nowhere: no metrics from /nowhere/admin.sock"):
            SharedAnswers([Path("/nowhere")])

    def test_the_share_is_of_what_was_read(self) -> None:
        kinds = {"hit": 90, "stale": 4, "filled": 3, "coalesced": 2, "passed": 6}
        counts = {f"shared_{kind}": count for kind, count in kinds.items()}
        self.assertAlmostEqual(table_share(counts, mutations=5), 0.94)
        self.assertAlmostEqual(table_share({**counts, "confirmed_answers": 100}, mutations=5), 0.97)
        self.assertEqual(table_share({}), 0.0)
