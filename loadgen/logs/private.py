"""What of an address is nobody else's business: query strings, and parts that look like keys.

A log has links to reset passwords, invitations, session ids.  A scenario is a file that is kept, shown and
checked in: it gets paths alone, and none with such a part.  A replay needs addresses as they were, but sends
``x`` instead of what looks like a secret, unless it is told otherwise.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

#: Names of parameters whose values are secrets, or people.
_NAME = re.compile(
    rb"(?:^|[_.-])(?:access|api|auth|code|credentials?|csrf|email|hash|hmac|id_token|jwt|key|mail|nonce|otp|pass"
    rb"(?:wd|word|code|phrase)?|phone|pin|pwd|secret|sess(?:ion)?(?:id)?|sid|sig(?:nature)?|state|tel|ticket"
    rb"|tok(?:en)?|user(?:name)?|uuid|xsrf)(?:$|[_.-])",
    re.IGNORECASE,
)
#: Camel case as parts: accessToken is access_Token.
_CAMEL = re.compile(rb"(?<=[a-z])(?=[A-Z])")
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(rb"[0-9a-fA-F]{16,}")
#: Words of addresses are shorter than this, or have hyphens; keys have digits and both cases.
_RUN = re.compile(rb"[A-Za-z0-9+/=~]{20,}")
_JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}")
_LONG = re.compile(rb"[A-Za-z0-9_=+~.-]{40,}")
#: Kinds of files whose names have digests of what is in them.
_FILE = re.compile(
    rb"\.(?:css|js|mjs|map|json|woff2?|ttf|otf|eot|svg|png|jpe?g|gif|webp|avif|ico|mp4|webm|wasm|txt|xml|pdf)$",
    re.IGNORECASE,
)


def looks_secret(text: bytes) -> bool:
    """Whether a part of a path, or a value, looks like a key, an identity, or a mail address."""
    plain = unquote_to_bytes(text)
    if b"@" in plain or _UUID.search(plain) or _HEX.search(plain) or _JWT.search(plain):
        return True
    if any(_is_mixed(match[0]) for match in _RUN.finditer(plain)):
        return True
    return any(_is_mixed(match[0]) for match in _LONG.finditer(plain))


def _is_mixed(text: bytes) -> bool:
    """Digits among letters of both cases, or hardly any of anything else: no words."""
    digits = sum(48 <= byte < 58 for byte in text)
    return digits >= 2 and (text != text.lower() or digits * 4 >= len(text))


def is_private(path: bytes) -> bool:
    """Whether a part of *path* looks secret; digests in the names of files are not."""
    *folders, name = path.split(b"/")
    if any(looks_secret(part) for part in folders if part):
        return True
    return b"@" in unquote_to_bytes(name) if _FILE.search(name) else looks_secret(name)


def without_secrets(target: bytes) -> bytes:
    """*target* with ``x`` for each part of its path and each value of its query that looks secret."""
    path, mark, query = target.partition(b"?")
    if is_private(path):
        *folders, name = path.split(b"/")
        kept = _FILE.search(name) is not None and b"@" not in unquote_to_bytes(name)
        parts = [b"x" if looks_secret(part) else part for part in folders]
        path = b"/".join([*parts, name if kept or not looks_secret(name) else b"x"])
    if not mark:
        return path
    return path + b"?" + b"&".join(map(_parameter, query.split(b"&")))


def _parameter(text: bytes) -> bytes:
    name, mark, value = text.partition(b"=")
    if not mark:
        return b"x" if looks_secret(name) else name
    plain = _CAMEL.sub(b"_", unquote_to_bytes(name))
    name = b"x" if looks_secret(name) else name
    return name + b"=" + (b"x" if value and (_NAME.search(plain) or looks_secret(value)) else value)
