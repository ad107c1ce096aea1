"""``docs/explanation/capacity.md`` says what the commands in it print."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.capacity_page import PAGE, renewed

KINDS = ("costs -->", "verdict -->", "workloads -->", "resources -->", "map -->", "answer: ")


def spoiled(text: str) -> str:
    """The page *text* with one figure that is wrong in the first of each kind of what is shown."""
    for kind in KINDS:
        begin = text.index(f"<!-- {kind}")
        at = next(at for at in range(begin, len(text)) if text[at].isdigit() and text[at - 1] == " ")
        text = text[:at] + ("8" if text[at] == "9" else "9") + text[at + 1 :]
    return text


class CapacityTests(SynchronousTestCase):
    """The tables and verdicts in the text."""

    def test_everything_shown_is_what_is_printed_and_what_is_not_is_found(self) -> None:
        """A spoiled page becomes the page again: ``python -m benchmarks.capacity_page`` changes nothing."""
        text = PAGE.read_text()
        self.assertGreater(sum(text.count(f"<!-- {kind}") for kind in KINDS), 12)
        self.assertNotEqual(spoiled(text), text)
        self.assertEqual(renewed(spoiled(text)).splitlines(), text.splitlines())
