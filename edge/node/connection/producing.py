"""The application's producer of one answer, and when it may produce.

A push producer is paused while the peer takes nothing.  A pull producer is asked for more whenever
there is room; one that writes nothing when asked is taken to write later, and asked again after it
has (Twisted's own adapter would go on asking).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class ApplicationProducer:
    """Wraps *producer* (``IPushProducer`` if *streaming*, else ``IPullProducer``)."""

    def __init__(
        self, producer: Any, streaming: bool, written: Callable[[], int], clock: Any, full: bool
    ) -> None:
        """*written* tells how many bytes the answer has so far; *full*: the peer takes nothing now."""
        self._producer = producer
        self._streaming = streaming
        self._written = written
        self._clock = clock
        self._full = full
        self._asking = False
        self._ended = False
        if streaming:
            if full:
                producer.pauseProducing()
        else:
            self.wrote()

    def pause(self) -> None:
        """The peer takes nothing now."""
        self._full = True
        if self._streaming:
            self._producer.pauseProducing()

    def resume(self) -> None:
        """There is room again."""
        self._full = False
        if self._streaming:
            self._producer.resumeProducing()
        else:
            self._ask()

    def wrote(self) -> None:
        """The application wrote: a pull producer is asked again, in a later turn of the reactor."""
        if not self._streaming and not self._asking:
            self._asking = True
            self._clock.callLater(0, self._asked_again)

    def stop(self) -> None:
        """The connection is gone."""
        self._ended = True
        self._producer.stopProducing()

    def end(self) -> None:
        """The application unregistered its producer."""
        self._ended = True

    def _asked_again(self) -> None:
        self._asking = False
        self._ask()

    def _ask(self) -> None:
        """Ask a pull producer for as long as it writes at once and there is room."""
        if self._asking:
            return
        self._asking = True
        before = -1
        while not self._full and not self._ended and before != self._written():
            before = self._written()
            self._producer.resumeProducing()
        self._asking = False
