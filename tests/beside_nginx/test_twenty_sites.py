"""Twenty sites of nginx, converted: a node answers as nginx does, but for what is listed."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.config import load
from tests.beside_nginx.asking import Answer, Request, ask, requests_of
from tests.beside_nginx.content import FILES
from tests.beside_nginx.differences import DIFFERENCES, aspects, reason_of, table
from tests.beside_nginx.servers import NGINX, Both

#: Requests of each site; 500 is the whole.
COUNT = int(os.environ.get("BESIDE_NGINX", "40"))
SEED = os.environ.get("BESIDE_NGINX_SEED", "1")


class TwentySitesTests(SynchronousTestCase):
    """With real processes."""

    def setUp(self) -> None:
        self.assertIsNotNone(shutil.which(NGINX), "nginx is missing: apt-get install nginx-light")
        self.both = Both()
        self.addCleanup(self.both.clean_up)

    def test_all_are_converted_and_understood(self) -> None:
        """The node takes what came out; files beside applications are named, and what these are not told."""
        remarks = [str(remark) for remark in self.both.draft.remarks]
        named = ("win over the application", "X-Real-IP $remote_addr: an application is told")
        self.assertEqual([[each in one for one in remarks].count(True) for each in named], [2, 1])
        self.assertEqual(len(remarks), 3)
        self.assertGreaterEqual(len(FILES), 20)
        self.assertEqual(len(self.both.draft.sites), 25)
        load({}, self.both.directory / "edge.toml")

    def test_they_answer_as_nginx_does(self) -> None:
        """Each difference is one that is listed."""
        self.both.start()
        counts: Counter[str] = Counter()
        unexplained: list[str] = []
        with self.both.connections() as (nginx, node):
            for site in FILES:
                for request in requests_of(site, COUNT, SEED):
                    answers = ask(nginx, request), ask(node, request)
                    for aspect in aspects(request, *answers):
                        reason = reason_of(request, *answers, aspect)
                        counts[reason] += 1
                        if not reason:
                            unexplained.append(_told(request, *answers, aspect))
                    if request.again and answers[0].status == answers[1].status == 200:
                        for connection, answer in zip((nginx, node), answers, strict=True):
                            self._is_confirmed(connection, request, answer)
        print(f"{COUNT} requests of each of {len(FILES)} sites; differences: {dict(counts.most_common())}")
        self.assertEqual(len(unexplained), 0, "\n" + "\n".join(unexplained[:40]))

    def _is_confirmed(self, connection: object, request: Request, answer: Answer) -> None:
        if request.method != "POST" and "etag" in answer.fields:
            again = ask(connection, request, **{"If-None-Match": answer.fields["etag"]})  # type: ignore[arg-type]
            self.assertEqual(again.status, 304, request)


def _told(request: Request, nginx: Answer, node: Answer, aspect: str) -> str:
    def shown(answer: Answer) -> str:
        value = answer.fields.get(aspect) if aspect not in ("body", "type", "status") else answer.essence
        return f"{answer.status} {value} {answer.body[:40]!r}"

    return (
        f"{request.method} {request.host}{request.target} {aspect}: nginx {shown(nginx)}, node {shown(node)}"
    )


class TableTests(SynchronousTestCase):
    """What the how-to guide lists."""

    def test_the_guide_has_the_table_of_differences(self) -> None:
        guide = Path(__file__).parents[2] / "docs/howto/moving-in.md"
        found = re.search(r"\| nginx \| a node \| why \|\n(?:\|.*\n)+", guide.read_text("utf-8"))
        assert found is not None
        self.assertEqual(found[0], table(), "make it anew: python -m tests.beside_nginx.differences")
        self.assertGreater(len(DIFFERENCES), 10)
