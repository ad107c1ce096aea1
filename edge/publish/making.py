"""The maker: from groups of files to what is published of them.

:class:`Maker` goes through these stages, each over all groups that it is given:

1. read the files (:mod:`edge.publish.reading`); large ones that the store knows are not read; pages that are
   to have the smart client get it (:mod:`edge.publish.injection`), and its rules are looked at
   (:mod:`edge.publish.client_rules`);
2. see which siblings hold coded contents; look the other codings up in the store;
3. code what it does not know, the largest first (:mod:`edge.publish.coding`);
4. find out whether text is UTF-8, and whether names hold digests (:mod:`edge.publish.facts`);
5. put the resources together (:mod:`edge.publish.building`).

It blocks and belongs in a thread.

**Quickly first.**  Good brotli takes a second per megabyte, and readers wait for the whole site.  So what is
more than a little is coded quickly first, and is *provisional*; made again later, it is as good as the
settings say.  Each coding has the strong ETag of its own bytes: when the better one takes the place of the
quick one, its ETag changes, and those of the original and of gzip, which is coded once, stay.  In the end the
bytes depend on the contents, the quality and the library alone, so that nodes which publish the same files
agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from hashlib import sha256
from posixpath import basename
from typing import NamedTuple

from edge.errors import PublishError
from edge.publish.building import Body, build
from edge.publish.catalogue import PublishedFile
from edge.publish.client import RULES
from edge.publish.client_rules import wrong_with
from edge.publish.coding import decodes_to
from edge.publish.encoding import DAMAGED, Encoder
from edge.publish.facts import UTF8, candidates, is_true
from edge.publish.groups import Group
from edge.publish.injection import Pages, with_client
from edge.publish.problems import KEEPS_OLD, Kind, Problem, Report
from edge.publish.reading import Content, Reader
from edge.publish.rules import NO_CACHE, CacheRules, may_be_immutable
from edge.publish.settings import PublishSettings, ScanProgress
from edge.publish.store import Coded, CodingKey, Fact, Signature, Store, Version
from edge.publish.threads import in_threads
from edge.publish.types import content_type, essence, is_text
from edge.publish.walk import SourceFile
from edge.resource import CODING_TOKENS, Coding, Media, Resource, etag_of

#: Files one thread reads at a time: enough that handing over costs nothing.
_READ_TOGETHER = 128
#: Seconds since the last change, after which the next one surely shows in ctime (kernel ticks are <= 10 ms).
_SETTLED = 0.1


class Made(NamedTuple):
    """What became of groups of files."""

    #: By the names of their main files; None: nothing is published of it.
    files: dict[str, PublishedFile | None]
    #: By the names of all files: why they are not published as they are.
    problems: dict[str, Problem]
    #: By the names of main files: what else there is to say of them.
    notes: dict[str, list[Problem]]
    #: There will be more in a moment, even if nothing says that something changes.
    look_again: bool


class Maker:
    """Makes groups of files into published files, once."""

    def __init__(
        self,
        settings: PublishSettings,
        store: Store,
        before: Mapping[str, PublishedFile],
        reader: Reader,
        threads: Executor,
        *,
        report: Report = lambda problem: None,
        progress: Callable[[ScanProgress], None] = lambda progress: None,
        at_once: int | None = None,
        now: float | None = None,
    ) -> None:
        """*before*: what the files were published as, as far as they were.  *now*: Unix seconds.

        *at_once*: bytes that are coded as well as the settings say; if there are more, all are coded quickly,
        and provisional.  None: everything is coded well.  :class:`edge.errors.ConfigError` for a wrong rule.
        """
        self._settings = settings
        self._rules = CacheRules(settings.cache_rules)
        self._store = store
        self._before = before
        self._progress = progress
        self._report = report
        self._threads = threads
        self._reader = reader
        self._at_once = at_once
        self._started = time.time() if now is None else now
        self._encoder = Encoder(store, settings.qualities, settings.body_limit, report)
        self._pages = Pages(settings.inject_client)
        self._contents: dict[str, Content] = {}
        #: Of pages that are published with the smart client: as they are on disk.
        self._originals: dict[str, Content] = {}
        self._problems: dict[str, Problem] = {}
        self._notes: dict[str, list[Problem]] = {}
        self._facts: dict[Fact, bool] = {}
        self._provisional: set[CodingKey] = set()
        #: Before this process, of what it has not published yet.
        self._versions: dict[str, Version] = {}
        self._look_again = False

    def make(self, groups: Sequence[Group]) -> Made:
        """What is published of *groups*; all blobs that it refers to exist."""
        files: dict[str, PublishedFile | None] = {group.main.name: None for group in groups}
        self._read(groups)
        self._look_at_client_rules(groups)
        self._inject(groups)
        readable = [group for group in groups if self._is_readable(group, files)]
        siblings = self._sibling_codings(readable)
        codings = self._codings(readable, siblings)
        self._learn_facts(readable)
        if self._settings.node:
            names = [group.main.name for group in readable if group.main.name not in self._before]
            self._versions = self._encoder.versions(self._settings.node, names)
        published_now: dict[str, Version] = {}
        for group in readable:
            published = self._publish(group, siblings, codings)
            if published is not None:
                files[group.main.name] = published
                published_now[group.main.name] = _version(published.resources[0])
            else:
                self._keep(group.main.name, files)
        if self._settings.node:
            self._encoder.remember_versions(self._settings.node, published_now)
        changing = any(one.kind in (Kind.WRITING, Kind.CHANGING) for one in self._problems.values())
        return Made(files, self._problems, self._notes, self._look_again or changing)

    def _read(self, groups: Sequence[Group]) -> None:
        """Fill the contents and the problems of all files of *groups*."""
        files = {file.name: file for group in groups for file in group.files()}
        large = [file for file in files.values() if file.signature[2] > self._settings.body_limit]
        known = self._store.digests(file.signature for file in large)
        for file in large:
            digest = known.get(file.signature)
            size = file.signature[2]
            if digest is not None and self._store.blobs.has(etag_of(digest), size):
                self._contents[file.name] = Content(file.signature, digest, size, None)
        unread = sorted(
            (file for name, file in files.items() if name not in self._contents),
            key=lambda file: file.directory,
        )
        tasks = [unread[start : start + _READ_TOGETHER] for start in range(0, len(unread), _READ_TOGETHER)]
        done = 0
        learnt = {}
        with in_threads(self._threads, [(self._reader.read, (task,)) for task in tasks]) as read:
            for results in read:
                for file, result in results:
                    if isinstance(result, Problem):
                        self._problems[file.name] = result
                        self._report(result)
                        continue
                    self._contents[file.name] = result
                    if result.body is None and self._is_settled(result):
                        learnt[result.signature] = result.digest
                done += len(results)
                self._progress(ScanProgress("read", done, len(unread)))
        self._encoder.remember_digests(learnt)

    def _look_at_client_rules(self, groups: Sequence[Group]) -> None:
        """Say of the site's ``edge.json`` what smart clients will not take."""
        content = self._contents.get(RULES) if any(group.main.name == RULES for group in groups) else None
        why = wrong_with(self._encoder.body_of(content) or b"") if content is not None else ""
        if why:
            text = f"smart clients do not take it, and stay with the rules that they have: {why}"
            self._note(RULES, Problem(Kind.CLIENT_RULES, RULES, text))

    def _inject(self, groups: Sequence[Group]) -> None:
        """Put the smart client into the pages that are to have it."""
        for group in groups:
            name = group.main.name
            main = self._contents.get(name)
            if main is None or essence(group.media_type) != "text/html" or not self._pages.has(name):
                continue
            body = self._encoder.body_of(main)
            page, reason = with_client(body) if body is not None else (None, "")
            if reason:
                text = f"is published without the smart client: {reason}"
                self._note(name, Problem(Kind.NO_CLIENT, name, text))
            if page is None:
                continue
            try:
                self._contents[name] = self._encoder.placed(main.signature, page)
                self._originals[name] = main
            except PublishError as error:
                self._problems[name] = problem = Problem(
                    Kind.STORE, name, f"{error}; a version published before stays"
                )
                self._report(problem)

    def _is_readable(self, group: Group, files: dict[str, PublishedFile | None]) -> bool:
        """Whether *group* can be made anew; if not, its old version is kept where that is right."""
        for file in group.files():
            problem = self._problems.get(file.name)
            if problem is None:
                continue
            if file is group.main and problem.kind not in KEEPS_OLD:
                return False
            if problem.kind in KEEPS_OLD and (self._keep(group.main.name, files) or file is group.main):
                return False
        return True

    def _keep(self, name: str, files: dict[str, PublishedFile | None]) -> bool:
        """Keep what file *name* was published as; it will be tried again."""
        old = self._before.get(name)
        if old is None:
            return False
        files[name] = kept(old, self._store)
        return True

    def _sibling_codings(self, groups: Sequence[Group]) -> dict[tuple[str, Coding], SourceFile]:
        """The siblings that hold the coded contents of their main files."""
        candidates = [
            (group, coding, sibling)
            for group in groups
            for coding, sibling in group.coded
            if sibling.name in self._contents
        ]

        def check(
            group: Group, coding: Coding, sibling: SourceFile
        ) -> tuple[Group, Coding, SourceFile, bool]:
            name = group.main.name
            main, coded = self._originals.get(name, self._contents[name]), self._contents[sibling.name]
            right = coded.length < main.length <= self._settings.coding_limit
            if right:
                body, data = self._encoder.body_of(main), self._encoder.body_of(coded)
                right = body is not None and data is not None and decodes_to(data, coding, body)
            return group, coding, sibling, right

        found = {}
        with in_threads(self._threads, [(check, each) for each in candidates]) as checked:
            for group, coding, sibling, right in checked:
                if right:
                    found[group.main.name, coding] = sibling
                else:
                    main = group.main.file
                    text = f"does not hold the contents of {main} coded smaller; it is a file of its own"
                    self._note(group.main.name, Problem(Kind.SIBLING, sibling.name, text))
        return found

    def _codings(
        self, groups: Sequence[Group], siblings: dict[tuple[str, Coding], SourceFile]
    ) -> dict[CodingKey, Coded | str]:
        """The coded bodies that *groups* need besides the siblings, or why there is none."""
        wanted: dict[CodingKey, Content] = {}
        for group in groups:
            if group.is_compressible:
                content = self._contents[group.main.name]
                if self._settings.qualities.smallest <= content.length <= self._settings.coding_limit:
                    for coding in self._settings.qualities.codings():
                        if (group.main.name, coding) not in siblings or group.main.name in self._originals:
                            wanted[self._encoder.key(content, coding)] = content
        found: dict[CodingKey, Coded | str] = {**self._encoder.look_up(wanted)}
        missing = sorted(wanted.keys() - found.keys(), key=lambda key: -wanted[key].length)
        quick = self._quick(missing, wanted)
        tasks = [(self._encoder.encode, (quick.get(key, key), wanted[key])) for key in missing]
        self._provisional.update(quick)
        well = {quick_key: key for key, quick_key in quick.items()}
        try:
            with in_threads(self._threads, tasks) as results:
                for done, (key, coded) in enumerate(results, 1):
                    found[well.get(key, key)] = coded
                    if key not in well:
                        self._encoder.remember(key, coded)
                    self._progress(ScanProgress("compress", done, len(missing)))
        finally:
            self._encoder.flush()
        return found

    def _quick(
        self, missing: Sequence[CodingKey], wanted: Mapping[CodingKey, Content]
    ) -> dict[CodingKey, CodingKey]:
        """Those of *missing* that are coded quickly for now, and how."""
        quick = {key: fast for key in missing if (fast := self._encoder.quick_key(key)) != key}
        size = sum({key.source: wanted[key].length for key in quick}.values())
        return quick if self._at_once is not None and size > self._at_once else {}

    def _learn_facts(self, groups: Sequence[Group]) -> None:
        """Find out what :meth:`_publish` has to know of the contents; of blobs, once."""
        wanted: dict[Fact, Content] = {}
        for group in groups:
            content = self._contents[group.main.name]
            if is_text(group.media_type):
                wanted[Fact(content.digest, UTF8)] = content
            if self._may_be_fingerprinted(group):
                wanted[Fact(content.digest, basename(group.main.name))] = content
        blobs = {fact for fact, content in wanted.items() if content.body is None}
        self._facts = self._encoder.known_facts(blobs)
        unknown = [item for item in wanted.items() if item[0] not in self._facts]
        tasks = [unknown[start : start + _READ_TOGETHER] for start in range(0, len(unknown), _READ_TOGETHER)]

        def learn(items: Sequence[tuple[Fact, Content]]) -> dict[Fact, bool]:
            learnt = {}
            for fact, content in items:
                with suppress(OSError):  # a blob that cannot be read proves nothing
                    learnt[fact] = is_true(fact.fact, self._pieces(content))
            return learnt

        with in_threads(self._threads, [(learn, (task,)) for task in tasks]) as results:
            for learnt in results:
                self._facts.update(learnt)
                self._encoder.remember_facts({fact: learnt[fact] for fact in blobs & learnt.keys()})

    def _pieces(self, content: Content) -> Iterable[bytes]:
        if content.body is not None:
            return (content.body,)
        return self._store.blobs.pieces(etag_of(content.digest))

    def _may_be_fingerprinted(self, group: Group) -> bool:
        """Whether the contents decide on Cache-Control: no digest stands for those of several images."""
        name = group.main.name
        return (
            not group.media
            and self._rules.given(name) is None
            and may_be_immutable(name)
            and bool(candidates(basename(name)))
        )

    def _publish(
        self,
        group: Group,
        siblings: dict[tuple[str, Coding], SourceFile],
        codings: dict[CodingKey, Coded | str],
    ) -> PublishedFile | None:
        name = group.main.name
        main = self._contents[name]
        bodies: dict[Coding, Body] = {Coding.IDENTITY: main}
        used = []
        for coding in CODING_TOKENS if group.is_compressible else ():
            sibling = siblings.get((group.main.name, coding))
            if sibling is not None:
                used.append(sibling.name)
                if name not in self._originals:
                    bodies[coding] = self._contents[sibling.name]
                    continue
            key = self._encoder.key(main, coding)
            if key in codings:
                coded = codings[key]
                if isinstance(coded, str):
                    text = f"could not be coded: {coded}; a version published before stays"
                    kind = Kind.DAMAGED if coded is DAMAGED else Kind.STORE
                    self._problems[name] = problem = Problem(kind, name, text)
                    self._report(problem)
                    return None
                if coded.digest is not None:
                    bodies[coding] = coded
        media = {kind: self._contents[file.name] for kind, file in group.media if file.name in self._contents}
        was = self._before.get(name)
        before = _version(was.resources[0]) if was is not None else self._versions.get(name)
        originals = {Media.ORIGINAL: main.digest, **{kind: one.digest for kind, one in media.items()}}
        changed = before is not None and before.contents != _contents(originals)
        moves = changed or (was is not None and was.is_undated)
        modified = self._modified((main, *media.values()), before, moves)
        has_changed = changed or (was is not None and was.has_changed)
        resources = build(
            group.main.path,
            content_type(group.media_type, self._facts.get(Fact(main.digest, UTF8), False)),
            self._cache_control(name, main, has_changed),
            modified,
            bodies,
            media,
        )
        # A file that was read in a later state than it was listed in is looked at again by the next scan.
        settled = all(
            (content := self._contents.get(file.name)) is not None
            and content.signature == file.signature
            and self._is_settled(content)
            for file in group.files()
        )
        is_undated = before is not None and moves and modified <= before.modified
        self._look_again |= is_undated
        is_provisional = group.is_compressible and any(
            self._encoder.key(main, coding) in self._provisional
            for coding in self._settings.qualities.codings()
        )
        return PublishedFile(
            group.signatures(),
            settled and not is_undated,
            resources,
            tuple(used),
            has_changed,
            is_undated,
            is_provisional,
        )

    def _modified(self, contents: Iterable[Content], before: Version | None, moves: bool) -> int:
        """Last-Modified: that of the files, but for other bytes a later one than before, never in the future.

        The times of files may be equal, or go back: reproducible builds, rollbacks.
        """
        seconds = max(content.signature[3] for content in contents) // 1_000_000_000
        if before is not None:
            seconds = max(seconds, before.modified + moves)
        return min(seconds, int(self._started))

    def _cache_control(self, name: str, main: Content, has_changed: bool) -> bytes:
        """What a rule says, or the digest in the name; whatever changed is not immutable by a rule."""
        value = self._rules.cache_control(name, self._facts.get(Fact(main.digest, basename(name)), False))
        if has_changed and b"immutable" in value.lower() and self._rules.given(name) is not None:
            text = f"has changed, so it is no longer {value.decode()} as the rule says, but confirmed"
            self._note(name, Problem(Kind.CHANGED, name, text))
            return NO_CACHE
        return value

    def _note(self, name: str, problem: Problem) -> None:
        self._notes.setdefault(name, []).append(problem)
        self._report(problem)

    def _is_settled(self, content: Content) -> bool:
        return self._age(content.signature) > _SETTLED

    def _age(self, signature: Signature) -> float:
        """Seconds since the last change."""
        return self._started - signature[4] / 1e9


def kept(old: PublishedFile, store: Store) -> PublishedFile:
    """*old*, which stays although its file may have changed: it is not settled."""
    store.blobs.retain(one.etag for one in old.resources[0].representations if one.body is None)
    return old._replace(settled=False)


def _version(resource: Resource) -> Version:
    originals = {
        Media(one.variant // 4): one.digest for one in resource.representations if one.variant % 4 == 0
    }
    return Version(_contents(originals), resource.modified)


def _contents(originals: Mapping[Media, bytes]) -> bytes:
    """A digest of what is not coded, by media variant."""
    return sha256(b"".join(b"%d" % kind + originals[kind] for kind in sorted(originals))).digest()
