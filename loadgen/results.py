"""The result of a run: the one record that joins the subcommands.

``loadgen run`` writes it, ``loadgen report`` reads it.

A run's folder (``--out DIR``) holds ``result.json``, this record as JSON.  Times are seconds from the
beginning of the run, durations microseconds in histograms and milliseconds where the name says so, bytes
are bytes above TCP.  Names are append-only: a reader ignores what it does not know.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path
from typing import Literal

import msgspec

from loadgen.errors import LoadgenError, UsageError

VERSION = 1
FILE = "result.json"

#: ok: 0; threshold: one was not held, 2; invalid: the generator could not do what was planned, 3; error: 1;
#: interrupted: Ctrl-C, the record is of what was done until then, 130.
Verdict = Literal["ok", "threshold", "invalid", "error", "interrupted"]
#: Begins the names of counts of wrong answers by what is wrong with them.
WRONG = "wrong: "
EXIT_CODES: dict[str, int] = {"ok": 0, "error": 1, "threshold": 2, "invalid": 3, "interrupted": 130}


class Second(msgspec.Struct, kw_only=True):
    """One second of a run, over all processes."""

    at: int
    #: Requests whose planned time was in this second; sent in it; answered in it.
    planned: int = 0
    sent: int = 0
    answered: int = 0
    statuses: dict[str, int] = {}
    #: Failed requests by reason.
    errors: dict[str, int] = {}
    bytes_in: int = 0
    bytes_out: int = 0
    #: Requests by node.
    nodes: dict[str, int] = {}
    #: Copies that were confirmed, by a 304 or within a batch, and bodies that were fetched.
    confirmed: int = 0
    bodies: int = 0
    #: Of the corrected latency, in this order of percent: 50, 90, 99, 99.9, 100, 95; a request that failed
    #: counts for as long as it was waited for, or as the slowest answer took.
    latency_ms: list[float] = []
    #: Pushes that subscribers received, and their p99.
    pushes: int = 0
    push_ms: float = 0.0
    #: Users within a session, and open connections, at its end.
    active: int = 0
    connections: int = 0
    #: Of the generator, resident.
    memory_bytes: int = 0
    #: What the scenario, or a failure, has to say of it.
    notes: list[str] = []
    #: Bodies of versions that nobody had been given before; failed attempts by node.
    versions: int = 0
    node_errors: dict[str, int] = {}


class NodeResult(msgspec.Struct, kw_only=True):
    """One node over the whole run, as its clients saw it."""

    id: str
    url: str
    requests: int = 0
    errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    #: Of the corrected latency.
    p50_ms: float = 0.0
    p99_ms: float = 0.0


class Threshold(msgspec.Struct, kw_only=True):
    """One line of the scenario's thresholds, and how it came out."""

    text: str
    measured: float
    held: bool
    #: What was measured: answers; failed: the percentile is of a request that failed, and *measured* what it
    #: took at least; nothing: there was none.
    of: Literal["answers", "failed", "nothing"] = "answers"


class Generator(msgspec.Struct, kw_only=True):
    """How the generator itself did: what makes a run valid or not."""

    #: Share of the planned requests that were sent, 0..1.
    offered: float
    #: From planned to sent, by the generator's own fault.
    lag_p99_ms: float
    lag_max_ms: float
    #: CPU seconds of all its processes, and requests per CPU second.
    cpu_seconds: float
    per_core: float
    #: Resident memory of all its processes at the end, and per user.
    memory_bytes: int
    bytes_per_user: float = 0.0


class Result(msgspec.Struct, kw_only=True):
    """The record of one run."""

    v: int = VERSION
    #: Name and file of the scenario, and a line about it.
    scenario: str
    title: str = ""
    cluster: str
    #: Unix seconds.
    began: float
    seconds: float
    users: int
    seed: int
    processes: int
    policy: str = "smart"
    #: The one node was any server, its users browsers without the smart client.
    plain: bool = False
    verdict: Verdict
    #: Why it is not "ok"; empty then.
    reasons: list[str] = []
    thresholds: list[Threshold] = []
    generator: Generator
    #: What smart clients did: sessions, page_views, requests, fresh_hits (no request), batches, validators,
    #: not_modified, bodies, retries, hedges, failed, stale_confirmations, wrong_answers, pushes, ...
    counts: dict[str, int] = {}
    statuses: dict[str, int] = {}
    errors: dict[str, int] = {}
    #: What may be compared in thresholds: p50, p90, p99, p99.9 (ms, corrected), errors, herd, ...  Finite: a
    #: percentile of requests that failed is what they took at least.
    measures: dict[str, float] = {}
    #: Names of measures that are of requests that failed.
    at_least: list[str] = []
    nodes: list[NodeResult] = []
    #: HDR histograms by name, as loadgen.histogram encodes them: corrected, raw, lag, push, failed (how long
    #: requests had been waited for that failed), handshake_full, handshake_resumed (of TLS, from the
    #: ClientHello on).
    histograms: dict[str, str] = {}
    series: list[Second] = []


def save(result: Result, folder: Path) -> Path:
    """Write *result* into *folder*, whole or not at all; the file's path; :exc:`LoadgenError`."""
    path = folder / FILE
    temporary = path.with_suffix(".new")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise LoadgenError(
            f"{path}: the result cannot be written: {error.strerror}; give another folder with --out"
        ) from None
    return path


def unused(folder: Path) -> Path:
    """*folder*, made here, or else the first one with a number behind its name that is not there yet."""
    for number in itertools.count(1):
        one = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            one.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError:
            pass  # who writes to it says so
        return one
    raise AssertionError("not reached")


def load(path: Path) -> Result:
    """The record in the file, or the folder, *path*; :exc:`UsageError` if there is none."""
    file = path / FILE if path.is_dir() else path
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{file}: {error.strerror}; give a folder that loadgen run --out has written"
        ) from None
    try:
        result = msgspec.json.decode(data, type=Result)
    except msgspec.DecodeError as error:
        raise UsageError(f"{file}: this is no result of loadgen run: {error}") from None
    if result.v != VERSION:
        raise UsageError(f"{file}: a result of version {result.v}, this program reads {VERSION}")
    return result
