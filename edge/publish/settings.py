"""Settings of a scan, and the progress that it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from edge.addresses.fields import FieldRule, Fields
from edge.addresses.files import WrongLine, read_headers, read_redirects
from edge.addresses.pages import PageAddresses
from edge.addresses.redirects import AddressRule, AddressRules, circles
from edge.publish.addressing import Addressing
from edge.publish.coding import Qualities
from edge.publish.groups import ImageSiblings


@dataclass(frozen=True)
class AddressSettings:
    """The addresses and fields of a site, as it is configured."""

    pages: PageAddresses = field(default_factory=PageAddresses)
    header: tuple[FieldRule, ...] = ()
    #: See :data:`edge.addresses.fields.PRESETS`.
    security: str = "off"
    #: Pages of other origins may read what is here.
    foreign: bool = False
    rules: tuple[AddressRule, ...] = ()
    fallback: str = ""
    merge_slashes: bool = True

    def addressing(self, redirects: bytes = b"", headers: bytes = b"") -> tuple[Addressing, list[str]]:
        """With the contents of ``_redirects`` and ``_headers`` behind what is configured.

        And sentences about what those say in vain.
        """
        rules, wrong = read_redirects(redirects)
        fields, wrong_fields = read_headers(headers)
        sentences = _together([*wrong, *wrong_fields])
        address_rules = AddressRules((*self.rules, *rules))
        for circle in circles(address_rules):
            sentences.append(f"{circle}; none of the rules of the file counts")
            address_rules = AddressRules(self.rules)
            break
        return Addressing(
            self.pages,
            Fields((*self.header, *fields), self.security, self.foreign),
            address_rules,
            self.fallback,
            self.merge_slashes,
        ), sentences


#: Lines of a file that are said one by one.
_SAID = 20


def _together(wrong: list[WrongLine]) -> list[str]:
    """A sentence for each of *wrong*, and one for all that are too many."""
    said = [f"{one}; the line is passed over" for one in wrong[:_SAID]]
    if len(wrong) > _SAID:
        said.append(f"{wrong[_SAID].file} line {wrong[_SAID].line}: and {len(wrong) - _SAID} more such lines")
    return said


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
    addresses: AddressSettings = field(default_factory=AddressSettings)
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
    #: Files and directories of the node itself, wherever they lie: state, keys, passwords. No part of a site.
    private: tuple[str, ...] = ()
    #: Files; 2**20 is the default capacity of the table.
    file_limit: int = 1 << 20


class ScanProgress(NamedTuple):
    """How far a scan is: files read, or bodies compressed, of how many."""

    #: "read" or "compress".
    stage: str
    done: int
    total: int
