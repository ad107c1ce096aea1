"""The scan: from a folder of files to a :class:`~edge.publish.catalogue.Catalogue`, all of it at once.

:func:`scan` lists the webroot (:mod:`edge.publish.walk`), groups the files (:mod:`edge.publish.groups`),
takes over from the previous catalogue what has not changed by what stat says, and has the rest made
(:mod:`edge.publish.making`).

A scan blocks and belongs in a thread.  It may be repeated at will: what is unchanged costs one stat.  It is
for small folders; a webroot is published part by part (:mod:`edge.publish.schedule`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress

from edge.publish.catalogue import Catalogue, PublishedFile
from edge.publish.groups import Group, groups_of
from edge.publish.making import Made, Maker, kept
from edge.publish.problems import KEEPS_OLD, Kind, Problem, Report
from edge.publish.reading import LONGEST_WAIT, WRITING_SECONDS, Reader
from edge.publish.settings import PublishSettings, ScanProgress
from edge.publish.store import Store
from edge.publish.threads import threads_or
from edge.publish.types import Types
from edge.publish.walk import Opener, Tree, open_file


def scan(
    settings: PublishSettings,
    store: Store,
    previous: Catalogue | None = None,
    progress: Callable[[ScanProgress], None] = lambda progress: None,
    report: Report = lambda problem: None,
    executor: Executor | None = None,
    *,
    on_directory: Callable[[str], None] | None = None,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    opener: Opener = open_file,
    at_once: int | None = None,
) -> Catalogue:
    """Everything the webroot holds now, ready to serve; all blobs it refers to exist.

    *executor* defaults to one thread for each core.  *progress* and *report* are called in the calling
    thread; an exception from *progress* ends the scan.  *on_directory*: see :meth:`Tree.look_at`.
    *at_once*: see :class:`~edge.publish.making.Maker`.
    :class:`PublishError` if there is no usable webroot, :class:`edge.errors.ConfigError` for a wrong rule.
    """
    started = now()
    before = previous if previous is not None else Catalogue()
    failed_names: list[str] = []

    def on_problem(problem: Problem) -> None:
        if problem.kind in KEEPS_OLD:
            failed_names.append(problem.name)
        report(problem)

    with threads_or(executor) as threads, open_tree(settings, store, opener) as tree:
        reader = Reader(
            tree,
            store.blobs,
            body_limit=settings.body_limit,
            sleep=sleep,
            opener=opener,
            now=started,
            overdue={name for name, since in before.written_since.items() if started - since >= LONGEST_WAIT},
        )
        maker = Maker(
            settings, store, before.files, reader, threads,
            report=report, progress=progress, at_once=at_once, now=started,
        )  # fmt: skip
        groups = [
            group
            for folder in tree.walk(on_problem, on_directory)
            for group in groups_of(folder, settings.image_siblings, Types(settings.types))
        ]
        for problem in refusals(groups):
            report(problem)
        files: dict[str, PublishedFile] = {}
        fresh: list[Group] = []
        for group in groups:
            old = before.files.get(group.main.name) if before.rules == settings else None
            if old is not None and is_unchanged(old, group) and is_here(old, store):
                files[group.main.name] = old
            else:
                fresh.append(group)
        made = maker.make(fresh)
        files.update((name, one) for name, one in made.files.items() if one is not None)
        for failed in failed_names:
            for name, old in before.files.items():
                if name not in files and is_below(name, failed):
                    files[name] = kept(old, store)
        if not settings.publish_siblings:
            for name in [name for published in files.values() for name in published.siblings]:
                files.pop(name, None)
        since = _written_since(before, groups, made, started)
        return Catalogue(files, settings, written_since=since, look_again=made.look_again)


def open_tree(settings: PublishSettings, store: Store, opener: Opener = open_file) -> Tree:
    """The webroot, open, without what is the node's own if that lies in it."""
    exclude = set()
    for path in (store.directory, *settings.private):
        with suppress(FileNotFoundError, NotADirectoryError):
            status = os.stat(path)
            exclude.add((status.st_dev, status.st_ino))
    return Tree(
        settings.root,
        follow_symlinks=settings.follow_symlinks,
        file_limit=settings.file_limit,
        exclude=frozenset(exclude),
        opener=opener,
    )


def refusals(groups: Sequence[Group]) -> list[Problem]:
    """Siblings that are not used, and why."""
    return [
        Problem(Kind.SIBLING, sibling.name, f"{why}, so it does not answer for it")
        for group in groups
        for sibling, why in group.refused
    ]


def is_unchanged(old: PublishedFile, group: Group) -> bool:
    """Whether what *group* was published as is still right, by what stat says."""
    return old.settled and old.signatures == group.signatures()


def is_here(old: PublishedFile, store: Store) -> bool:
    """Whether the bodies of *old* that are blobs are there."""
    return all(
        store.blobs.has(one.etag, one.length) for one in old.resources[0].representations if one.body is None
    )


def is_below(name: str, folder: str) -> bool:
    """Whether the file *name* is *folder*, or in it; "" is the webroot."""
    return not folder or name == folder or name.startswith(folder + "/")


def _written_since(
    before: Catalogue, groups: Sequence[Group], made: Made, started: float
) -> dict[str, float]:
    """When the files that are being written were first seen so; for the next scan."""
    since = before.written_since
    written = {name for name, problem in made.problems.items() if problem.kind is Kind.WRITING}
    for group in groups:  # what was published although it grows is not waited for again
        if group.main.name in since and started - group.main.signature[4] / 1e9 < WRITING_SECONDS:
            written.add(group.main.name)
    return {name: since.get(name, started) for name in written}


__all__ = ["PublishSettings", "ScanProgress", "scan"]
