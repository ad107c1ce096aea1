"""Applications' answers from the table of a real node: workers, supervisor and application are processes."""

from __future__ import annotations

import ast
import os
import signal
import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests import processes
from tests.end_to_end.hosting import HostingNode

TABLE = {"name": "pages", "at": "/", "run": "shared_pages:app", "share": ["/at-once/**", "/large"]}


class SharedCacheTests(SynchronousTestCase):
    """A node with two workers before one application."""

    #: One for all tests that leave it as it is.
    shared: HostingNode | None = None

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.shared is not None:
            cls.shared.clean_up()
            cls.shared = None

    def host(self, workers: int = 2, **keys: Any) -> HostingNode:
        node = HostingNode({**TABLE, **keys}, workers=workers)
        self.addCleanup(node.clean_up)
        return node.start_all()

    def whole(self) -> HostingNode:
        """The node that is shared."""
        if self.shared is None:
            type(self).shared = HostingNode(TABLE, workers=2)
            assert self.shared is not None
            self.shared.start_all()
        return self.shared

    def asked(self, node: HostingNode) -> dict[str, int]:
        """Path -> how often the application was asked."""
        return ast.literal_eval(node.ask("/asked")[2].decode())  # type: ignore[no-any-return]

    def cached(self, node: HostingNode, path: str, *fields: Any) -> tuple[str, bytes]:
        """(Cache-Status, first line of the body)."""
        _, headers, body = node.ask(path, *fields)
        return headers["Cache-Status"], body.partition(b"\n")[0]

    def test_the_second_request_fills_and_all_others_are_answered_from_the_table(self) -> None:
        node = self.whole()
        self.assertEqual(
            [self.cached(node, "/a?x=1", {"Cookie": "me"}) for _ in range(2)],
            [("edge; fwd=uri-miss", b"/a 1 x=1 me"), ("edge; fwd=uri-miss; stored", b"/a 2 x=1 nobody")],
        )
        for _ in range(20):  # whichever worker takes it
            self.assertEqual(self.cached(node, "/a?x=1"), ("edge; hit", b"/a 2 x=1 nobody"))
        self.assertEqual(self.cached(node, "/a?x=2")[1], b"/a 3 x=2 nobody")
        self.assertEqual(self.asked(node)["/a"], 3)

    def test_a_copy_is_confirmed_alone_in_a_batch_and_by_the_query_whoever_asks(self) -> None:
        node = self.whole()
        for _ in range(3):
            _, headers, body = node.ask("/at-once/c?x=%7B1%7D", {"Accept-Encoding": "br"})
        self.assertEqual((headers["Content-Encoding"], headers["Cache-Status"]), ("br", "edge; hit"))
        self.assertLess(len(body), 1000)
        tag = headers["ETag"].strip('"')
        for target, fields in (
            ("/at-once/c?x=%7B1%7D", {"If-None-Match": f'"{tag}"', "Accept-Encoding": "br"}),
            (f"/at-once/c?x=%7B1%7D&~etag={tag}", {"Accept-Encoding": "br"}),
        ):
            self.assertEqual(node.ask(target, fields)[0], 304)
        batch = f"{tag} /at-once/c?x=%7B1%7D\n{tag} /at-once/c\n".encode()
        answer = node.ask("/.edge/revalidate", method="POST", body=batch)[2]
        self.assertIn(b'"stale":[1]', answer)

    def test_hundreds_who_want_the_same_at_once_cost_one_question(self) -> None:
        node = self.whole()
        bodies: list[bytes] = []
        readers = [
            threading.Thread(target=lambda: bodies.append(node.ask("/at-once/hot")[2])) for _ in range(200)
        ]
        for reader in readers:
            reader.start()
        processes.join(*readers)
        self.assertEqual((len(bodies), len(set(bodies)), self.asked(node)["/at-once/hot"]), (200, 1, 1))

    def test_misses_are_answered_without_a_connection_on_the_twisted_side(self) -> None:
        node = self.whole()
        before = node.metric("edge_handoffs_total")
        for number in range(10):
            self.assertEqual(
                self.cached(node, f"/at-once/held/{number}?x=1", {"Accept-Encoding": "compress"}),
                ("edge; fwd=uri-miss; stored", f"/at-once/held/{number} 1 x=1 nobody".encode()),
            )
        self.assertEqual(node.metric("edge_handoffs_total"), before)

    def test_a_large_answer_is_stored_too_and_read_in_parts(self) -> None:
        node = self.whole()
        whole = node.ask("/large")[2]
        self.assertGreater(len(whole), 290_000)
        self.assertEqual(node.ask("/large")[2], whole)
        status, headers, part = node.ask("/large", {"Range": "bytes=100-199"})
        self.assertEqual((status, part), (206, whole[100:200]))
        self.assertEqual(headers["Cache-Status"], "edge; hit")
        self.assertEqual(self.asked(node)["/large"], 1)

    def test_what_is_stored_goes_on_being_served_when_the_application_and_a_worker_are_killed(self) -> None:
        node = self.host(**{"stale-if-error": 3600})
        target = "/at-once/kept?control=s-maxage%3D1"
        first = node.ask(target)[2]
        for pid in (*node.pids("pages"), node.worker_pids()[0]):
            os.kill(pid, signal.SIGSTOP if pid == node.pids("pages")[0] else signal.SIGKILL)
        stopped = node.pids("pages")[0]
        try:
            for _ in range(50):
                status, _, body = node.ask(target)
                self.assertEqual((status, body), (200, first))
        finally:
            os.kill(stopped, signal.SIGKILL)
        for _ in range(50):
            self.assertEqual(node.ask(target)[0], 200)

    def test_a_file_that_is_published_wins_and_one_that_is_removed_gives_its_place_back(self) -> None:
        node = self.whole()
        self.cached(node, "/at-once/page")
        (node.site / "at-once").mkdir()
        node.write("at-once/page", b"a file")
        node.wait_for(lambda: node.ask("/at-once/page")[2] == b"a file", "the file is published")
        self.assertEqual(node.ask("/at-once/page?x=1")[2], b"a file")
        (node.site / "at-once" / "page").unlink()
        node.wait_for(lambda: node.ask("/at-once/page")[2] != b"a file", "the file is gone")
        self.assertTrue(self.cached(node, "/at-once/page")[1].startswith(b"/at-once/page"))

    def test_one_process_without_workers_does_the_same(self) -> None:
        node = self.host(workers=0)
        self.assertEqual(
            [self.cached(node, "/at-once/a")[0] for _ in range(2)],
            ["edge; fwd=uri-miss; stored", "edge; hit"],
        )
