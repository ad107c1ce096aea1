"""What nodes push, and since when it could have come."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from loadgen.subscribers.feed import CHANGED, KNOWN, LOAD, TOLD, Feed, FeedError, Message


def changed(number: int) -> str:
    return f'{{"type":"changed","seq":{number}}}'


class FeedTests(SynchronousTestCase):
    """One node's feed."""

    def setUp(self) -> None:
        self.feed = Feed()

    def since(self, number: int) -> int:
        message = self.feed.read(changed(number), 0)
        assert message is not None and message.kind == CHANGED
        return message.since_ns

    def test_a_change_counts_from_when_it_was_published(self) -> None:
        self.assertEqual(self.since(1), 0)
        self.feed.expect(1000)
        self.assertEqual(self.since(1), 0)  # an old one
        self.assertEqual(self.since(2), 1000)
        self.assertEqual(self.since(2), 1000)  # the same, to another subscriber
        self.assertEqual(self.since(3), 0)  # nobody expected it

    def test_one_that_answers_two_publishes_counts_from_the_first(self) -> None:
        self.feed.expect(1000)
        self.feed.expect(2000)
        self.assertEqual([self.since(5), self.since(6)], [1000, 0])

    def test_a_load_document_says_itself_how_old_it_is(self) -> None:
        text = '{"type": "load", "document": {"v": 1, "at": 5, "nodes": [{"id": "n1"}]}}'
        self.assertEqual(self.feed.read(text, -1_000_000), Message(LOAD, 4_000_000))

    def test_so_does_a_word(self) -> None:
        word = b"\4\0" + b"\0\5" + (5).to_bytes(6, "big") + b"kJ3xZt"
        self.assertEqual(self.feed.read(word, -1_000_000), Message(LOAD, 4_000_000, is_word=True))

    def test_types_of_later_versions_are_passed_over(self) -> None:
        self.assertIsNone(self.feed.read('{"type": "news", "document": {"at": 1}}', 0))

    def test_what_is_no_message_is_refused(self) -> None:
        for text in ("", "[]", "{", '{"seq": 1}', '{"type": "changed"}', '{"type": "load"}', b"\0",
                     b"\4\0\0\5", '{"type": "changed", "seq": "1"}',
                     '{"type": "load", "document": {}}', '{"type": "load", "document": {"at": -1}}',
                     '{"type": "load", "document": {"at": 99999999999999999999}}',
                     b"\4\0\0\5" + b"\xff" * 6):  # fmt: skip
            with self.assertRaises(FeedError, msg=repr(text)):
                self.feed.read(text, 0)

    def test_its_memory_is_bounded(self) -> None:
        for number in range(3 * max(KNOWN, TOLD)):
            self.since(number)
            self.feed.remember(b"%d" % number, ())
        self.assertEqual((len(self.feed.known), len(self.feed.told)), (KNOWN, TOLD))
