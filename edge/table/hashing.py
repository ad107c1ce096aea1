"""The identity of a path in a segment: BLAKE2b-128 under the segment's key (RFC 7693)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable


def path_hasher(hash_key: bytes) -> Callable[[bytes], bytes]:
    """A function from a path to its 16-byte key in the segment with *hash_key*."""
    prototype = hashlib.blake2b(digest_size=16, key=hash_key)

    def key_of(path: bytes) -> bytes:
        state = prototype.copy()
        state.update(path)
        return state.digest()

    return key_of
