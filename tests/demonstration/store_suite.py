"""What every store keeps to, whatever holds the data."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from demonstration.data import sql
from demonstration.data.opening import open_store
from demonstration.data.store import Comment, Score, Store, TooMany
from edge.app.graphql.once import BEGUN_SECONDS, KEPT_SECONDS, Kept

A, B, C = 0x41, 0x42, 0x43


class StoreSuite(ABC):
    """A test case for :meth:`where`, a place that open_store takes, and perhaps a cache."""

    @abstractmethod
    def where(self: Any) -> tuple[str, str]:
        """Where the data are, and the cache, as open_store takes them."""

    @abstractmethod
    def write_as_another_program(self: Any, statement: str) -> None:
        """Run *statement* on the data as a program that is not ours would."""

    def setUp(self: Any) -> None:
        self.place = self.where()
        self.store = self.open()
        self.now = 1000.0

    def open(self: Any) -> Store:
        store = open_store(*self.place)
        inner = getattr(store, "_store", store)
        inner._clock = lambda: self.now
        self.addCleanup(store.close)
        return store

    def vote(self: Any, visitor: str, code: int, wanted: bool = True) -> int:
        votes, changes = self.store.vote(visitor, code, wanted)
        self.store.told(changes)
        return votes

    def comment(self: Any, code: int, text: str, key: str, visitor: str = "v") -> Comment:
        comment, changes = self.store.comment(visitor, code, text, key, self.now)
        self.store.told(changes)
        return comment

    # Votes

    def test_a_visitor_has_one_vote_for_a_character(self: Any) -> None:
        self.assertEqual([self.vote("v", A), self.vote("v", A), self.vote("w", A)], [1, 1, 2])
        self.assertEqual([self.vote("v", A, False), self.vote("v", A, False)], [1, 1])
        self.assertEqual(self.store.scores([A, B]), {A: 1})
        self.assertEqual(self.vote("w", A, False), 0)
        self.assertEqual(self.store.scores([A, B]), {})
        self.assertEqual(self.store.scores([]), {})

    def test_the_ranking_has_most_votes_first_then_the_smaller_code_point(self: Any) -> None:
        for visitor, code in (("v", B), ("w", B), ("v", C), ("v", A)):
            self.vote(visitor, code)
        self.assertEqual(self.store.top(10), [Score(B, 2), Score(A, 1), Score(C, 1)])
        self.assertEqual(self.store.top(1), [Score(B, 2)])
        self.assertEqual(self.store.top(0), [])
        self.vote("x", C)
        self.vote("y", C)
        self.assertEqual(self.store.top(1), [Score(C, 3)])

    def test_a_visitor_has_so_many_votes_and_is_told(self: Any) -> None:
        self.patch(sql, "MAX_VOTES", 2)
        self.vote("v", A)
        self.vote("v", B)
        error = self.assertRaises(TooMany, self.vote, "v", C)
        self.assertIn("take one back", str(error))
        self.assertEqual(self.store.scores([C]), {})
        self.vote("v", A, False)
        self.assertEqual(self.vote("v", C), 1)

    def test_votes_at_once_are_all_counted(self: Any) -> None:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: self.vote(f"v{number % 40}", A + number % 2), range(80)))
        self.assertEqual(self.store.scores([A, B]), {A: 20, B: 20})

    # Comments

    def test_comments_are_the_latest_first_of_one_character_or_of_all(self: Any) -> None:
        for number, code in enumerate((A, B, A)):
            self.comment(code, f"{number} \U0001f600 '\" \\ %s ?", f"k{number}")
        self.assertEqual([one.text[0] for one in self.store.comments(None, 9)], ["2", "1", "0"])
        self.assertEqual([one.text[0] for one in self.store.comments(A, 9)], ["2", "0"])
        self.assertEqual(self.store.comments(A, 1)[0].text, "2 \U0001f600 '\" \\ %s ?")
        self.assertEqual(self.store.comments(A, 1)[0].at, self.now)
        self.assertEqual(self.store.comments(C, 9), [])

    def test_a_comment_with_a_key_that_was_there_is_that_one(self: Any) -> None:
        first = self.comment(A, "one", "k")
        self.assertEqual(self.comment(A, "two", "k"), first)
        self.assertNotEqual(self.comment(A, "two", "k", "w").id, first.id)
        self.assertEqual(len(self.store.comments(A, 9)), 2)

    def test_the_same_comment_at_once_is_one(self: Any) -> None:
        with ThreadPoolExecutor(8) as threads:
            found = set(threads.map(lambda _: self.comment(A, "one", "k").id, range(16)))
        self.assertEqual((len(found), len(self.store.comments(A, 9))), (1, 1))

    def test_of_a_character_so_many_comments_are_kept(self: Any) -> None:
        self.patch(sql, "KEPT_COMMENTS", 3)
        self.comment(B, "other", "b")
        for number in range(6):
            self.comment(A, str(number), f"k{number}")
        self.assertEqual([one.text for one in self.store.comments(A, 9)], ["5", "4", "3"])
        self.assertEqual([one.text for one in self.store.comments(B, 9)], ["other"])

    def test_of_all_characters_so_many_comments_are_kept(self: Any) -> None:
        self.patch(sql, "KEPT_IN_ALL", 4)
        for number in range(7):
            self.comment(A + number, str(number), f"k{number}")
        self.assertEqual([one.text for one in self.store.comments(None, 9)], ["6", "5", "4", "3"])

    # Changes

    def test_a_write_gives_its_change_which_nobody_else_tells(self: Any) -> None:
        _, changes = self.store.vote("v", A, True)
        self.assertEqual([(change.kind, change.code) for change in changes], [("vote", A)])
        self.assertEqual(self.store.claim(), [])
        self.store.told(changes)
        self.now += 3600
        self.assertEqual(self.store.claim(), [])

    def test_what_changed_nothing_has_no_change(self: Any) -> None:
        self.vote("v", A)
        self.assertEqual(self.store.vote("v", A, True)[1], [])
        self.assertEqual(self.store.vote("w", A, False)[1], [])

    def test_who_dies_before_he_tells_is_followed_by_another_one(self: Any) -> None:
        _, untold = self.store.vote("v", A, True)
        self.now += 1.9
        self.assertEqual(self.store.claim(), [])
        self.now += 0.2
        other = self.open()
        self.assertEqual(other.claim(), untold)
        self.assertEqual(self.store.claim(), [])
        other.told(untold)
        self.now += 3600
        self.assertEqual(self.store.claim(), [])

    def test_a_write_of_another_program_is_a_change(self: Any) -> None:
        self.vote("v", A)
        self.assertEqual(self.store.top(9), [Score(A, 1)])
        self.write_as_another_program("INSERT INTO votes (visitor, code, at) VALUES ('x', 65, 0)")
        self.write_as_another_program(
            "INSERT INTO comments (visitor, key, code, text, at) VALUES ('x', 'k', 66, 'hi', 0)"
        )
        self.write_as_another_program("UPDATE comments SET text = 'ho'")
        self.write_as_another_program("DELETE FROM comments")
        said = [(change.kind, change.code) for change in self.store.claim()]
        self.assertEqual(said, [("vote", A), ("comment", B), ("comment", B), ("comment", B)])
        self.assertEqual(self.store.top(9), [Score(A, 2)])

    def test_who_waits_is_woken_by_another_program(self: Any) -> None:
        stopped, seen = threading.Event(), threading.Event()

        def wait() -> None:
            while not seen.is_set() and not stopped.is_set():
                if self.store.claim():
                    seen.set()
                self.store.wait(60.0, stopped)

        thread = threading.Thread(target=wait)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stopped.set)
        self.write_as_another_program("INSERT INTO votes (visitor, code, at) VALUES ('x', 65, 0)")
        self.assertTrue(seen.wait(30))

    def test_of_many_who_claim_one_tells(self: Any) -> None:
        for number in range(20):
            self.store.vote(f"v{number}", A + number, True)
        self.now += 60
        others = [self.open() for _ in range(4)]
        with ThreadPoolExecutor(4) as threads:
            claimed = [change for found in threads.map(lambda one: one.claim(), others) for change in found]
        self.assertEqual(sorted(change.code for change in claimed), list(range(A, A + 20)))

    # Keys of mutations

    def test_a_key_is_claimed_once_and_gives_the_first_answer(self: Any) -> None:
        self.assertIsNone(self.store.begin("v", "k", "print"))
        self.assertEqual(self.store.begin("v", "k", "print"), Kept("print", 0, b""))
        self.store.finish("v", "k", 200, b"\x00answer\xff")
        self.assertEqual(self.open().begin("v", "k", "other"), Kept("print", 200, b"\x00answer\xff"))
        self.assertIsNone(self.store.begin("w", "k", "print"))

    def test_a_key_that_was_abandoned_may_be_used_again(self: Any) -> None:
        self.store.begin("v", "k", "print")
        self.store.abandon("v", "k")
        self.assertIsNone(self.store.begin("v", "k", "other"))
        self.store.finish("v", "k", 200, b"a")
        self.store.abandon("v", "k")
        self.assertEqual(self.store.begin("v", "k", "other"), Kept("other", 200, b"a"))

    def test_keys_are_kept_for_their_time(self: Any) -> None:
        self.store.begin("v", "dies", "print")
        self.store.begin("v", "k", "print")
        self.store.finish("v", "k", 200, b"a")
        self.now += BEGUN_SECONDS + 1
        self.assertIsNone(self.store.begin("v", "dies", "print"))
        self.assertEqual(self.store.begin("v", "k", "print").status, 200)
        self.now += KEPT_SECONDS
        self.assertIsNone(self.store.begin("v", "k", "print"))

    def test_no_more_keys_are_kept_than_there_is_room_for(self: Any) -> None:
        self.patch(sql, "KEPT_KEYS", 5)
        self.patch(sql, "LOOK_EACH", 1)
        for number in range(12):
            self.now += 1
            self.store.begin("v", f"k{number}", "print")
        kept = [self.store.begin("v", f"k{number}", "other") for number in (0, 11)]
        self.assertEqual([one is None for one in kept], [True, False])

    def test_of_many_who_claim_a_key_at_once_one_gets_it(self: Any) -> None:
        with ThreadPoolExecutor(8) as threads:
            got = list(threads.map(lambda _: self.store.begin("v", "k", "print"), range(16)))
        self.assertEqual(got.count(None), 1)


def fresh(folder: Path) -> Path:
    """*folder*, made."""
    folder.mkdir()
    return folder
