"""Two processes of the same name: whoever is there keeps it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.namesakes import ANSWER, HEARD, TOLD, Address, Admission, Namesakes
from edge.gossip.packet import NODES

HERE, THERE = Address("10.0.0.2", 7000), Address("10.0.0.9", 7000)


class NamesakeTests(SynchronousTestCase):
    """n2 is known as the process 1; the process 2 comes."""

    def setUp(self) -> None:
        self.names = Namesakes()
        self.assertIs(self.names.admit("n2", 1, HERE, 0.0), Admission.KNOWN)

    def test_who_was_heard_of_just_now_keeps_the_name_and_both_are_told_of(self) -> None:
        self.names.heard("n2", 10.0)
        self.assertIs(self.names.admit("n2", 2, THERE, 10.0 + HEARD / 2), Admission.REFUSED)
        self.assertEqual(self.names.holder("n2"), HERE)
        self.assertEqual(self.names.witnessed(12.0), [("n2", HERE, THERE)])
        (sentence,) = self.names.sentences(12.0).values()
        self.assertIn("n2, at 10.0.0.2:7000 and at 10.0.0.9:7000", sentence)
        self.assertIn("edgectl cluster cert NAME", sentence)
        self.assertEqual(self.names.sentences(12.0 + TOLD), {})
        self.assertEqual(self.names.witnessed(12.0 + TOLD), [])

    def test_of_names_that_come_and_go_so_many_are_remembered_as_a_cluster_has(self) -> None:
        for number in range(3 * NODES):
            self.names.admit(f"n{number}", number, HERE, float(number))
            self.names.gone(f"n{number}")
        self.assertEqual(len(self.names._gone), NODES)
        self.assertIs(self.names.admit(f"n{3 * NODES - 1}", 7, HERE, 1e5), Admission.NEW)

    def test_the_same_process_may_open_as_many_streams_as_it_likes(self) -> None:
        self.assertIs(self.names.admit("n2", 1, HERE, 1.0), Admission.KNOWN)
        self.names.gone("n2")
        self.assertIs(self.names.admit("n2", 1, HERE, 1.0), Admission.KNOWN)
        self.assertEqual(self.names.sentences(1.0), {})

    def test_who_has_ended_is_not_waited_for(self) -> None:
        """A restart: its streams were closed."""
        self.names.heard("n2", 10.0)
        self.names.gone("n2")
        self.assertIs(self.names.admit("n2", 2, THERE, 10.1), Admission.NEW)
        self.assertEqual((self.names.holder("n2"), self.names.sentences(10.1)), (THERE, {}))

    def test_who_was_silent_is_asked_and_loses_the_name_if_it_does_not_answer(self) -> None:
        """A machine without power, started anew elsewhere: nothing closed its streams."""
        now = HEARD + 10.0
        self.assertIs(self.names.admit("n2", 2, THERE, now), Admission.ASKED)
        self.assertIs(self.names.admit("n2", 2, THERE, now + ANSWER / 2), Admission.ASKED)
        self.assertIs(self.names.admit("n2", 2, THERE, now + ANSWER), Admission.NEW)
        self.assertEqual(self.names.sentences(now + ANSWER), {}, "nobody was there twice")

    def test_who_answers_keeps_the_name(self) -> None:
        now = HEARD + 10.0
        self.assertIs(self.names.admit("n2", 2, THERE, now), Admission.ASKED)
        self.names.heard("n2", now + 0.1)
        self.assertIs(self.names.admit("n2", 2, THERE, now + 2.0), Admission.REFUSED)

    def test_what_another_node_says_is_told_and_not_passed_on(self) -> None:
        self.names.tell("n3", THERE, HERE, 1.0, hearsay=True)
        self.assertEqual((list(self.names.sentences(2.0)), self.names.witnessed(2.0)), (["n3"], []))

    def test_hearsay_does_not_take_the_place_of_what_was_seen(self) -> None:
        self.names.heard("n2", 10.0)
        self.names.admit("n2", 2, THERE, 10.0)
        self.names.tell("n2", HERE, THERE, 11.0, hearsay=True)
        self.assertEqual(self.names.witnessed(12.0), [("n2", HERE, THERE)])

    def test_an_ipv6_address_is_in_brackets(self) -> None:
        self.assertEqual(str(Address("fd00::1", 7000)), "[fd00::1]:7000")
