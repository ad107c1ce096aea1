"""The check of answers: is a body, or a confirmation, what the cluster published?

* A 200's ETag is the digest of its body, which is what its Content-Encoding says, and what a page can use.
* A 304 confirms the ETag that was sent, and so does a batch that does not call it stale.
* A version that was superseded for longer than the bound is confirmed by nobody, and given to nobody.

Whether something was superseded is known from what answers carried before.  A site may also go back to
an older version; so a candidate is not counted before every node was asked what it has now: if most of
them have the old version, that is current again.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from hashlib import sha256

from edge.resource import etag_of
from loadgen.results import WRONG
from loadgen.run.client.content_checking import UNASKED, ContentChecker
from loadgen.run.client.site import Resource, Site
from loadgen.wire.interface import Answer


class StaleCandidate:
    """A confirmation of a superseded version, and what the nodes say of that version now."""

    def __init__(self, resource: Resource, etag: bytes, nodes: int) -> None:
        self.resource, self.etag = resource, etag
        self.waiting = nodes
        self.have = 0
        self.others = 0


class AnswerChecker:
    """The checks of one process, and the stale confirmations that it found."""

    def __init__(
        self,
        site: Site,
        stale_ticks: int,
        nodes: int,
        counts: Counter[str],
        probe: Callable[[StaleCandidate], None],
    ) -> None:
        """*probe* asks every node for a candidate's resource; each answer comes to :meth:`probed`."""
        self._site, self._stale, self._nodes, self._counts, self._probe = (
            site, stale_ticks, nodes, counts, probe,
        )  # fmt: skip
        self._open: set[tuple[bytes, bytes]] = set()
        self._contents = ContentChecker()

    def confirmed(self, resource: Resource, etag: bytes, asked: int) -> None:
        """Check that *etag* of *resource* was confirmed to who asked at the tick *asked*."""
        if etag != resource.current:
            self._old(resource, etag, asked)

    def not_modified(self, answer: Answer, resource: Resource, etag: bytes, asked: int) -> None:
        """Check a 304 that came for the validator *etag*."""
        if not etag or (answer.etag and answer.etag != etag):
            self.wrong("a 304 for another version" if etag else UNASKED)
            return
        self.confirmed(resource, etag, asked)

    def body(self, answer: Answer, body: bytes, resource: Resource, asked: int, now: int) -> bool:
        """Check a 200 that came with *body*; whether that is what its ETag says."""
        has_passed = resource.is_shared and not answer.etag  # nobody has stored it yet
        if not has_passed and answer.etag != etag_of(sha256(body).digest()):
            self.wrong("a body that is not what its ETag says" if answer.etag else "a 200 without ETag")
            return False
        key = answer.etag or (len(body), zlib.crc32(body))
        if what := self._contents.problem(key, answer.coding, body, resource):
            self.wrong(what)
            return False
        if has_passed:
            return True
        if answer.etag != resource.current:
            if resource.superseded(answer.etag) < 0:
                # An application's answers are new all the time: nobody needs to have published anything.
                self._counts["new_versions"] += not resource.is_shared
                self._site.learn(resource, answer.etag, now)
            else:
                self._old(resource, answer.etag, asked)
        return True

    def wrong(self, what: str) -> None:
        """Count an answer that is not what was published."""
        self._counts["wrong_answers"] += 1
        self._counts[f"{WRONG}{what}"] += 1

    def _old(self, resource: Resource, etag: bytes, asked: int) -> None:
        since = resource.superseded(etag)
        key = (resource.path, etag)
        if since < 0 or asked - since <= self._stale or key in self._open:
            return
        self._open.add(key)
        self._probe(StaleCandidate(resource, etag, self._nodes))

    def probed(self, candidate: StaleCandidate, answer: Answer | None, now: int) -> None:
        """Take what one node has now; None: it did not say."""
        candidate.waiting -= 1
        if answer is not None and answer.status == 200:
            if answer.etag == candidate.etag:
                candidate.have += 1
            else:
                candidate.others += 1
        if candidate.waiting:
            return
        self._open.discard((candidate.resource.path, candidate.etag))
        if candidate.have > candidate.others:
            self._site.learn(candidate.resource, candidate.etag, now)
        else:
            self._counts["stale_confirmations"] += 1
