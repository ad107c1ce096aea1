"""Media types of files, by their names (RFC 9110 section 8.3), and what follows from a type.

The first that knows a name counts: the configuration (``[types]``), then the types of the web (:data:`WEB`),
then what IANA and Debian give names to (:mod:`edge.publish.registered_types`).  All nodes of a cluster know
the same ones: the machine's own ``/etc/mime.types`` is never read.

What nobody knows is ``application/octet-stream``, and goes out *without* ``X-Content-Type-Options: nosniff``:
with it browsers refuse a script or an image whose name says nothing.  Nothing is lost by that, for browsers
do not look for HTML in that type (MIME Sniffing Standard, section 7); no type at all would let them, and turn
what somebody has uploaded into pages of this site.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

from edge.errors import ConfigError
from edge.publish.registered_types import REGISTERED

UNKNOWN = "application/octet-stream"
#: Stands in the configuration for names that nobody knows.
OTHERS = "*"

#: Of the web, by extension; these win over other conventions for the same extension.
WEB = {
    "html": "text/html", "htm": "text/html", "xhtml": "application/xhtml+xml", "css": "text/css",
    "js": "text/javascript", "mjs": "text/javascript", "cjs": "text/javascript", "wasm": "application/wasm",
    "json": "application/json", "map": "application/json", "jsonld": "application/ld+json",
    "geojson": "application/geo+json", "topojson": "application/json", "ndjson": "application/x-ndjson",
    "webmanifest": "application/manifest+json", "xml": "application/xml", "xsl": "application/xml",
    "rss": "application/rss+xml", "atom": "application/atom+xml",
    "kml": "application/vnd.google-earth.kml+xml", "yaml": "application/yaml", "yml": "application/yaml",
    "toml": "application/toml", "ini": "text/plain", "conf": "text/plain", "cfg": "text/plain",
    "txt": "text/plain", "text": "text/plain", "log": "text/plain", "md": "text/markdown",
    "rst": "text/x-rst", "csv": "text/csv", "tsv": "text/tab-separated-values", "ics": "text/calendar",
    "vcf": "text/vcard", "vtt": "text/vtt", "srt": "text/plain", "py": "text/x-python",
    "svg": "image/svg+xml", "png": "image/png", "apng": "image/apng", "jpg": "image/jpeg",
    "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "avif": "image/avif",
    "jxl": "image/jxl", "heic": "image/heic", "bmp": "image/bmp", "ico": "image/vnd.microsoft.icon",
    "tif": "image/tiff", "tiff": "image/tiff", "woff": "font/woff", "woff2": "font/woff2",
    "ttf": "font/ttf", "otf": "font/otf", "ttc": "font/collection", "eot": "application/vnd.ms-fontobject",
    "mp3": "audio/mpeg", "m4a": "audio/mp4", "aac": "audio/aac", "ogg": "audio/ogg", "oga": "audio/ogg",
    "opus": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav", "weba": "audio/webm",
    "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "ogv": "video/ogg",
    "mov": "video/quicktime", "m3u8": "application/vnd.apple.mpegurl", "mpd": "application/dash+xml",
    "ts": "video/mp2t", "glb": "model/gltf-binary", "gltf": "model/gltf+json", "pdf": "application/pdf",
    "epub": "application/epub+zip", "rtf": "application/rtf", "zip": "application/zip",
    "gz": "application/gzip", "tgz": "application/gzip", "bz2": "application/x-bzip2",
    "xz": "application/x-xz", "zst": "application/zstd", "br": UNKNOWN,
    "7z": "application/x-7z-compressed", "tar": "application/x-tar", "bin": UNKNOWN, "exe": UNKNOWN,
}  # fmt: skip

#: Names without an extension that other parties ask for under a fixed type.
_WHOLE_NAMES = {"apple-app-site-association": "application/json"}
#: Dots that an extension may have: "spdx.json" has one.
_DOTS = 2

#: Types outside text/, +json and +xml that shrink when coded.
_COMPRESSIBLE = frozenset(
    {
        "application/json", "application/javascript", "application/xml", "application/wasm",
        "application/x-ndjson", "application/rtf", "application/vnd.ms-fontobject", "application/yaml",
        "application/vnd.apple.mpegurl", "application/x-sh", "application/sql", "application/toml",
        "font/ttf", "font/otf", "font/collection", "image/bmp", "image/vnd.microsoft.icon",
    }
)  # fmt: skip

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,127}"
#: media-type, RFC 9110 section 8.3.1, with parameters that are tokens or plain quoted strings.
_MEDIA_TYPE = re.compile(rf'{_TOKEN}/{_TOKEN}(?: ?; ?{_TOKEN}=(?:{_TOKEN}|"[ !#-\[\]-~]{{0,127}}")){{0,4}}')


@cache
def _registered() -> dict[str, str]:
    """The type of each extension that is registered."""
    return {
        extension: f"{top}/{subtype}"
        for top, text in REGISTERED.items()
        for subtype, _, extensions in (word.partition("=") for word in text.split())
        for extension in extensions.split(",")
    }


class Types:
    """Media types by file name."""

    def __init__(self, own: Iterable[tuple[str, str]] = ()) -> None:
        """*own*: (``.extension``, a whole name, or :data:`OTHERS`; media type), before all others."""
        self._extensions = {key[1:].lower(): type_ for key, type_ in own if key[0] == "."}
        self._names = {key: type_ for key, type_ in own if key[0] != "."}
        self._others = self._names.pop(OTHERS, UNKNOWN)

    def of(self, name: str) -> str:
        """The media type of the file *name*, a last segment; with parameters only by the configuration."""
        known = self._names.get(name) or _WHOLE_NAMES.get(name)
        if known is not None:
            return known
        extensions = _extensions_of(name)
        for extension in extensions:
            if (known := self._extensions.get(extension)) is not None:
                return known
        for extension in extensions:
            if (known := WEB.get(extension) or _registered().get(extension)) is not None:
                return known
        return self._others


_PLAIN = Types()


def _extensions_of(name: str) -> list[str]:
    """What may be the extension of *name*, in lower case, the longest first."""
    stem, *parts = name.lower().rsplit(".", _DOTS)
    if not stem:  # a name that begins with its only dot, or with the dot before these
        parts = parts[1:]
    return [".".join(parts[at:]) for at in range(len(parts))]


def extension_of(name: str) -> str:
    """The last extension of a file name in lower case, "" where there is none."""
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem else ""


def media_type(name: str) -> str:
    """The media type of a file by its name alone, without a configuration."""
    return _PLAIN.of(name)


def essence(type_: str) -> str:
    """A media type without its parameters, in lower case."""
    return type_.partition(";")[0].strip().lower()


@lru_cache(maxsize=1024)
def is_compressible(type_: str) -> bool:
    """Whether contents of this media type are worth coding: they are not compressed already."""
    plain = essence(type_)
    return plain.startswith("text/") or plain.endswith(("+json", "+xml")) or plain in _COMPRESSIBLE


@lru_cache(maxsize=1024)
def content_type(type_: str, is_utf8: bool) -> bytes:
    """The Content-Type value for a media type: text says that it is UTF-8 where it *is_utf8*.

    Of other text nothing is known: browsers take what the contents say (``<meta charset>``) or guess.  A type
    that has parameters goes out as it is.
    """
    says_so = is_utf8 and is_text(type_) and ";" not in type_
    return (type_ + "; charset=utf-8" if says_so else type_).encode("ascii")


def is_text(type_: str) -> bool:
    """Whether contents of this media type may have a ``charset`` (RFC 2046 section 4.1.2)."""
    return type_.startswith("text/")


def checked_type(key: str, value: str) -> tuple[str, str]:
    """One line of ``[types]``; :class:`ConfigError` if it is wrong."""
    if key != OTHERS and (not key.strip(".") or "/" in key or "\0" in key or key.count(".", 1) >= _DOTS):
        raise ConfigError(
            f"types {key!r}: this is neither an extension nor a name; write .webmanifest for all files that "
            "end so, a whole name like LICENSE, or * for all that are not known"
        )
    if not _MEDIA_TYPE.fullmatch(value):
        raise ConfigError(
            f"types {key!r} = {value!r}: this is no media type; write one like application/manifest+json or "
            "text/plain; charset=utf-8"
        )
    return key, value
