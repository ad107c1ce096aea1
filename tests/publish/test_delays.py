"""Names that are due at a time."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from edge.publish.delays import Delays


class DelaysTests(SynchronousTestCase):
    def test_each_is_due_once_at_the_earliest_of_its_times(self) -> None:
        delays = Delays()
        for name, at in (("b", 5.0), ("a", 3.0), ("b", 2.0), ("a", 4.0), ("c", 9.0)):
            delays.add(name, at)
        delays.drop("c")
        delays.drop("unknown")
        self.assertEqual((delays.next_at(), delays.due(1.0)), (2.0, []))
        self.assertEqual(delays.due(3.0), ["b", "a"])
        self.assertEqual((delays.due(99.0), delays.next_at()), ([], None))
        delays.add("b", 7.0)
        self.assertEqual(delays.due(7.0), ["b"])

    def test_any_order_is_as_that_of_a_plain_dictionary(self) -> None:
        random, delays, model, now = Random(3), Delays(), dict[str, float](), 0.0
        for _ in range(3000):
            name, at = str(random.randrange(20)), now + random.randrange(8)
            if random.random() < 0.6:
                delays.add(name, at)
                model[name] = min(at, model.get(name, at))
            elif random.random() < 0.3:
                delays.drop(name)
                model.pop(name, None)
            else:
                now += random.randrange(3)
                due = {name for name, at in model.items() if at <= now}
                self.assertEqual(set(delays.due(now)), due)
                model = {name: at for name, at in model.items() if name not in due}
            self.assertEqual(delays.next_at(), min(model.values(), default=None))
