"""Groups: which files of a directory are variants of one resource (content negotiation by siblings).

A resource is made from one *main* file, and there may be *siblings* beside it:

* ``x.br`` and ``x.gz`` hold the coded contents of ``x``, if ``x`` is of a type worth coding and they are
  not older.  Whether they really decode to ``x`` is for
  the scan to find out; only then they are no files of their own any more;
* ``photo.avif`` and ``photo.webp`` are media variants of ``photo.jpg`` (``.jpeg``, ``.png``), if they are not
  older and no other image has the same stem: nothing in the bytes says what an image was made from.  By
  another rule of names they are ``photo.jpg.avif`` and ``photo.jpg.webp``, or there are none
  (:class:`ImageSiblings`).  They are published under their own paths as well.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import NamedTuple

from edge.publish.coding import SIBLING_SUFFIXES
from edge.publish.store import Signature
from edge.publish.types import Types, extension_of, is_compressible
from edge.publish.walk import Folder, SourceFile
from edge.resource import Coding, Media

#: Extensions of images that may have AVIF and WebP siblings.
NEGOTIATED_IMAGES = frozenset({"jpg", "jpeg", "png"})
_MEDIA_SUFFIXES = {Media.WEBP: ".webp", Media.AVIF: ".avif"}
_NANOSECONDS = 1_000_000_000


class ImageSiblings(Enum):
    """How images are paired with their media variants."""

    #: ``photo.webp`` beside ``photo.jpg``.
    STEM = "stem"
    #: ``photo.jpg.webp`` beside ``photo.jpg``.
    NAME = "name"
    OFF = "off"


class Group(NamedTuple):
    """A main file and its siblings."""

    main: SourceFile
    #: With parameters, if the configuration gives it some.
    media_type: str
    #: Fresh siblings with coded contents.
    coded: tuple[tuple[Coding, SourceFile], ...]
    media: tuple[tuple[Media, SourceFile], ...]
    #: Siblings by their names that are not used, and why.
    refused: tuple[tuple[SourceFile, str], ...] = ()

    def files(self) -> tuple[SourceFile, ...]:
        """The main file, then all siblings."""
        if not self.coded and not self.media:
            return (self.main,)
        return (self.main, *(file for _, file in self.coded), *(file for _, file in self.media))

    def signatures(self) -> tuple[tuple[str, Signature], ...]:
        """What stat says of all of them."""
        return tuple([(file.file, file.signature) for file in self.files()])

    @property
    def is_compressible(self) -> bool:
        """Whether the main file's contents are worth coding."""
        return is_compressible(self.media_type)


def groups_of(
    folder: Folder, images: ImageSiblings = ImageSiblings.STEM, types: Types | None = None
) -> list[Group]:
    """One group for each file of *folder*, whether it is also the sibling of another or not."""
    files, types = folder.files, types or Types()
    stems = Counter(_stem(name) for name in files if extension_of(name) in NEGOTIATED_IMAGES)
    groups = []
    for name, main in files.items():
        type_ = types.of(name)
        if is_compressible(type_):
            coded = tuple(
                [
                    (coding, sibling)
                    for coding, suffix in SIBLING_SUFFIXES.items()
                    if (sibling := files.get(name + suffix)) is not None and not _is_older(sibling, main)
                ]
            )
            groups.append(Group(main, type_, coded, ()))
        elif extension_of(name) in NEGOTIATED_IMAGES and images is not ImageSiblings.OFF:
            stem = _stem(name)
            is_shared = images is ImageSiblings.STEM and stems[stem] > 1
            groups.append(
                _image(main, type_, stem if images is ImageSiblings.STEM else name, is_shared, files)
            )
        else:
            groups.append(Group(main, type_, (), ()))
    return groups


def _image(main: SourceFile, type_: str, base: str, is_shared: bool, files: dict[str, SourceFile]) -> Group:
    """The group of an image; *is_shared*: there are others of which its siblings could be variants."""
    media: list[tuple[Media, SourceFile]] = []
    refused: list[tuple[SourceFile, str]] = []
    for number, suffix in _MEDIA_SUFFIXES.items():
        sibling = files.get(base + suffix)
        if sibling is None:
            continue
        if is_shared:
            refused.append((sibling, f"could be made from {main.file} or from another image of that name"))
        elif _is_older(sibling, main):
            refused.append((sibling, f"is older than {main.file}"))
        else:
            media.append((number, sibling))
    return Group(main, type_, (), tuple(media), tuple(refused))


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _is_older(file: SourceFile, than: SourceFile) -> bool:
    """In whole seconds: copying tools keep no more."""
    return file.signature[3] // _NANOSECONDS < than.signature[3] // _NANOSECONDS
