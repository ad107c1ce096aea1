"""What each thing that clients do costs a node: from a file that ``make bench BENCH=constants`` measures.

Nothing here is typed in by hand.  The file names the machine, and for each constant how it was measured::

    {"v": 1, "machine": {"cpu": "...", "cores": 2, "kernel": "...", "python": "...", "date": "..."},
     "constants": {"not_modified_s": {"value": 5.0e-06, "unit": "s", "how": "..."}, ...}}

Seconds (``_s``) are CPU time of one core, of all processes of the node; bytes are above TCP.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from loadgen.errors import UsageError

VERSION = 1
PACKAGED = Path(__file__).with_name("constants.json")
AGAIN = "make bench BENCH=constants measures it again"


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """One field for each constant; names are append-only."""

    # ---- CPU time ----

    #: A 304 over an open connection; a 200 is body_s and its kilobytes (1,000 bytes).
    not_modified_s: float
    body_s: float
    body_s_per_kilobyte: float
    #: A POST /.edge/revalidate, and each validator in it.
    batch_s: float
    validator_s: float
    #: A GET /.edge/changes that is answered with 304; the same question over a WebSocket.
    changes_s: float
    question_s: float
    #: Opening and closing a TCP connection.
    connection_s: float
    #: What a TLS handshake adds to that: with a certificate, from a ticket.
    handshake_s: float
    resumed_s: float
    #: What TLS adds to a 304 with its request.
    tls_request_s: float
    #: Opening a WebSocket on an open connection, and one message pushed on one.
    upgrade_s: float
    push_s: float

    # ---- bytes ----

    #: Request heads as a browser sends them: a page; the same with a validator; a POST /.edge/revalidate
    #: without its lines; a GET /.edge/load; a GET /.edge/changes, as the smart client's worker sends it; a
    #: GET of that worker's script, as browsers look for another one.
    request_bytes: float
    confirm_request_bytes: float
    batch_request_bytes: float
    load_request_bytes: float
    changes_request_bytes: float
    look_request_bytes: float
    #: The frame of that question over a WebSocket, and of the answer that nothing has changed.
    question_bytes: float
    question_answer_bytes: float
    #: A line of a batch, without the path.
    validator_bytes: float
    #: Answers: a 304; a 200 without its body; of a batch in which nothing is stale; a load document without
    #: its nodes, with its head; each node in it.
    not_modified_bytes: float
    body_head_bytes: float
    batch_answer_bytes: float
    load_answer_bytes: float
    load_node_bytes: float
    #: A load document of one node, pushed; the figures of one node in a word, pushed.
    push_bytes: float
    word_bytes: float
    #: TLS handshakes, from the client and to it.
    handshake_in_bytes: float
    handshake_out_bytes: float
    resumed_in_bytes: float
    resumed_out_bytes: float
    #: Of the first, those of the certificate, as DER.
    certificate_bytes: float

    # ---- memory of one that rests ----

    #: A connection, in the node's processes and in the kernel; what TLS adds; what a WebSocket takes.
    connection_memory: float
    kernel_memory: float
    tls_memory: float
    socket_memory: float


NAMES: tuple[str, ...] = Constants.__struct_fields__


def unit(name: str) -> str:
    """What the constant *name* is measured in."""
    return "s" if name.endswith(("_s", "_kilobyte")) else "B"


class Constant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One value in the file."""

    value: Annotated[float, Meta(gt=0)]
    unit: str
    how: str


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it was measured."""

    cpu: str
    cores: int
    kernel: str
    python: str
    date: str


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    v: int = VERSION
    machine: Machine
    constants: dict[str, Constant]


def read(path: Path | None = None) -> File:
    """The file *path*, checked; without one, what this program brings along; :exc:`UsageError`."""
    path = path or PACKAGED
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; {AGAIN}") from None
    try:
        file = msgspec.json.decode(data, type=File)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: these are no measured constants: {error}; {AGAIN}") from None
    if file.v != VERSION:
        raise UsageError(f"{path}: constants of version {file.v}, this program reads {VERSION}; {AGAIN}")
    problem = _problem(file)
    if problem:
        raise UsageError(f"{path}: {problem}; {AGAIN}")
    return file


def load(path: Path | None = None) -> Constants:
    """The constants in the file *path*, see :func:`read`."""
    return Constants(**{name: constant.value for name, constant in read(path).constants.items()})


def _problem(file: File) -> str:
    missing, unknown = set(NAMES) - set(file.constants), set(file.constants) - set(NAMES)
    if missing:
        return f"{', '.join(sorted(missing))} missing"
    if unknown:
        return f"{', '.join(sorted(unknown))}: there is no such constant"
    for name in NAMES:
        constant = file.constants[name]
        if constant.unit != unit(name):
            return f"{name} is in {constant.unit!r}, not in {unit(name)!r}"
        if constant.value == float("inf"):
            return f"{name} is infinite"
    return ""
