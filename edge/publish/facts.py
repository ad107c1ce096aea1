"""Facts about contents: whether they are UTF-8 text, and whether a file's name holds their digest.

Header fields that nobody can take back rest on them: a wrong ``charset`` makes a page unreadable, a wrong
``immutable`` keeps old bytes for a year.  So neither is believed of a name alone.  A fact is a pure function
of the bytes (and of the name), so what was found out about large bodies is kept in the store by their digest;
small ones are in memory, and asked again.

A name holds a digest if the part before its extension or two ("app.3f9c2a1b.min.js"), or an end of that part
behind ".", "-" or "_", is a digest of the contents or the beginning of one: of eight characters or more (32
bits), in hexadecimal or base64url (RFC 4648), by MD5, SHA-1, SHA-2 or BLAKE2.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from hashlib import new

#: Characters of a digest in a name; the longest is SHA-512 in hexadecimal.
_SHORTEST, _LONGEST = 8, 128
_ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s")
_EXTENSION = re.compile(r"(.+)\.[A-Za-z][0-9A-Za-z]{0,10}")
_BORDER = re.compile(r"[.\-_]")
_TOKEN = re.compile(r"[0-9A-Za-z_\-]+=*")
_KINDS = (re.compile(r"[0-9]"), re.compile(r"[a-z]"), re.compile(r"[A-Z]"))

#: The fact that contents are UTF-8; every other fact is the file name that may hold their digest.
UTF8 = ""


def candidates(name: str) -> frozenset[str]:
    """The parts of the file *name* that may be digests; empty for most names.

    Words and numbers are none: digests mix digits, small letters or capitals.
    """
    found = set()
    stem = name
    for _ in range(2):
        match = _EXTENSION.fullmatch(stem)
        if match is None:
            break
        stem = match[1]
        for start in (0, *(border.end() for border in _BORDER.finditer(stem))):
            token = stem[start:]
            if (
                _SHORTEST <= len(token) <= _LONGEST
                and _TOKEN.fullmatch(token)
                and sum(kind.search(token) is not None for kind in _KINDS) > 1
            ):
                found.add(token)
    return frozenset(found)


def holds_digest(name: str, body: Iterable[bytes]) -> bool:
    """Whether the file *name* holds a digest of *body*, given in pieces."""
    tokens = candidates(name)
    if not tokens:
        return False
    digests = [new(algorithm, usedforsecurity=False) for algorithm in _ALGORITHMS]
    for piece in body:
        for digest in digests:
            digest.update(piece)
    return any(
        written.startswith(token)
        for digest in digests
        for written in _ways(digest.digest())
        for token in tokens
    )


def is_utf8(body: Iterable[bytes]) -> bool:
    """Whether *body*, given in pieces, is UTF-8 text (RFC 3629).

    NUL is valid UTF-8, but in no text: UTF-16 without a byte order mark is full of it.
    """
    decoder = getincrementaldecoder("utf-8")()
    try:
        for piece in body:
            if b"\0" in piece:
                return False
            decoder.decode(piece)
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def is_true(fact: str, body: Iterable[bytes]) -> bool:
    """Whether *fact*, :data:`UTF8` or a file name that may hold the digest, is true of *body*."""
    return is_utf8(body) if fact == UTF8 else holds_digest(fact, body)


def _ways(digest: bytes) -> Iterator[str]:
    """The ways in which a digest is written."""
    yield digest.hex()
    yield digest.hex().upper()
    yield urlsafe_b64encode(digest).decode("ascii")
