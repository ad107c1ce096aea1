"""What a request shows of its user (RFC 7617), and credentials that have been verified."""

from __future__ import annotations

import base64
import hmac
from collections import OrderedDict
from typing import NamedTuple

#: Credentials of a field are no longer, in octets.
LONGEST = 1024
#: Verified credentials that are remembered, and for how many seconds.
REMEMBERED, LIFETIME_SECONDS = 10_000, 600.0


class Credentials(NamedTuple):
    """A name and a password, not verified."""

    user: bytes
    password: bytes


def parse_basic(value: bytes | None) -> Credentials | None:
    """The credentials in the value of a field Authorization; None: there are none that could be right."""
    if value is None or len(value) > 2 * LONGEST:
        return None
    scheme, _, token = value.strip(b" \t").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = base64.b64decode(token.strip(b" "), validate=True)
    except ValueError:
        return None
    user, colon, password = decoded.partition(b":")
    if not colon or not user or len(decoded) > LONGEST:
        return None
    return Credentials(user, password)


def challenge(realm: str) -> bytes:
    """The line that asks for credentials, with its CRLF."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'WWW-Authenticate: Basic realm="{quoted}", charset="UTF-8"\r\n'.encode()


class Verified:
    """Credentials that were right not long ago, so that the files of a page cost one verification.

    Kept are their HMACs under a *secret* that nobody else knows, in memory alone.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def key(self, users: str, credentials: Credentials) -> bytes:
        """What *credentials* for the file *users* are remembered by."""
        text = b"\0".join((users.encode("utf-8", "surrogateescape"), credentials.user, credentials.password))
        return hmac.digest(self._secret, b"%d,%d:%b" % (len(users), len(credentials.user), text), "sha256")

    def has(self, key: bytes, now: float) -> bool:
        """Whether they have been verified."""
        until = self._until.get(key)
        if until is None or until <= now:
            return False
        self._until.move_to_end(key)
        return True

    def add(self, key: bytes, now: float) -> None:
        """They are right."""
        self._until[key] = now + LIFETIME_SECONDS
        self._until.move_to_end(key)
        if len(self._until) > REMEMBERED:
            self._until.popitem(last=False)

    def forget(self) -> None:
        """The files have changed."""
        self._until.clear()
