"""The constants of the choice of a node, read from the smart client's own file.

``webroot/edge/worker/choice.js`` exports one object literal, which is JSON: the same figures hold in browsers
and here.  An installed program has it in ``edge/webroot``, a checkout beside ``edge``.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

import edge

#: What stands around the JSON.
_BEGIN, _END = "export const CHOICE = ", ";\n"


class ChoiceConstants(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One field for each; times are milliseconds."""

    #: Slower than the fastest by less than this factor counts as equally fast.
    near: float
    #: Slower by more than this: not to be stayed with.
    slow: float
    #: No node is better than this: less is noise.
    least_ms: float
    #: Scores within this factor are near-equal: the emptier and faster of two candidates is taken.
    equal: float
    #: Requests that a browser has on the way to one origin (HTTP/1.1); the next would wait.
    full: int
    #: Failures in a row that eject a node.
    errors: int
    #: For how long the first time and at most; the time is multiplied by least .. least + spread, at random.
    eject_ms: float
    eject_most_ms: float
    eject_least: float
    eject_spread: float
    #: A node that was ejected gets its full share again after this long, and this share of it at once.
    return_ms: float
    return_share: float
    #: Of the headroom of the nodes: the share of clients that draws again in one period; its bounds.
    redraw: float
    redraw_least: float
    redraw_most: float
    #: Time constants of the peak EWMA of latencies, and of forgiving what nobody confirms.
    tau_ms: float
    forgive_ms: float
    #: By which factor the least latency ever seen rises with each answer.
    floor_rise: float


def file() -> Path:
    """The path of the module that holds the constants."""
    package = Path(edge.__file__).resolve().parent
    installed = package / "webroot"
    webroot = installed if installed.is_dir() else package.parent / "webroot"
    return webroot / "edge" / "worker" / "choice.js"


def parse(text: str) -> ChoiceConstants:
    """The constants in the source *text* of the module; :exc:`ValueError` if they are not as described."""
    _, begin, rest = text.partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"choice.js: no {_BEGIN.strip()} ... ;")
    return msgspec.json.decode(body, type=ChoiceConstants)


CHOICE = parse(file().read_text("utf-8"))
