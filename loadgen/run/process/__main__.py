"""The program of a worker process: ``python -m loadgen.run.process IN OUT HOST...``.

IN and OUT are descriptors, of the coordinator's messages and its own.  It loads this machine, and the hosts
named.  It stops when the coordinator's stream ends, so no load goes on without somebody who looks on.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Collection, Iterator

from loadgen.errors import LoadgenError
from loadgen.run.messages.job import Job
from loadgen.run.messages.protocol import (
    Expect,
    Failed,
    Go,
    JobMessage,
    Message,
    MessageError,
    MessageReader,
    Ready,
    ReportMessage,
    encode,
)
from loadgen.run.process.assembly import assemble
from loadgen.run.process.engine import Engine
from loadgen.run.process.replay_engine import ReplayEngine
from loadgen.run.process.subscriber_engine import SubscriberEngine
from loadgen.targets import is_ours

#: As a niceness.
_PRIORITY = -10


def serve(inward: int, outward: int, owned: Collection[str]) -> int:
    """Do the one job that comes in; the exit code."""
    messages = _read(inward)
    work = next(messages, None)
    if not isinstance(work, JobMessage):
        return 1
    job = work.job
    for node in job.nodes:
        if not is_ours(node.host, owned):
            _tell(outward, Failed(f"{node.host} is not this machine; name it here with --i-own-this-target"))
            return 1
    try:
        worker = _engine(job)
    except (LoadgenError, OSError, MemoryError) as error:
        _tell(outward, Failed(str(error) or "there is not enough memory for so many users"))
        return 1
    ready = Ready() if isinstance(worker, SubscriberEngine) else Ready(worker.kind, worker.bytes_per_user)
    _tell(outward, ready)
    if not isinstance(next(messages, None), Go):
        return 1
    if job.users:
        _come_first(job.neighbours)
    start = time.monotonic_ns() + int(job.delay * 1e9)
    threading.Thread(target=_heed, args=(messages, worker), daemon=True).start()
    time.sleep(max(0.0, (start - time.monotonic_ns()) / 1e9))
    for report in worker.run(start):
        try:
            _tell(outward, ReportMessage(report))
        except OSError:
            break  # nobody listens any more
    worker.close()
    return 0


def _engine(job: Job) -> Engine | ReplayEngine | SubscriberEngine:
    if job.subscribers:
        return SubscriberEngine(job)
    if job.schedule is not None:
        return ReplayEngine(job, job.schedule)
    return Engine(assemble(job), job.scenario.duration_s)


def _come_first(neighbours: int) -> None:
    """Raise the priority: have a core as soon as something is due, where that is allowed.

    A generator that waits for a core measures the machine that it runs on, not the cluster: on two cores
    shared with four nodes the p99 of its lag is 3 ms otherwise, and 0.3 ms so.  With more of them than
    cores they would wait for each other: then each is only preferred to the rest.
    """
    with contextlib.suppress(OSError):
        if neighbours <= (os.cpu_count() or 1):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        else:
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)


def _heed(messages: Iterator[Message], worker: Engine | ReplayEngine | SubscriberEngine) -> None:
    """Do what the coordinator says meanwhile; stop when its stream ends."""
    for message in messages:
        if isinstance(message, Expect) and isinstance(worker, SubscriberEngine):
            worker.expect(message.unix_ns)
    worker.stop()


def _read(descriptor: int) -> Iterator[Message]:
    """The messages of a stream until it ends, or is none."""
    messages = MessageReader()
    with contextlib.suppress(OSError, MessageError):
        while data := os.read(descriptor, 1 << 16):
            yield from messages.receive(data)


def _tell(descriptor: int, message: Message) -> None:
    data = memoryview(encode(message))
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
