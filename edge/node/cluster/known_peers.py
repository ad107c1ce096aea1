"""The peers a node has met, remembered from one run to the next: ``gossip.json`` in the state directory.

::

    {"generation": 1763900000123, "addresses": ["10.0.0.2:7000", "[2001:db8::3]:7000"]}

The generation grows with each start.  The addresses are those at which other nodes were met, the newest
last: they are tried again for ever, so that a cluster heals after a partition of any length.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from edge import durable
from edge.config.values import split_address
from edge.errors import named
from edge.load.wire import Generation

if TYPE_CHECKING:
    from pathlib import Path


class _Kept(msgspec.Struct):
    """What stands in the file."""

    generation: Generation
    addresses: list[str]


_KEPT = msgspec.json.Decoder(_Kept)


class KnownPeers:
    """What ``gossip.json`` holds; a damaged file is set aside as ``gossip.damaged``."""

    LIMIT = 64

    def __init__(self, path: Path) -> None:
        self._path = path
        self.generation = 0
        self.addresses: list[str] = []
        #: Their hosts.
        self.hosts: frozenset[str] = frozenset()
        #: By the names that were met in this run.
        self._latest: dict[str, str] = {}
        try:
            found = _KEPT.decode(path.read_bytes())
            self._keep(found.addresses[-self.LIMIT :])
            self.generation = found.generation
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
            with suppress(OSError):
                os.replace(path, path.with_suffix(".damaged"))

    def _keep(self, addresses: list[str]) -> None:
        """Remember these; :class:`ValueError`: one is none."""
        self.hosts = frozenset(split_address(text)[0] for text in addresses)
        self.addresses = addresses

    def save(self, generation: int) -> None:
        """Write; readers see the old or the new one, whole."""
        self.generation = generation
        new = self._path.with_suffix(".new")
        try:
            with new.open("w") as file:
                file.write(json.dumps({"generation": self.generation, "addresses": self.addresses}) + "\n")
                file.flush()
                durable.replace(file.fileno(), new, self._path)
        except OSError as error:
            raise named(error, new) from None

    def _save_addresses(self) -> None:
        """With a full disk, they are written with the next change."""
        with suppress(OSError):
            self.save(self.generation)

    def add(self, name: str, host: str, port: int) -> None:
        """Remember where the node *name* is: one address of each, so that none takes the place of others."""
        text = _joined(host, port)
        before = self._latest.get(name)
        self._latest[name] = text
        if text in self.addresses:
            return
        others = [one for one in self.addresses if one != before or one in self._latest.values()]
        self._keep([*others[1 - self.LIMIT :], text])
        self._save_addresses()

    def remove(self, host: str, port: int) -> None:
        """Forget an address: its node has left."""
        text = _joined(host, port)
        if text in self.addresses:
            self._keep([one for one in self.addresses if one != text])
            self._save_addresses()


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
