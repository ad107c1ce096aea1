"""Request targets: their forms, paths in canonical form, and what a query can say.

A path has one canonical form, which is the key under which it is published: each octet is decoded
once and written again, literally where RFC 3986 lets a path do so, else as ``%XX`` in upper case.
A ``%`` without two hexadecimal digits behind it stands for itself.
Paths that some other program could take for another path have no canonical form, whatever is
published: those with an empty segment, a ``.`` or ``..`` segment, NUL, a backslash or an encoded
slash, encoded or not.  They name nothing here (404).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from edge.http.errors import BadRequest
from edge.http.grammar import (
    ABSOLUTE_FORM,
    HOST,
    PATH_LITERALS,
    TAG_PARAMETER,
    TARGET,
    TRIPLET,
)

_ENCODED = [bytes((c,)) if c in PATH_LITERALS else b"%%%02X" % c for c in range(256)]
_DECODED = {b"%02x" % c: bytes((c,)) for c in range(256)}
#: Octets that need no encoding, for a quick look at whole paths.
_LITERALS = bytes(PATH_LITERALS)


class Target(NamedTuple):
    """A request-target taken apart."""

    #: As sent, up to the query; ``*`` for asterisk-form.  Always begins with ``/`` otherwise.
    path: bytes
    #: What follows the first ``?``; None without one.
    query: bytes | None
    #: TAG of a last parameter ``~etag=TAG``: stands for a line ``If-None-Match: "TAG"``.
    tag: bytes | None
    #: Of absolute-form, which overrides Host; None otherwise.
    authority: bytes | None


def split_target(raw: bytes) -> tuple[bytes, bytes | None, bytes | None]:
    """(path, query, TAG) of an origin-form target.

    The query is None without ``?``.  TAG is what a *last* parameter ``~etag=TAG`` holds if it is 1
    to 64 characters of base64url; an ill-formed one is nothing but query text.
    """
    path, mark, query = raw.partition(b"?")
    if not mark:
        return path, None, None
    parameter = TAG_PARAMETER.fullmatch(query, query.rfind(b"&") + 1)
    return path, query, parameter[1] if parameter else None


def parse_target(method: bytes, raw: bytes) -> Target:
    """The request-target *raw* of a request with *method*: RFC 9112 section 3.2.

    :raises BadRequest: an octet that no browser sends in one, a form that does not exist or does not belong
        to the method, an authority without host or with user information.
    """
    if method == b"CONNECT":
        raise BadRequest("This server is no proxy and opens no tunnels.")
    if raw == b"*":
        if method != b"OPTIONS":
            raise BadRequest("The target * belongs to OPTIONS only.")
        return Target(raw, None, None, None)
    if not TARGET.fullmatch(raw):
        if b"#" in raw:
            raise BadRequest("A request target has no fragment.")
        raise BadRequest("The request target has a character that no URI has.")
    authority = None
    if not raw.startswith(b"/"):
        absolute = ABSOLUTE_FORM.fullmatch(raw)
        if absolute is None:
            raise BadRequest("The request target is neither a path nor an absolute http URI.")
        authority, raw = absolute.groups()
        if not HOST.fullmatch(authority):  # empty, or with user information: RFC 9110 4.2.1, 4.2.4
            raise BadRequest("The authority of the request target is malformed.")
        if not raw and method == b"OPTIONS":  # RFC 9112 section 3.2.4: what a proxy would send as *
            return Target(b"*", None, None, authority)
        if not raw.startswith(b"/"):
            raw = b"/" + raw
    path, query, tag = split_target(raw)
    if b"\\" in path:  # browsers make a slash of it
        raise BadRequest("The path has a backslash, which no browser sends.")
    return Target(path, query, tag, authority)


def canonical_path(raw: bytes) -> bytes | None:
    """The canonical form of the path *raw* (no query), or None if it has none.

    None as well for what no request could have: no slash at the start, an octet outside of URIs.
    ``canonical_path(x) == x`` for each *x* that it returns.
    """
    if not raw.startswith(b"/") or not TARGET.fullmatch(raw) or b"?" in raw:
        return None
    path = raw
    plain = not raw.translate(None, _LITERALS)
    if not plain:
        pieces = TRIPLET.split(raw)  # literal, digits, literal, digits, ... literal
        pieces[1::2] = [_DECODED[digits.lower()] for digits in pieces[1::2]]
        if b"/" in pieces[1::2]:
            return None
        path = b"".join(pieces)
        if b"\0" in path or b"\\" in path:
            return None
    if b"//" in path or (b"/." in path and not {b".", b".."}.isdisjoint(path.split(b"/"))):
        return None
    return path if plain else b"".join([_ENCODED[octet] for octet in path])


def unambiguous_path(raw: bytes) -> bytes | None:
    """The path *raw*, which has no canonical form, as an application may see it; None: nobody may.

    Empty segments and encoded slashes are the application's; what other programs take for another path is
    nobody's.  ``/.edge`` stands for what begins with that segment in any spelling: that is the node's own.
    """
    if not raw.startswith(b"/"):
        return None
    decoded = unquote_to_bytes(raw)
    if b"\0" in decoded or b"\\" in decoded:
        return None
    segments = decoded.split(b"/")
    if b"." in segments or b".." in segments:
        return None
    first = next(filter(None, segments), b"")
    return b"/.edge" if first == b".edge" else raw


def path_of_name(parts: Sequence[str | bytes]) -> bytes:
    """The canonical path of a file or folder, from the names on the way to it.

    ``["a b", "c.html"]`` is ``/a%20b/c.html``; an empty last name makes a folder's path:
    ``["a", ""]`` is ``/a/``; no name at all is ``/``.  Names are as :mod:`os` gives them (a str may
    hold surrogates for bytes that are not UTF-8).

    :raises ValueError: a name that no canonical path can hold (``.``, ``..``, empty but for the last;
        with slash, backslash or NUL).
    """
    names = [os.fsencode(part) for part in parts]
    for index, name in enumerate(names):
        if name in (b".", b"..") or (not name and index < len(names) - 1):
            raise ValueError(f"no path can have the segment {name!r}")
        if not name.isalnum() and any(octet in name for octet in b"/\\\0"):
            raise ValueError(f"no path can have the octets of {name!r}")
    if names == [b""]:
        return b"/"
    return b"/" + b"/".join([b"".join([_ENCODED[octet] for octet in name]) for name in names])
