"""Closed loops in several processes, as many as there are cores to spare.

Ctrl-C reaches only the first process: it asks the others to end through their pipes, and everybody's
figures count.  A pipe that has lost its other end means the same.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from loadgen.flood.figures import Figures
from loadgen.flood.loop import Load, select

#: How long a loop runs before it looks for a message.
_SLICE_NS = 200_000_000


def flood(kind: str, load: Load, seconds: float, processes: int = 1) -> Figures:
    """Load for *seconds*, or until Ctrl-C: what came back until then."""
    context = multiprocessing.get_context("spawn")
    others: list[tuple[SpawnProcess, Connection]] = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if processes > 1 else None
    try:
        for number in range(1, processes):
            ours, theirs = context.Pipe()
            share = load.share(number, processes)
            other = context.Process(target=_other, args=(theirs, kind, share, seconds), daemon=True)
            other.start()
            theirs.close()
            others.append((other, ours))
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    figures = Figures()
    try:
        for _, pipe in others:
            pipe.recv()  # it is ready
            pipe.send("go")
        _run(kind, load.share(0, processes), seconds, figures, lambda: False)
    except KeyboardInterrupt:
        figures.interrupted = True
    except EOFError:
        figures.errors["a process of the generator ended early"] += 1
    for other, pipe in others:
        try:
            if figures.interrupted:
                pipe.send("end")
            figures.add(pipe.recv())
        except (EOFError, OSError):
            figures.errors["a process of the generator ended early"] += 1
        other.join()
    return figures


def _run(kind: str, load: Load, seconds: float, figures: Figures, told_to_end: Callable[[], bool]) -> None:
    loop = select(kind, load)
    begin = time.monotonic_ns()
    cpu = _cpu_seconds()
    end = begin + int(seconds * 1e9)
    try:
        while (now := time.monotonic_ns()) < end and not told_to_end():
            loop.run(min(end, now + _SLICE_NS), figures)
    finally:
        figures.seconds = (time.monotonic_ns() - begin) / 1e9
        figures.cpu_seconds = _cpu_seconds() - cpu
        loop.close()


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _other(pipe: Connection, kind: str, load: Load, seconds: float) -> None:
    """Another process: says that it is ready, runs when it is told to, and sends its figures."""
    figures = Figures()
    pipe.send("ready")
    if pipe.recv() == "go":
        _run(kind, load, seconds, figures, pipe.poll)
    pipe.send(figures)
