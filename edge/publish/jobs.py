"""Jobs of a :class:`~edge.publish.schedule.Schedule`, done: each function blocks and belongs in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from edge.publish.groups import groups_of
from edge.publish.making import Made, Maker
from edge.publish.problems import Report
from edge.publish.reading import Reader
from edge.publish.rules import CacheRules
from edge.publish.schedule import LOOK_FILES, Lane, Look, Looked, Make
from edge.publish.settings import PublishSettings
from edge.publish.site import Site
from edge.publish.store import Store
from edge.publish.threads import AtOnce
from edge.publish.walk import Folder, Place, open_file
from edge.publish.webroot import is_here, open_tree, refusals


class Cancelled(Exception):
    """Nobody wants the result of a job any more."""


def root_of(settings: PublishSettings, store: Store) -> Place:
    """Where the webroot is.

    :class:`~edge.errors.PublishError` if it is not usable, :class:`~edge.errors.ConfigError` for wrong rules.
    """
    CacheRules(settings.cache_rules)
    with open_tree(settings, store) as tree:
        return tree.root_place()


def look(
    job: Look, settings: PublishSettings, store: Store, site: Site, on_directory: Callable[[str], None] | None
) -> Sequence[Looked]:
    """List the directories of *job*; not all, if the first ones have many files."""
    results: list[Looked] = []
    files = 0
    with open_tree(settings, store) as tree:
        for place in job.places:
            listing = tree.look_at(place, on_directory)
            groups = groups_of(Folder(place.name, listing.files), settings.image_siblings)
            lost = frozenset(
                group.main.name
                for group in groups
                if (old := site.files.get(group.main.name)) is not None and not is_here(old, store)
            )
            problems = [*listing.problems, *refusals(groups)]
            results.append(Looked(place, listing._replace(problems=problems), groups, lost, time.time()))
            files += len(groups)
            if files >= LOOK_FILES:
                break
    return results


def make(
    job: Make,
    settings: PublishSettings,
    store: Store,
    site: Site,
    report: Report,
    is_stopped: Callable[[], bool],
) -> Made:
    """Make the groups of *job*; :class:`Cancelled` if its one large file has changed, or at the end."""

    def go_on(count: int) -> None:
        if job.is_cancelled or is_stopped():
            raise Cancelled

    go_on(0)
    with open_tree(settings, store) as tree:
        reader = Reader(
            tree,
            store.blobs,
            body_limit=settings.body_limit,
            sleep=time.sleep,
            opener=open_file,
            now=time.time(),
            overdue=job.overdue,
            on_bytes=go_on if job.lane is Lane.LARGE else lambda count: None,
        )
        maker = Maker(settings, store, site.files, reader, AtOnce(), report=report, at_once=job.at_once)
        return maker.make(job.groups)
