"""Settings of a scan, and the progress that it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from edge.publish.coding import Qualities
from edge.publish.groups import ImageSiblings


@dataclass(frozen=True)
class PublishSettings:
    """What to publish, and how."""

    #: The directory of files; "": none, the node serves what others publish.
    root: str
    #: The directory of the smart client, published beside *root*; "": none.
    client: str = ""
    #: Globs of the pages that get the smart client's script tag, see :mod:`edge.publish.injection`.
    inject_client: tuple[str, ...] = ()
    #: (``.extension``, name or ``*``; media type), before those of :mod:`edge.publish.types`.
    types: tuple[tuple[str, str], ...] = ()
    #: Globs of the folders that are listed, see :mod:`edge.publish.listings`.
    listings: tuple[str, ...] = ()
    #: Publish what links point to outside of *root*.
    follow_symlinks: bool = False
    #: (glob, Cache-Control value), the first match wins; see :mod:`edge.publish.rules`.
    cache_rules: tuple[tuple[str, str], ...] = ()
    qualities: Qualities = field(default_factory=Qualities)
    #: Bytes.  Larger bodies are served from files, not from the table.
    body_limit: int = 256 * 1024
    #: Bytes.  Larger files are not coded: it would take minutes, and as much memory.
    coding_limit: int = 64 * 1024 * 1024
    #: Publish ``x.br`` and ``x.gz`` under their own paths too, although they hold the contents of ``x``.
    publish_siblings: bool = False
    #: Whose versions are remembered beyond this process, where nodes share a state directory; "": nobody's.
    node: str = ""
    image_siblings: ImageSiblings = ImageSiblings.STEM
    #: Files; 2**20 is the default capacity of the table.
    file_limit: int = 1 << 20


class ScanProgress(NamedTuple):
    """How far a scan is: files read, or bodies compressed, of how many."""

    #: "read" or "compress".
    stage: str
    done: int
    total: int
