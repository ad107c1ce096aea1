from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer

from twisted.trial.unittest import SynchronousTestCase

from edge.publish.threads import in_threads, threads_or


class Threads(SynchronousTestCase):
    def test_all_results_come_in_any_order(self) -> None:
        with threads_or(None) as executor, in_threads(executor, [(pow, (n, 2)) for n in range(9)]) as results:
            self.assertEqual(sorted(results), [n * n for n in range(9)])

    def test_none_runs_any_longer_when_it_is_left(self) -> None:
        begun, go = Event(), Event()
        ran: list[str] = []

        def run(name: str) -> None:
            begun.set()
            go.wait(60)
            ran.append(name)

        def leave() -> None:
            with in_threads(executor, [(run, (name,)) for name in ("first", "second", "third")]):
                begun.wait(60)
                Timer(0.01, go.set).start()
                raise KeyboardInterrupt

        with ThreadPoolExecutor(1) as executor:
            self.assertRaises(KeyboardInterrupt, leave)
            self.assertEqual(ran, ["first"])

    def test_an_error_in_a_task_reaches_the_caller(self) -> None:
        def fail() -> None:
            raise ValueError("no")

        with threads_or(None) as executor, in_threads(executor, [(fail, ())]) as results:
            self.assertRaises(ValueError, list, results)
