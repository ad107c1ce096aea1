"""The document of edge-app/1: its tables and its example say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.app import messages
from edge.app.answering import ApplicationEnd
from edge.app.asking import NodeEnd
from edge.app.messages import FROM_APPLICATION, FROM_NODE, Answer, Ask, Data, Ready

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "edge-app.md").read_text()


class DocumentTests(SynchronousTestCase):
    """docs/reference/edge-app.md."""

    def frames(self) -> list[tuple[str, bytes]]:
        """(who sends it, the frame) of the example."""
        example = PAGE.partition("## Example")[2].partition("## The socket")[0]
        found = re.findall(
            r"^(application|node): .*?\n((?:    (?:[0-9a-f]{2} ?| )+\n)+)", example, re.M | re.S
        )
        return [(who, bytes.fromhex("".join(text.split()))) for who, text in found]

    def test_the_example_is_what_both_ends_say_and_hear(self) -> None:
        said = self.frames()
        self.assertEqual([who for who, _ in said], ["application", "node", "node", "node", "application"])
        node, application = NodeEnd(), ApplicationEnd(100)
        self.assertEqual(application.output(), said[0][1])
        self.assertEqual(node.receive(said[0][1]), [Ready(1, 100)])
        fields = [(b"accept", b"*/*")]
        node.ask(b"POST", b"/shop/cart?x=1", fields, b"example.org", secure=True, peer="192.0.2.7",
                 at=b"/shop", length=5, deadline=30_000)  # fmt: skip
        self.assertEqual(node.output(), said[1][1])
        node.send(1, b"hello", True)
        node.send(1, b"", False)
        self.assertEqual(node.output(), said[2][1] + said[3][1])
        heard = application.receive(b"".join(frame for _, frame in said[1:4]))
        self.assertEqual([type(one) for one in heard], [Ask, Data, Data])
        application.answer(1, 200, [(b"content-type", b"text/plain")], 7, b"5 bytes")
        self.assertEqual(application.output(), said[4][1])
        self.assertEqual(
            node.receive(said[4][1]),
            [Answer(1, 200, [(b"content-type", b"text/plain")], 7, b"5 bytes", False)],
        )

    def test_every_message_is_there_with_as_many_elements(self) -> None:
        rows = {
            (int(number), name): elements.count(",") + 1 if elements.strip() else 0
            for number, name, elements in re.findall(
                r"^\| (\d+) \| (\w+) \| [\w ]+ \| ?([^|]*)\|$", PAGE, re.M
            )
        }
        for table in (FROM_NODE, FROM_APPLICATION):
            for number, (kind, checks) in table.items():
                self.assertEqual(rows[number, kind.__name__.lower()], len(checks), kind)
        self.assertEqual(
            len(rows), len({kind for table in (FROM_NODE, FROM_APPLICATION) for kind, _ in table.values()})
        )

    def test_the_limits_are_those_of_the_code(self) -> None:
        for name in ("MAX_FRAME", "WINDOW", "MAX_FIELDS_BYTES", "MAX_TARGET", "MAX_TEXT"):
            self.assertIn(f"{getattr(messages, name):,}", PAGE, name)
        for name in ("MAX_FIELDS", "MAX_GROUPS", "MAX_GROUP", "MAX_INTERIM"):
            self.assertRegex(PAGE, rf"\b{getattr(messages, name)}\b", name)
        self.assertEqual(messages.MAX_NUMBER, 2**53 - 1)
