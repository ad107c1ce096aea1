"""One process of a run: ``python -m loadgen.run.process IN OUT HOST...``.

IN and OUT are descriptors, of its parent's frames and its own.  It loads this machine, and the hosts
named.  It stops when the parent's stream ends, so no load goes on without somebody who looks on.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Collection, Iterator

from loadgen.errors import LoadgenError
from loadgen.run.assembly import Parts, assemble
from loadgen.run.engine import Engine
from loadgen.run.frames import Failed, Frame, FrameError, Frames, Go, Ready, Told, Work, encode
from loadgen.targets import is_ours


def serve(inward: int, outward: int, owned: Collection[str]) -> int:
    """Do the one job that comes in; exit code."""
    frames = _read(inward)
    work = next(frames, None)
    if not isinstance(work, Work):
        return 1
    job = work.job
    for node in job.nodes:
        if not is_ours(node.host, owned):
            _tell(outward, Failed(f"{node.host} is not this machine; name it here with --i-own-this-target"))
            return 1
    try:
        parts = assemble(job)
    except (LoadgenError, OSError, MemoryError) as error:
        _tell(outward, Failed(str(error) or "there is not enough memory for so many users"))
        return 1
    _tell(outward, Ready(parts.wire.kind, parts.bytes_per_user))
    if not isinstance(next(frames, None), Go):
        return 1
    parts.clock.start = parts.clock.now = time.monotonic_ns() + int(job.delay * 1e9)
    engine = Engine(parts, job.scenario.duration_s)
    threading.Thread(target=_stop_at_end, args=(frames, engine), daemon=True).start()
    _wait(parts)
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        for report in engine.run():
            _tell(outward, Told(report))
    parts.wire.close()
    return 0


def _wait(parts: Parts) -> None:
    time.sleep(max(0.0, (parts.clock.start - time.monotonic_ns()) / 1e9))


def _stop_at_end(frames: Iterator[Frame], engine: Engine) -> None:
    for _ in frames:
        pass
    engine.stop()


def _read(descriptor: int) -> Iterator[Frame]:
    """Frames until the stream ends, or is none."""
    frames = Frames()
    with contextlib.suppress(OSError, FrameError):
        while data := os.read(descriptor, 1 << 16):
            yield from frames.receive(data)


def _tell(descriptor: int, frame: Frame) -> None:
    data = memoryview(encode(frame))
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
