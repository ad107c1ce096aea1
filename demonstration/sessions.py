"""Sessions: who votes, by a signed cookie and nothing on the server.

A visitor is a random number in a cookie that only this site can have signed (HMAC-SHA-256 by itsdangerous,
compared in constant time).  The answer to the first thing that he *does* sets it; pages that are read set
none, so that they can be shared.  The keys are lines of a file, 0600, the newest last: it signs, all of
them count.

``python -m demonstration.sessions FILE`` adds a key (a *rotation*); running processes take it within seconds.
What was signed with one that has left the file is a stranger's.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
import sys
import time
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner

#: Keys that are kept, and bytes of one.
KEPT_KEYS = 3
KEY_BYTES = 32
#: A session ends when it was not signed anew for so long, seconds.
SESSION_SECONDS = 365 * 86_400
#: A form may be sent so long after it was made, seconds.
FORM_SECONDS = 3600
#: Characters of an Idempotency-Key that is random: a UUID has 36.
UNGUESSABLE = 32
#: How often the file is looked at, seconds.
LOOK_SECONDS = 2.0
_VISITOR = re.compile(r"[\w-]{22}")
_LINE = re.compile(r"[0-9a-f]{64}")


class KeyFileError(Exception):
    """The key file cannot be used; str() says why, and what to do."""


class Keys:
    """The keys in *file*, which is made if it is not there."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._looked = 0.0
        self._stamp: tuple[int, int] | None = None
        self._keys: list[str] = []
        self._read()

    def current(self) -> list[str]:
        """The keys, the newest last."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            try:
                self._read()
            except KeyFileError as error:  # those that we have go on
                print(error, file=sys.stderr)
        return self._keys

    def _read(self) -> None:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            _make(self._file)
            status = self._file.stat()
        except OSError as error:
            raise KeyFileError(f"{self._file}: it cannot be read: {error.strerror}") from None
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._keys, self._stamp = read_keys(self._file), stamp


def read_keys(file: Path) -> list[str]:
    """The keys in *file*; :class:`KeyFileError` if it is readable for others, or is none."""
    try:
        if file.stat().st_mode & 0o077:
            raise KeyFileError(f"{file}: others may read it; chmod 600 {file}")
        lines = file.read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{file}: it cannot be read: {error}") from None
    if not lines or not all(map(_LINE.fullmatch, lines)):
        raise KeyFileError(f"{file}: it holds no keys; delete it for a new one (all sessions end then)")
    return lines


def _make(file: Path) -> None:
    """Make *file* with one key, whole; of several processes that do so at once one wins."""
    _write(file, [secrets.token_hex(KEY_BYTES)], replace=False)


def rotate(file: Path) -> int:
    """Add a key; how many there are then."""
    keys = [*read_keys(file), secrets.token_hex(KEY_BYTES)][-KEPT_KEYS:]
    _write(file, keys, replace=True)
    return len(keys)


def _write(file: Path, keys: list[str], replace: bool) -> None:
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as opened:
                opened.write("\n".join(keys) + "\n")
                opened.flush()
                os.fsync(opened.fileno())
            if replace:
                os.replace(unfinished, file)
            else:
                os.link(unfinished, file)
        finally:
            unfinished.unlink(missing_ok=True)
    except FileExistsError:
        pass  # another process was faster, and its key counts
    except OSError as error:
        raise KeyFileError(
            f"{file}: it cannot be written: {error.strerror}; its folder has to be writable for the user of "
            "the application, or DEMONSTRATION_KEY name another file"
        ) from None


class Sessions:
    """Cookies and tokens signed with *keys*."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def visitor(self, cookies: str) -> str | None:
        """Whose request this is, by its Cookie field; None: nobody's yet."""
        for name in ("__Host-session", "session"):
            visitor = self._opened("session", _cookie(cookies, name), SESSION_SECONDS)
            if visitor is not None and _VISITOR.fullmatch(visitor):
                return visitor
        return None

    def new_visitor(self, key: str = "") -> str:
        """A visitor who was not here before: 128 random bits.

        With the Idempotency-Key of his request, one that nobody can guess, he is the same one when that is
        sent again because its answer was lost, and the cookie with it.
        """
        if len(key) < UNGUESSABLE:
            return secrets.token_urlsafe(16)
        digest = hmac.digest(self._keys.current()[-1].encode(), f"visitor {key}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest[:16]).decode("ascii").rstrip("=")

    def cookie(self, visitor: str, secure: bool) -> str:
        """The value of Set-Cookie that makes the browser *visitor*'s."""
        name = "__Host-session" if secure else "session"
        value = self._signer("session").sign(visitor).decode("ascii")
        attributes = f"Path=/; Max-Age={SESSION_SECONDS}; HttpOnly; SameSite=Lax"
        return f"{name}={value}; {attributes}{'; Secure' if secure else ''}"

    def token(self, visitor: str) -> str:
        """A token for a form, which only *visitor* can send, within an hour."""
        return self._signer("form").sign(visitor).decode("ascii")

    def is_token(self, token: str, visitor: str) -> bool:
        """Whether *token* was made for *visitor*, lately."""
        return self._opened("form", token, FORM_SECONDS) == visitor

    def _signer(self, purpose: str) -> TimestampSigner:
        return TimestampSigner(self._keys.current(), salt=f"demonstration.{purpose}", key_derivation="hmac")

    def _opened(self, purpose: str, signed: str, seconds: int) -> str | None:
        if not signed or len(signed) > 200:
            return None
        try:
            return self._signer(purpose).unsign(signed, max_age=seconds).decode("ascii")
        except (BadSignature, UnicodeDecodeError):
            return None


def _cookie(cookies: str, name: str) -> str:
    try:
        found = SimpleCookie(cookies[:4096]).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def main(arguments: list[str]) -> int:
    """Add a key to the file; the exit code."""
    if len(arguments) != 1:
        print("usage: python -m demonstration.sessions FILE", file=sys.stderr)
        return 2
    try:
        count = rotate(Path(arguments[0]))
    except KeyFileError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{arguments[0]}: {count} keys; the new one signs from now on")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
