"""How a site is published, as its configuration says."""

from __future__ import annotations

from collections.abc import Iterator

from edge.config.addresses import address_settings
from edge.config.model import Config, Site
from edge.publish.coding import Qualities
from edge.publish.groups import ImageSiblings
from edge.publish.settings import PublishSettings
from edge.sites import SiteHosts


def publish_settings(config: Config, site: Site) -> PublishSettings:
    """The settings of publishing *site*: which folder, and how."""
    return PublishSettings(
        root="" if site.webroot is None else str(site.webroot),
        client=str(config.state_dir / "client") if site.webroot is not None and site.smart_client else "",
        inject_client=site.inject_client,
        follow_symlinks=site.follow_symlinks,
        node=f"{config.node} {site.prefix}" if site.prefix else config.node,
        image_siblings=ImageSiblings(site.image_siblings),
        cache_rules=site.cache,
        types=site.types,
        listings=site.listing,
        addresses=address_settings(site),
        qualities=Qualities(brotli=config.brotli_quality, zstd=config.zstd_level),
        body_limit=config.body_limit_kib * 1024,
        file_limit=config.table_entries,
        private=tuple(_private(config)),
    )


def _private(config: Config) -> Iterator[str]:
    """What no site shows, wherever it lies: ``--webroot . --state-dir state`` is quickly said."""
    yield str(config.state_dir)
    yield str(config.cluster_key)
    for spec in config.endpoints:
        for files in spec.certificates:
            yield files.key
    for site in config.sites:
        for rule in site.auth:
            yield rule.users
    if config.file is not None:
        yield str(config.file)
    if config.access_log not in (None, "-", "journal"):
        yield str(config.access_log)


def site_hosts(config: Config) -> list[SiteHosts]:
    """Which hosts are of which site."""
    return [
        SiteHosts(
            site.prefix.encode("ascii"), tuple(host.encode("ascii") for host in site.hosts), site.default
        )
        for site in config.sites
    ]
