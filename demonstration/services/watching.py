"""Changes that nobody has told: those of other programs, and of processes that died before they could.

One thread of each process waits for them; whoever is first tells all nodes.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from demonstration.data.store import Change, StoreError
from demonstration.services.groups import tell, touched
from edge.app import changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from demonstration.data.store import Store

#: Seconds between two looks, if nothing wakes the thread before.
LOOK_SECONDS = 2.0
#: Seconds that Redis holds a question for what was said: so long it takes to end.
CHANNEL_SECONDS = 0.5
#: Seconds until a database that failed is asked again, twice as many each time.
RETRY_SECONDS, RETRY_MOST_SECONDS = 0.5, 8.0


class Watch:
    """A thread that does *look* again and again, until it is stopped; what fails is said once."""

    def __init__(
        self, name: str, look: Callable[[threading.Event], None], failures: tuple[type[Exception], ...]
    ) -> None:
        self._look = look
        self._failures = failures
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self, seconds: float = LOOK_SECONDS + 1) -> None:
        """Have it end, and wait for that."""
        self._stopped.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        retry = RETRY_SECONDS
        while not self._stopped.is_set():
            try:
                self._look(self._stopped)
                retry = RETRY_SECONDS
            except self._failures as error:
                if self._stopped.is_set():
                    return
                if retry == RETRY_SECONDS:
                    print(f"changes of other programs are not seen now: {error}", file=sys.stderr)
                self._stopped.wait(retry)
                retry = min(retry * 2, RETRY_MOST_SECONDS)


def watch(store: Store) -> Watch:
    """A thread that tells what stands untold in *store*."""

    def look(stopped: threading.Event) -> None:
        tell(store, store.claim())
        store.wait(LOOK_SECONDS, stopped)

    return Watch("changes", look, (StoreError,))


def watch_channel(url: str, renew: Callable[[list[Change]], None]) -> Watch:
    """A thread that tells what other programs say in the Redis at *url*; *renew*: before nodes are told."""
    import redis

    from demonstration.data.second_level import Channel, connect

    channel = Channel(connect(url, LOOK_SECONDS))

    def look(_stopped: threading.Event) -> None:
        said = channel.take(CHANNEL_SECONDS)
        changes = [change for _, change in said if change.kind]
        groups = dict.fromkeys(group for change in changes for group in touched(change))
        if groups:
            renew(changes)
            changed(*groups)
        channel.told([number for number, _ in said])

    return Watch("channel", look, (redis.RedisError,))
