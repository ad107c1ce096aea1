"""Groups: which files of a directory are variants of one resource (content negotiation by siblings).

A resource is made from one *main* file, and there may be *siblings* beside it:

* ``x.br`` and ``x.gz`` hold the coded contents of ``x``, if ``x`` is of a type worth coding and they are
  not older (in whole seconds: copying tools keep no more).  Whether they really decode to ``x`` is for
  the scan to find out; only then they are no files of their own any more;
* ``photo.avif`` and ``photo.webp`` are media variants of ``photo.jpg`` (``.jpeg``, ``.png``).  They are
  published under their own paths as well.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.publish.coding import SIBLING_SUFFIXES
from edge.publish.rules import NEGOTIATED_IMAGES, extension_of, is_compressible, media_type
from edge.publish.store import Signature
from edge.publish.walk import Folder, SourceFile
from edge.resource import Coding, Media

_MEDIA_SUFFIXES = {Media.WEBP: ".webp", Media.AVIF: ".avif"}
_NANOSECONDS = 1_000_000_000


class Group(NamedTuple):
    """A main file and its siblings."""

    main: SourceFile
    media_type: str
    #: Fresh siblings with coded contents.
    coded: tuple[tuple[Coding, SourceFile], ...]
    media: tuple[tuple[Media, SourceFile], ...]

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


def groups_of(folder: Folder) -> list[Group]:
    """One group for each file of *folder*, whether it is also the sibling of another or not."""
    files = folder.files
    groups = []
    for name, main in files.items():
        type_ = media_type(name)
        coded: tuple[tuple[Coding, SourceFile], ...] = ()
        media: tuple[tuple[Media, SourceFile], ...] = ()
        if is_compressible(type_):
            coded = tuple(
                [
                    (coding, sibling)
                    for coding, suffix in SIBLING_SUFFIXES.items()
                    if (sibling := files.get(name + suffix)) is not None
                    and _seconds(sibling) >= _seconds(main)
                ]
            )
        elif (extension := extension_of(name)) in NEGOTIATED_IMAGES:
            stem = name[: -len(extension) - 1]
            media = tuple(
                [
                    (number, sibling)
                    for number, suffix in _MEDIA_SUFFIXES.items()
                    if (sibling := files.get(stem + suffix)) is not None
                ]
            )
        groups.append(Group(main, type_, coded, media))
    return groups


def _seconds(file: SourceFile) -> int:
    return file.signature[3] // _NANOSECONDS
