"""Questions over the push socket: what has changed since a state, of files or groups; which copies are stale.

A binary message of the client is a question, and one of the node its answer; numbers are big-endian.
``GET /.edge/changes`` and ``POST /.edge/revalidate`` ask the same.

Question::

      0   u8  kind: 1 = what has changed since a state, 2 = which copies are stale,
              3 = which groups have changed since a state
      1   u8  number, of the client's choice: the answer has it, too

    kind 1
      2   ..  the state, as text (edge.http.changes)

    kind 2, for each copy
      0  12s  its tag: the 16 characters of the ETag, which are base64url, as bytes
     12   u8  n, 1 to 255
     13   ns  its path, with the query where an application answers it

    kind 3
      2   ..  the state of the groups, as text (edge.cache.group_history)

Answer::

      0   u8  kind + 128
      1   u8  number

    kind 1
      2   ..  nothing: nothing has changed; else a line each, ended by LF: the state now, and the paths that
              have changed; or "?" alone: the node cannot say

    kind 2
      2  u16  n
      4   ns  the state at which all copies are current that are not stale; n = 0: there is none
    4+n  u16  numbers of the stale copies, from 0, ascending

    kind 3
      2   ..  nothing: no group has changed; else a line each, ended by LF: the state now, and the hashes
              of the groups that have changed; with "?" before that state: any may have

For example, a reader with any number of copies at the state ``k3Jx9aF`` asks, and nothing has changed::

    01 00 6b 33 4a 78 39 61 46      9 bytes, 15 as a frame
    81 00                           2 bytes, 4 as a frame

A copy is named by its path: the table knows no paths, only keyed hashes of them, so that a hash which clients
could compute would need a table of its own in every worker, and two paths with the same would confirm each
other's copies.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable

from edge.http.changes import UNKNOWN

CHANGED, STALE, GROUPS = 1, 2, 3
_ANSWER = 128
_TAG_BYTES = 12


def answer(
    question: bytes,
    since: Callable[[bytes], bytes | None],
    stale: Callable[[list[tuple[bytes, bytes]]], tuple[bytes | None, list[int]]],
    groups: Callable[[bytes], bytes | None],
) -> bytes:
    """The answer to *question*.

    :param since: state -> the lines of the answer, None: nothing has changed; see :mod:`edge.http.changes`.
    :param stale: (ETag, path) of each copy -> state of the site, and the numbers of the stale ones.
    :param groups: state of the groups -> the lines of the answer, None: none has changed.
    :raises ValueError: it is none, with the reason.
    """
    if len(question) < 2:
        raise ValueError("a question has a kind and a number")
    kind, number = question[:2]
    head = bytes((kind % _ANSWER + _ANSWER, number))
    if kind == CHANGED:
        return head + (since(question[2:]) or b"")
    if kind == STALE:
        state, numbers = stale(_copies(question))
        told = b"" if state is None or state == UNKNOWN else state
        return head + len(told).to_bytes(2, "big") + told + b"".join(n.to_bytes(2, "big") for n in numbers)
    if kind == GROUPS:
        return head + (groups(question[2:]) or b"")
    raise ValueError("there are questions of the kinds 1, 2 and 3")


def _copies(question: bytes) -> list[tuple[bytes, bytes]]:
    """(ETag, path) of each copy in a question of kind 2."""
    copies = []
    at = 2
    while at < len(question):
        path_at = at + _TAG_BYTES + 1
        end = path_at + question[path_at - 1] if path_at <= len(question) else len(question) + 1
        path = question[path_at:end]
        if end > len(question) or not path.startswith(b"/"):
            raise ValueError("a copy is a tag of 12 bytes, the length of its path, and that")
        copies.append((urlsafe_b64encode(question[at : at + _TAG_BYTES]), path))
        at = end
    return copies
