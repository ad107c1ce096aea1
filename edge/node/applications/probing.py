"""Questions that nobody asked: whether each HTTP upstream of an application does well (``probe``).

Every :data:`PROBE_SECONDS` each of them is asked the configured path.  Whoever does not answer 200 to 399
within :data:`ANSWER_SECONDS` has failed, as one who does not answer a visitor; so one that was taken out is
known to be back before a visitor is risked on it.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.task import LoopingCall

from edge.node.applications.origin import Question

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.node.applications.origin import Exchange, Fields, Origin, OriginError
    from edge.node.applications.pool import OriginPool

#: Between two looks at each.
PROBE_SECONDS = 5.0
#: Until the answer has to begin.
ANSWER_SECONDS = 2.0


class Probing:
    """Asks each member of *pool* for *path*, as *host*, again and again."""

    def __init__(self, pool: OriginPool, path: bytes, host: bytes, clock: Any) -> None:
        self._pool = pool
        self._path = path
        self._host = host
        self._clock = clock
        self._asked: set[_Probe] = set()
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def start(self) -> None:
        """Begin, at once."""
        self._looking.start(PROBE_SECONDS)

    def stop(self) -> None:
        """Ask nothing more."""
        if self._looking.running:
            self._looking.stop()
        for probe in list(self._asked):
            probe.end(None)

    def _look(self) -> None:
        for member in self._pool.dispatch.members:

            def told(well: bool | None, probe: _Probe, member: Any = member) -> None:
                self._asked.discard(probe)
                if well is not None:
                    self._pool.probed(member, well)

            self._asked.add(
                _Probe(member.item, Question(b"GET", self._path, [], self._host), self._clock, told)
            )


class _Probe:
    """One question; implements :class:`~edge.node.applications.origin.Receiver`."""

    def __init__(
        self, origin: Origin, question: Question, clock: Any, told: Callable[[bool | None, _Probe], None]
    ) -> None:
        self._told: Callable[[bool | None, _Probe], None] | None = told
        self._exchange: Exchange = origin.ask(question, self)
        self._timer = clock.callLater(ANSWER_SECONDS, self.end, False)

    def end(self, well: bool | None) -> None:
        """The probe is over; None: nobody wants to know its end any more."""
        told, self._told = self._told, None
        if told is not None:
            if self._timer.active():
                self._timer.cancel()
            self._exchange.cancel()
            told(well, self)

    # As edge.node.applications.origin.Receiver has it

    def informational(self, status: int, fields: Fields) -> None:
        """Not yet."""

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """The head is enough, but a short answer leaves a connection that can be used again."""
        if not 200 <= status <= 399:
            self.end(False)
        elif length is None or length > 1 << 16:
            self.end(True)

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """Whole, and well or not."""
        self.end(200 <= status <= 399)

    def switched(self, fields: Fields) -> None:
        """Nobody asked for that."""
        self.end(False)

    def data(self, data: bytes) -> None:
        """It does not matter which."""

    def ended(self, trailers: Fields) -> None:
        """A whole answer."""
        self.end(True)

    def failed(self, error: OriginError) -> None:
        """No answer."""
        self.end(False)

    def pause_body(self) -> None:
        """There is none."""

    def resume_body(self) -> None:
        """There is none."""
