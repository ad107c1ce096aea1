"""The application's producer: when it is paused, asked and left in peace."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.node.connection.producing import ApplicationProducer


class Application:
    """A producer; a pull producer writes *at_once* times when asked, and later when the test says so."""

    def __init__(self, at_once: int = 0) -> None:
        self.told: list[str] = []
        self.at_once = at_once
        self.written = 0
        self.wrapper: ApplicationProducer | None = None

    def write(self) -> None:
        self.written += 1
        if self.wrapper is not None:
            self.wrapper.wrote()

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")
        if self.at_once:
            self.at_once -= 1
            self.write()

    def stopProducing(self) -> None:
        self.told.append("stop")


class ProducingTests(SynchronousTestCase):
    """Push producers and pull producers."""

    def setUp(self) -> None:
        self.clock = Clock()

    def wrap(self, application: Application, streaming: bool, full: bool = False) -> ApplicationProducer:
        wrapper = ApplicationProducer(application, streaming, lambda: application.written, self.clock, full)
        application.wrapper = wrapper
        return wrapper

    def test_a_push_producer_is_paused_while_the_peer_takes_nothing(self) -> None:
        application = Application()
        wrapper = self.wrap(application, True)
        wrapper.pause()
        wrapper.resume()
        self.assertEqual(application.told, ["pause", "resume"])

    def test_a_push_producer_begins_paused_where_the_peer_takes_nothing(self) -> None:
        application = Application()
        self.wrap(application, True, full=True)
        self.assertEqual(application.told, ["pause"])

    def test_a_pull_producer_is_asked_for_the_first_time_in_a_later_turn(self) -> None:
        """It may not be ready for it while it registers."""
        application = Application()
        self.wrap(application, False)
        self.assertEqual(application.told, [])
        self.clock.advance(0)
        self.assertEqual(application.told, ["resume"])

    def test_a_pull_producer_is_asked_for_as_long_as_it_writes_at_once(self) -> None:
        """And once more, which is how that shows."""
        application = Application(at_once=3)
        self.wrap(application, False)
        self.clock.advance(0)
        self.assertEqual((application.written, len(application.told)), (3, 4))

    def test_one_that_writes_nothing_when_asked_is_left_in_peace_until_it_has_written(self) -> None:
        application = Application()
        self.wrap(application, False)
        for _ in range(10):
            self.clock.advance(1)
        self.assertEqual(application.told, ["resume"])
        application.write()
        self.clock.advance(0)
        self.assertEqual(application.told, ["resume"] * 2)

    def test_many_writes_in_one_turn_ask_once(self) -> None:
        application = Application()
        self.wrap(application, False)
        self.clock.advance(0)
        for _ in range(5):
            application.write()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual(application.told, ["resume"] * 2)

    def test_a_pull_producer_is_not_asked_while_the_peer_takes_nothing(self) -> None:
        application = Application()
        wrapper = self.wrap(application, False, full=True)
        self.clock.advance(0)
        self.assertEqual(application.told, [])
        wrapper.resume()
        self.assertEqual(application.told, ["resume"])

    def test_a_peer_that_becomes_full_ends_the_asking_at_once(self) -> None:
        application = Application(at_once=100)
        wrapper = self.wrap(application, False)
        write = application.write

        def write_twice() -> None:
            write()
            if application.written == 2:
                wrapper.pause()

        application.write = write_twice  # type: ignore[method-assign]
        self.clock.advance(0)
        self.assertEqual(application.written, 2)

    def test_nothing_is_asked_of_one_that_is_done(self) -> None:
        """Also where it was to be asked in the next turn."""
        for end in (ApplicationProducer.end, ApplicationProducer.stop):
            application = Application(at_once=5)
            wrapper = self.wrap(application, False)
            end(wrapper)
            self.clock.advance(0)
            wrapper.resume()
            self.assertEqual(application.written, 0, end)

    def test_it_is_told_when_the_connection_is_gone_not_when_it_ends_itself(self) -> None:
        for end, told in ((ApplicationProducer.end, []), (ApplicationProducer.stop, ["stop"])):
            application = Application()
            end(self.wrap(application, True))
            self.assertEqual(application.told, told)
