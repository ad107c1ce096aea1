"""The tree of refusals."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.http import errors


class ErrorTests(SynchronousTestCase):
    def test_each_has_a_status_of_its_own_and_says_something(self) -> None:
        kinds = errors.ProtocolError.__subclasses__()
        statuses = [kind.status for kind in kinds]
        self.assertEqual(sorted(statuses), [400, 403, 408, 413, 414, 415, 417, 426, 431, 501, 503, 505])
        for kind in kinds:
            problem = kind()
            self.assertTrue(problem.explanation.endswith("."))
            self.assertTrue(str(problem).startswith(f"{kind.status} {errors.REASONS[kind.status]}: "))

    def test_an_explanation_replaces_the_usual_one(self) -> None:
        self.assertEqual(str(errors.BadRequest("No.")), "400 Bad Request: No.")

    def test_lines_for_the_answer(self) -> None:
        self.assertEqual(errors.ProtocolError("x", ((b"A", b"b"), (b"C", b"d"))).lines, b"A: b\r\nC: d\r\n")

    def test_reasons_are_ascii_and_on_one_line(self) -> None:
        for reason in errors.REASONS.values():
            self.assertTrue(reason.isascii() and (reason.isprintable()))
        self.assertEqual(errors.reason_phrase(299), "")
