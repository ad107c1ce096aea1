"""What a worker process writes, and how it ended."""

from __future__ import annotations

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from edge.node.supervisor.worker_output import WorkerOutput, how_it_ended


class OutputTests(SynchronousTestCase):
    """Lines, however they are cut."""

    def test_lines_come_whole_and_the_last_one_without_its_end_too(self) -> None:
        """Before the end is told."""
        said: list[object] = []
        output = WorkerOutput(said.append, said.append)
        for piece in (b"on", b"e\ntwo\nth", b"ree"):
            output.childDataReceived(2, piece)
        reason = Failure(ProcessDone(0))
        output.processEnded(reason)
        self.assertEqual(said, [b"one", b"two", b"three", reason])

    def test_how_it_ended_is_said_in_words(self) -> None:
        """By its code, or by the signal."""
        for error, words in (
            (ProcessDone(0), "exited with code 0"),
            (ProcessTerminated(3), "exited with code 3"),
            (ProcessTerminated(None, 9), "was killed by SIGKILL"),
        ):
            self.assertEqual(how_it_ended(Failure(error)), words)
