"""Policies simulated at the same time, a process for each core.

Each policy has random numbers of its own, so what comes out is the same in any number of processes.  One that
ends without an outcome (the kernel was short of memory, somebody killed it) is told, not waited for.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from loadgen.errors import LoadgenError
from loadgen.simulate.cohorts import Cohorts, World
from loadgen.simulate.outcome import Outcome

#: Steps of all policies that are worth it: a process takes as long to begin as some thousand of them.
WORTH = 20_000

#: What is called with the share of all steps that are done.
Told = Callable[[float], None]


def simulate(
    world: World, policies: Sequence[str], told: Told = lambda share: None, processes: int | None = None
) -> dict[str, Outcome]:
    """The outcome under each of *policies*; *processes*: None: as many as there are cores for."""
    if processes is None:
        is_short = world.steps * len(policies) < WORTH
        processes = 1 if is_short else len(os.sched_getaffinity(0))
    processes = min(processes, len(policies))
    if processes > 1:
        return _Pool(world, policies, told).run(processes)
    outcomes = {}
    for number, policy in enumerate(policies):
        outcomes[policy] = Cohorts(world, policy).run(
            lambda share, done=number: told((done + share) / len(policies))  # type: ignore[misc]
        )
    told(1.0)
    return outcomes


class _Pool:
    """Processes that simulate a policy each; as one ends, the next begins."""

    def __init__(self, world: World, policies: Sequence[str], told: Told) -> None:
        self._world, self._told = world, told
        self._left = list(policies)
        self._shares = dict.fromkeys(policies, 0.0)
        self._running: dict[Connection, tuple[str, SpawnProcess]] = {}
        self._outcomes: dict[str, Outcome] = {}

    def run(self, processes: int) -> dict[str, Outcome]:
        """What comes out, in the order in which the policies were given."""
        try:
            while self._left or self._running:
                while self._left and len(self._running) < processes:
                    self._begin(self._left.pop(0))
                for ready in wait(list(self._running)):
                    assert isinstance(ready, Connection)
                    self._heard(ready)
        finally:
            for connection, (_, process) in self._running.items():
                connection.close()
                process.kill()
                process.join()
        return {policy: self._outcomes[policy] for policy in self._shares}

    def _begin(self, policy: str) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_simulate, args=(self._world, policy, theirs), daemon=True)
        process.start()
        theirs.close()
        self._running[ours] = policy, process

    def _heard(self, connection: Connection) -> None:
        policy, process = self._running[connection]
        try:
            said: float | Outcome = connection.recv()
        except EOFError:
            process.join()
            raise LoadgenError(
                f"the process that simulated {policy} has ended with exit code {process.exitcode}; "
                "with less memory or cores, give fewer policies by --policy"
            ) from None
        if isinstance(said, Outcome):
            self._outcomes[policy] = said
            del self._running[connection]
            connection.close()
            process.join()
            said = 1.0
        self._shares[policy] = said
        self._told(sum(self._shares.values()) / len(self._shares))


def _simulate(world: World, policy: str, connection: Connection) -> None:
    """In a process of its own: what is done, and then the outcome."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who began this ends it
    try:
        connection.send(Cohorts(world, policy).run(connection.send))
    except BrokenPipeError:
        return  # nobody waits for it any more
