"""Jobs of a :class:`~edge.publish.schedule.Schedule`, done: each function blocks and belongs in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from edge.addresses.files import RULE_FILES
from edge.publish.building import Body, build
from edge.publish.catalogue import PublishedFile
from edge.publish.coding import Qualities
from edge.publish.encoding import Encoder
from edge.publish.groups import Group, groups_of
from edge.publish.lanes import Lane
from edge.publish.listings import Listings, entries_of, modified_of, pages_of
from edge.publish.making import Made, Maker
from edge.publish.problems import Report
from edge.publish.reading import Reader
from edge.publish.rules import NO_CACHE, CacheRules
from edge.publish.schedule import LOOK_FILES, Look, Looked, Make
from edge.publish.settings import PublishSettings
from edge.publish.site import Site
from edge.publish.store import Coded, CodingKey, Store
from edge.publish.threads import AtOnce
from edge.publish.types import Types, content_type
from edge.publish.walk import Folder, Listing, Place, open_file
from edge.publish.webroot import is_here, open_tree, refusals
from edge.resource import Coding, Resource


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
    listings, types = Listings(settings.listings), Types(settings.types)
    with open_tree(settings, store) as tree:
        for place in job.places:
            listing = tree.look_at(place, on_directory)
            groups = groups_of(Folder(place.name, listing.files), settings.image_siblings, types)
            lost = frozenset(
                group.main.name
                for group in groups
                if (old := site.files.get(group.main.name)) is not None and not is_here(old, store)
            )
            problems = [*listing.problems, *refusals(groups)]
            page = None
            has_index = not listing.files.keys().isdisjoint(settings.addresses.pages.index)
            if listings.has(place.prefix) and not has_index and not listing.is_unknown:
                page = list_folder(place, listing, groups, settings, store)
            results.append(
                Looked(place, listing._replace(problems=problems), groups, lost, time.time(), page)
            )
            files += len(groups)
            if files >= LOOK_FILES:
                break
    return results


def list_folder(
    place: Place, listing: Listing, groups: Sequence[Group], settings: PublishSettings, store: Store
) -> PublishedFile:
    """What the listing of the folder at *place* is published as: a resource for each of its pages.

    It is coded quickly: it lasts until the next change.
    """
    encoder = Encoder(store, settings.qualities, settings.body_limit, lambda problem: None)
    hidden = RULE_FILES if not place.name else frozenset()
    if not settings.publish_siblings:
        hidden |= frozenset(sibling.file for group in groups for _, sibling in group.coded)
    entries = entries_of(listing, hidden)
    control = CacheRules(settings.cache_rules).given(place.name + "/") or NO_CACHE
    if b"immutable" in control.lower():
        control = NO_CACHE
    modified = modified_of(listing, time.time())
    resources: list[Resource] = []
    for page in pages_of(place, entries):
        bodies = _coded(encoder, page.body, settings.qualities)
        path = place.prefix + page.name.encode("ascii")
        resources += build(path, content_type("text/html", True), control, modified, bodies, {})
    encoder.flush()
    return PublishedFile((), True, tuple(resources), ())


def _coded(encoder: Encoder, body: bytes, qualities: Qualities) -> dict[Coding, Body]:
    """*body* in all codings that are worth it, by the quick ways; kept for the next time."""
    content = encoder.placed((0, 0, len(body), 0, 0), body)
    keys = [encoder.quick_key(encoder.key(content, coding)) for coding in qualities.codings()]
    found: dict[CodingKey, Coded | str] = {**encoder.look_up(keys)}
    for key in keys:
        if key not in found:
            _, found[key] = encoder.encode(key, content)
            encoder.remember(key, found[key])
    bodies: dict[Coding, Body] = {Coding.IDENTITY: content}
    for key, coded in found.items():
        if not isinstance(coded, str) and coded.digest is not None:
            bodies[key.coding] = coded
    return bodies


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
