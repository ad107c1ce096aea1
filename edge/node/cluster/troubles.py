"""What is wrong in the cluster that only an operator can mend: clocks, names, changes that are not taken.

Each trouble is a sentence with the remedy.  It is logged when it begins and when it is over, and meanwhile
``edgectl check`` fails with it and ``edgectl status`` shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import Logger

from edge.node.process.periodic import Periodic

#: Seconds between two looks.
LOOK_SECONDS = 1.0
#: Finds troubles of one kind: what they are about -> a sentence.
Source = Callable[[], Mapping[str, str]]


class Troubles:
    """The troubles that *sources* find, by the name of their check; the sentences may change meanwhile."""

    _log = Logger()

    def __init__(self, sources: Mapping[str, Source], reactor: Any) -> None:
        self._sources = sources
        self._known: dict[tuple[str, str], str] = {}
        self._periodic = Periodic(self.look, LOOK_SECONDS, reactor)

    def start(self) -> None:
        """Look now, and from now on."""
        self._periodic.start()

    def stop(self) -> None:
        """Look no more."""
        self._periodic.stop()

    def look(self) -> None:
        """Log what has begun, and what is over."""
        now = {
            (check, what): sentence
            for check, source in self._sources.items()
            for what, sentence in source().items()
        }
        for trouble, sentence in now.items():
            if trouble not in self._known:
                self._log.warn("{sentence}", sentence=sentence)
        for trouble, sentence in self._known.items():
            if trouble not in now:
                self._log.info("over: {sentence}", sentence=sentence)
        self._known = now

    def checks(self) -> list[tuple[str, bool, str]]:
        """(name, whether all is well, detail) of each kind, as ``edgectl check`` shows them."""
        found = ((check, "; ".join(source().values())) for check, source in self._sources.items())
        return [(check, not sentences, sentences or "well") for check, sentences in found]

    def sentences(self) -> list[str]:
        """The troubles there are now, a sentence each."""
        return [sentence for source in self._sources.values() for sentence in source().values()]
