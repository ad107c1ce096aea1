"""A file that is sealed under a key derived from another secret of this node (AES-256-GCM, HKDF-SHA-256).

::

    0    8   "edgeseal"
    8    12  nonce, random for each writing
    20   -   sealed content and its tag; what the file is for is authenticated with it

What that protects: copies of the sealed file alone, as in a backup that leaves the secret out, or when only
that file can be read.  Whoever can read the secret as well can open it.  A node of a cluster takes the
private key of its certificate for a secret; a node alone has one of its own beside the file (``secret``, mode
0600).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge import durable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MAGIC = b"edgeseal"
_NONCE_BYTES = 12
_SECRET_BYTES = 32


class SealBroken(Exception):
    """The file was sealed under another secret, or is damaged."""


class SealedFile:
    """The file *path*, sealed for *purpose* under what is derived from the secret as it is at each use."""

    def __init__(self, path: Path, purpose: str, secret: Callable[[], bytes]) -> None:
        self.path = path
        self._purpose = purpose.encode()
        self._secret = secret

    def _cipher(self) -> AESGCM:
        derived = HKDF(hashes.SHA256(), 32, None, b"twistd edge: sealed file: " + self._purpose)
        return AESGCM(derived.derive(self._secret()))

    def write(self, content: bytes) -> None:
        """Replace what is in it, mode 0600; :class:`OSError`."""
        nonce = os.urandom(_NONCE_BYTES)
        durable.write_private(
            self.path, _MAGIC + nonce + self._cipher().encrypt(nonce, content, self._purpose)
        )

    def read(self) -> bytes | None:
        """What is in it; None: there is no such file.  :class:`OSError`, :class:`SealBroken`."""
        try:
            sealed = self.path.read_bytes()
        except FileNotFoundError:
            return None
        start = len(_MAGIC) + _NONCE_BYTES
        if not sealed.startswith(_MAGIC) or len(sealed) < start:
            raise SealBroken
        try:
            return self._cipher().decrypt(sealed[len(_MAGIC) : start], sealed[start:], self._purpose)
        except InvalidTag:
            raise SealBroken from None


def own_secret(path: Path) -> bytes:
    """The secret in the file *path* of a node alone, made if there is none; :class:`OSError`."""
    try:
        found = path.read_bytes()
        if len(found) == _SECRET_BYTES:
            return found
    except FileNotFoundError:
        pass
    made = os.urandom(_SECRET_BYTES)
    durable.write_private(path, made)
    return made
