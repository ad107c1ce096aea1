"""Files of users and their passwords, as Apache's ``htpasswd`` writes them: a line ``NAME:HASH`` each.

Hashes are bcrypt (``htpasswd -B``) and Argon2; all others are refused, with the way out: MD5, SHA-1 and
crypt are tried a million times a second and more.  Verifying costs what the hash says it costs, so whoever
calls it does so in a thread, and with bounds.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

import argon2
import bcrypt

from edge.errors import ConfigError, in_words

#: Bytes of a file, and users in it.
MOST_BYTES, MOST_USERS = 4 << 20, 50_000
#: bcrypt takes no more of a password; ``htpasswd`` cuts there, too.
BCRYPT_BYTES = 72
#: 2 to this power rounds: 4 s of a core.
BCRYPT_COST = 16
#: KiB of Argon2, and passes over it.
ARGON2_MEMORY, ARGON2_TIME = 1 << 20, 16
#: Nobody's password: what one costs that is verified for somebody who is not there.
NOBODY = b"$2b$10$CJ8Tpk1Jwx8IhPEY6kZ0SuttiV76uw/6xnONtQlOEJ8TWtD6ukGGK"

_BCRYPT = re.compile(rb"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_ARGON2 = re.compile(
    rb"\$argon2(?:id|i|d)\$v=19\$m=([0-9]{1,10}),t=([0-9]{1,10}),p=[0-9]{1,3}\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"
)
_WEAK = {
    b"$apr1$": "MD5",
    b"$1$": "MD5",
    b"{SHA}": "SHA-1",
    b"{SSHA}": "SHA-1",
    b"{PLAIN}": "plain text",
    b"$5$": "SHA-256 crypt",
    b"$6$": "SHA-512 crypt",
}


class Users:
    """Who may log in, by name, and the hashes of their passwords."""

    def __init__(self, hashes: Mapping[bytes, bytes]) -> None:
        self._hashes = dict(hashes)
        #: As costly as that of any other: an unknown name takes as long as a known one.
        self._nobody = next(iter(self._hashes.values()), NOBODY)

    def __len__(self) -> int:
        return len(self._hashes)

    def verify(self, name: bytes, password: bytes) -> bool:
        """Whether it is the password of *name*; takes its time, as long for a name that is not there."""
        known = self._hashes.get(name)
        return is_password(password, known if known is not None else self._nobody) and known is not None


def is_password(password: bytes, hashed: bytes) -> bool:
    """Whether *hashed* is a hash of *password*."""
    try:
        if hashed.startswith(b"$2"):
            return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed)
        return bool(argon2.PasswordHasher().verify(hashed, password))
    except (ValueError, argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def read_users(name: str) -> bytes:
    """What the file *name* holds, for :func:`parse_users`; :class:`ConfigError` says what is wrong."""
    try:
        with open(name, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"[[auth]] users {name}: there is no such file; make it: htpasswd -B -c {shlex.quote(name)} NAME"
        ) from None
    except OSError as error:
        raise ConfigError(f"[[auth]] users: it cannot be read: {in_words(error)}") from None
    parse_users(data, name)
    return data


def parse_users(data: bytes, where: str) -> Users:
    """The users in the file *where* that holds *data*; :class:`ConfigError` with a line for each mistake."""
    if len(data) > MOST_BYTES:
        raise ConfigError(
            f"{where}: {len(data)} bytes are more than {MOST_BYTES}; is that a file of htpasswd?"
        )
    hashes: dict[bytes, bytes] = {}
    problems: list[str] = []
    for number, line in enumerate(data.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith(b"#"):
            continue
        name, colon, rest = line.partition(b":")
        hashed = rest.partition(b":")[0]
        if not colon or not name:
            problems.append(f"{where}, line {number}: write NAME:HASH, as htpasswd -B does")
            continue
        shown = name.decode("utf-8", "backslashreplace")
        shown = shown if shown.isprintable() and len(shown) <= 64 else ascii(shown)[:64]
        if name in hashes:
            problems.append(f"{where}, line {number}: {shown} is there twice; remove one")
        problems += [f"{where}, line {number} ({shown}): {one}" for one in _mistakes(hashed)]
        hashes[name] = hashed
    if len(hashes) > MOST_USERS:
        problems.append(f"{where}: {len(hashes)} users are more than {MOST_USERS}")
    if problems:
        raise ConfigError("\n".join(problems[:20]))
    return Users(hashes)


def _mistakes(hashed: bytes) -> Iterator[str]:
    found = _BCRYPT.fullmatch(hashed)
    if found is not None:
        if not 4 <= int(found[1]) <= BCRYPT_COST:
            yield f"bcrypt with a cost of {int(found[1])}; 4 to {BCRYPT_COST} are possible (htpasswd -B)"
        return
    found = _ARGON2.fullmatch(hashed)
    if found is not None:
        if int(found[1]) > ARGON2_MEMORY or int(found[2]) > ARGON2_TIME:
            m, t = int(found[1]), int(found[2])
            yield f"Argon2 with m={m}, t={t}; at most {ARGON2_MEMORY} and {ARGON2_TIME} are possible"
        return
    weak = next((name for begin, name in _WEAK.items() if hashed.startswith(begin)), None)
    kind = f"a hash by {weak}" if weak is not None else "neither bcrypt nor Argon2"
    yield f"{kind}; passwords are found out of such: make a new one with htpasswd -B"
