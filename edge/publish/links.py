"""Symbolic links on the way to a file: where somebody may have a name lead elsewhere.

``www -> app/current`` and ``app/current -> releases/42``: whoever exchanges the second one changes what is
at ``www``, though nothing in its own directory changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from os.path import dirname, join

#: Links that are followed, as many as the kernel follows (path_resolution(7)).
MOST = 40


def links_on_the_way(path: str) -> Iterator[tuple[str, str]]:
    """(directory, name) of each link that is passed on the way to the absolute *path*, in their order.

    *directory* is free of links.  The way may end in the middle: what does not exist is no link.
    """
    here, rest, left = "/", _parts(path), MOST
    while rest:
        part = rest.pop()
        if part == "..":
            here = dirname(here)
            continue
        try:
            target = os.readlink(join(here, part))
        except OSError:
            here = join(here, part)
            continue
        yield here, part
        left -= 1
        if not left:
            return
        if target.startswith("/"):
            here = "/"
        rest += _parts(target)


def _parts(path: str) -> list[str]:
    """The components of *path*, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
