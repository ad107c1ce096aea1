"""The encoder of a scan: coded bodies from the cache, or made and then cached, keyed by content digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from edge.errors import PublishError
from edge.publish.coding import Qualities, encode, is_worth_it
from edge.publish.problems import Kind, Problem, Report
from edge.publish.reading import Content
from edge.publish.store import NOT_WORTH_IT, Coded, CodingKey, Fact, Signature, Store, Version
from edge.resource import Coding, etag_of

#: Results kept before they are written together: a broken-off first start loses no more than these.
_RESULTS_TOGETHER = 200

#: Why a body was not coded: its blob had other bytes than its name says, and is removed.
DAMAGED = "its copy in the state directory was damaged"


class Encoder:
    """Codes bodies.  :meth:`encode` and :meth:`body_of` may run in several threads at once."""

    def __init__(self, store: Store, qualities: Qualities, body_limit: int, report: Report) -> None:
        """*body_limit*: coded bodies of more bytes become blobs."""
        self._store = store
        self._qualities = qualities
        self._body_limit = body_limit
        self._report = report
        self._results: dict[CodingKey, Coded] = {}

    def key(self, content: Content, coding: Coding) -> CodingKey:
        """What the result of coding *content* is kept under."""
        return CodingKey(content.digest, coding, self._qualities.of(coding))

    def quick_key(self, key: CodingKey) -> CodingKey:
        """*key* with the quality of the first coding; the same one where that is quick enough."""
        return key._replace(quality=self._qualities.quick(key.coding))

    def body_of(self, content: Content) -> bytes | None:
        """The bytes, wherever they are; None, and the blob removed, if it is damaged."""
        if content.body is not None:
            return content.body
        etag = etag_of(content.digest)
        body = self._store.blobs.read(etag, content.digest)
        if body is None:
            self._store.blobs.discard(etag)
        return body

    def placed(self, signature: Signature, body: bytes) -> Content:
        """Contents made from a file: in memory if small, else a blob; :class:`PublishError`."""
        if len(body) > self._body_limit:
            self._store.blobs.put(body)
        kept = body if len(body) <= self._body_limit else None
        return Content(signature, sha256(body).digest(), len(body), kept)

    def look_up(self, keys: Iterable[CodingKey]) -> dict[CodingKey, Coded]:
        """What is known of *keys*, each body where it belongs by its length."""
        try:
            known = self._store.coded(keys)
        except PublishError as error:
            self._report(Problem(Kind.STORE, "", str(error)))
            return {}
        found = {}
        for key, coded in known.items():
            try:
                placed = self._placed(coded)
            except PublishError:
                continue  # the same will happen, and be told, when it is coded again
            if placed is not None:
                found[key] = placed
        return found

    def encode(self, key: CodingKey, content: Content) -> tuple[CodingKey, Coded | str]:
        """Code *content* as *key* says, or tell why that is impossible."""
        body = self.body_of(content)
        if body is None:
            return key, DAMAGED
        data = encode(body, key.coding, key.quality)
        if not is_worth_it(len(body), len(data)):
            return key, NOT_WORTH_IT
        try:
            return key, self._placed(Coded(sha256(data).digest(), len(data), data)) or NOT_WORTH_IT
        except PublishError as error:
            return key, str(error)

    def remember(self, key: CodingKey, coded: Coded | str) -> None:
        """Keep a result of :meth:`encode` for the next scan."""
        if not isinstance(coded, str):
            self._results[key] = coded
            if len(self._results) >= _RESULTS_TOGETHER:
                self.flush()

    def flush(self) -> None:
        """Write what is remembered."""
        results, self._results = self._results, {}
        try:
            self._store.remember_coded(results)
        except PublishError as error:
            self._report(Problem(Kind.STORE, "", str(error)))

    def remember_digests(self, digests: Mapping[Signature, bytes]) -> None:
        """Keep the digests of large files for the next scan."""
        try:
            self._store.remember_digests(digests)
        except PublishError as error:
            self._report(Problem(Kind.STORE, "", str(error)))

    def known_facts(self, wanted: Iterable[Fact]) -> dict[Fact, bool]:
        """Which of the *wanted* facts are true, as far as an earlier scan has found out."""
        try:
            return self._store.facts(wanted)
        except PublishError as error:
            self._report(Problem(Kind.STORE, "", str(error)))
            return {}

    def remember_facts(self, facts: Mapping[Fact, bool]) -> None:
        """Keep facts about large bodies for the next scan."""
        try:
            self._store.remember_facts(facts)
        except PublishError as error:
            self._report(Problem(Kind.STORE, "", str(error)))

    def versions(self, node: str, names: Iterable[str]) -> dict[str, Version]:
        """What *node* published last under *names*, as far as that is known."""
        try:
            return self._store.versions(node, names)
        except PublishError as error:
            self._report(Problem(Kind.STORE, "", str(error)))
            return {}

    def remember_versions(self, node: str, versions: Mapping[str, Version]) -> None:
        """Keep what *node* publishes for its next start."""
        try:
            self._store.remember_versions(node, versions)
        except PublishError as error:
            self._report(Problem(Kind.STORE, "", str(error)))

    def _placed(self, coded: Coded) -> Coded | None:
        """*coded* in memory if it is small, else as a blob; None if it is nowhere."""
        if coded.digest is None:
            return coded
        blobs, etag = self._store.blobs, etag_of(coded.digest)
        if coded.length > self._body_limit:
            if coded.body is not None:
                blobs.put(coded.body)
            elif not blobs.is_whole(etag, coded.length):
                return None
            return coded._replace(body=None)
        if coded.body is None:
            body = blobs.read(etag, coded.digest)
            return coded._replace(body=body) if body is not None else None
        return coded
