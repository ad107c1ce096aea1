"""The tables of ``docs/explanation/capacity.md``, made by running the commands above them.

In the page a command stands in a block of its own, and below it what is shown of its output::

    ```
    loadgen plan plans/ten-million.toml --set push.share=0.5
    ```

    <!-- verdict -->
    ...
    <!-- end -->

``verdict``: the answer in words; ``workloads``: what each kind of work takes; ``resources``: how full a
server is; ``map``: what ``--regions`` found.  Sentences have their command in the comment itself: ``answer:
COMMAND`` is whether that fits, by which factor, and what is how full; ``most: COMMAND``, which work takes
most; ``part: WORK, WORK: COMMAND``, what these kinds of work take together.  ``costs``, of no command, are
single measured costs.  So the text around says nothing that a new measurement could make wrong.

``make bench BENCH=constants`` measures, and writes the page anew; ``python -m benchmarks.capacity_page``
writes it, after the model or a plan has changed.  Tests hold that nothing would change, and that the page
goes with other constants.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import msgspec

from loadgen import constants
from loadgen.cli import main as loadgen
from loadgen.plan.demand import TIME_WAIT_BYTES, TRACKED_BYTES
from loadgen.plan.regions import Axis, Cell
from loadgen.plan.show import cell, number

#: What is no fuller than this share of it, turned round, is not named as what binds.
_FAR = 2.0
#: Work is named, the largest first, until so much of a resource is told.
_MOST = 0.75
#: Of a part in what ``loadgen plan --json`` says: what it takes of each resource.
_TAKES = {"CPU": "cores", "link in": "in_gbit_per_s", "link out": "out_gbit_per_s"}
ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "capacity.md"
_COSTS = re.compile(r"(<!-- costs -->\n).*?(<!-- end -->)", re.DOTALL)
_SENTENCE = re.compile(
    r"(<!-- (answer|most|part)(?:: ([\w ,]+))?: (loadgen plan [^>]+) -->\n).*?(<!-- end -->)", re.DOTALL
)
_SHOWN = re.compile(r"(```\n(loadgen plan [^`]+)```\n\n<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(text: str) -> str:
    """The page *text*, with everything shown as the commands print it now."""
    text = _COSTS.sub(lambda match: match[1] + _costs() + match[2], text)
    text = _SENTENCE.sub(lambda match: match[1] + _sentence(match[2], match[3], match[4]) + match[5], text)
    return _SHOWN.sub(lambda match: match[1] + _shown(match[2], match[3]) + match[4], text)


def _costs() -> str:
    """What the page tells of single things: measured, or of the kernel (loadgen/plan/demand.py)."""
    costs = constants.load()
    full, short = (f"{seconds * 1e6:.0f} us" for seconds in (costs.handshake_s, costs.resumed_s))
    asked, answered = costs.changes_request_bytes, costs.not_modified_bytes
    rows = {
        "a question by HTTP: in, out": f"{asked:.0f} B, {answered:.0f} B",
        "the same over a WebSocket": f"{costs.question_bytes:.0f} B, {costs.question_answer_bytes:.0f} B",
        "CPU time of a question by HTTP": f"{costs.changes_s * 1e6:.1f} us",
        "the same over a WebSocket, in C as well": f"{costs.question_s * 1e6:.1f} us",
        "a handshake of TLS; from a ticket": f"{full}; {short}",
        "a resting connection in the node": f"{costs.connection_memory:.0f} B",
        "what TLS adds to it": f"{costs.tls_memory:.0f} B",
        "in the kernel: socket, file, dentry, inode, epoll entry": f"{costs.kernel_memory / 1000:.1f} kB",
        "a WebSocket in the node": f"{costs.socket_memory:.0f} B",
        "in TIME_WAIT, a minute after a connection that the node has closed": f"{TIME_WAIT_BYTES} B",
        "a tracked connection, until two minutes after its end": f"{TRACKED_BYTES} B",
    }
    return "| what | costs |\n| --- | ---: |\n" + "".join(
        f"| {name} | {cost} |\n" for name, cost in rows.items()
    )


def _shown(command: str, what: str) -> str:
    if what == "verdict":
        return _verdict(_printed(_words(command)))
    return {"workloads": _workloads, "resources": _resources, "map": _map}[what](_told(command))


def _words(command: str) -> list[str]:
    """The arguments of a *command* of the page."""
    words = shlex.split(command.replace("\\\n", " "))[1:]
    return [words[0], str(ROOT / words[1]), *words[2:]]


def _told(command: str) -> Any:
    """What it says as JSON."""
    return json.loads(_printed([*_words(command), "--json", "-"]))


def _sentence(kind: str, names: str | None, command: str) -> str:
    found = _told(command)["assessment"]
    if kind == "part":
        return _part(found, (names or "").split(", "))
    if kind == "most":
        return _most(found)
    return _answer(found, "" if "--set" in command else " with everything as it is today")


def _answer(found: Any, today: str) -> str:
    """Whether it fits, then what binds, in the order in which it does; up to half of what may be used."""
    room = sorted((room, name) for name, room in found["room"].items())
    full = [f"{name} at {1 / room:.0%}" for room, name in room if room < _FAR]
    factor = 1 / room[0][0]
    fits = f"It fits{today}" if factor <= 1 else f"It does not fit{today}, by a factor of {factor:.2f}"
    rest = f"all else below {1 / _FAR:.0%}" if full else f"all is below {1 / _FAR:.0%}"
    return f"**{fits}:** of what may be used, {'; '.join([', '.join(full), rest] if full else [rest])}.\n"


def _shares(found: Any, resource: str) -> list[tuple[float, str]]:
    """How much of what is used of a *resource* each kind of work takes, the largest first."""
    used = [(one[_TAKES[resource]], one["name"]) for one in found["parts"]]
    total = sum(amount for amount, _ in used)
    return sorted(((amount / total, name) for amount, name in used), reverse=True)


def _most(found: Any) -> str:
    """Which work takes most of each resource."""
    told = []
    for resource in _TAKES:
        named: list[str] = []
        so_far = 0.0
        for share, name in _shares(found, resource):
            if so_far < _MOST:
                named.append(f"{name} {share:.0%}")
            so_far += share
        told.append(f"of {resource} {', '.join(named)}")
    return f"What takes most: {'; '.join(told)}.\n"


def _part(found: Any, names: list[str]) -> str:
    """What the kinds of work of these *names* take together."""
    unknown = set(names) - {one["name"] for one in found["parts"]}
    if unknown:
        raise SystemExit(f"{PAGE.name}: there is no work called {', '.join(sorted(unknown))}")
    told = []
    for resource in _TAKES:
        share = sum(share for share, name in _shares(found, resource) if name in names)
        told.append(f"{share:.0%} of {resource}" if share >= 0.01 else f"less than 1% of {resource}")
    return f"Of all that is used: {', '.join(told)}.\n"


def _printed(words: list[str]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        loadgen(words)
    return printed.getvalue()


def _verdict(printed: str) -> str:
    """The frame at the end, without where the constants are from and what is of no use alone."""
    lines = [line.strip("│ ").split("    [")[0] for line in printed.splitlines() if line.startswith("│")]
    begin = max(number for number, line in enumerate(lines) if line.startswith("It "))
    told = "\n".join(lines[begin:])
    told = re.sub(r"What things cost .*?extrapolated\.\n?", "", told, flags=re.DOTALL)
    told = re.sub(r"No value alone .*", "", told, flags=re.DOTALL)
    return "".join(f"> {line}\\\n" if line else ">\n" for line in told.strip().splitlines())


def _workloads(found: Any) -> str:
    head = "| work | a second | Gbit/s in | out | cores | at most a second, alone | what binds then |\n"
    rows = (
        f"| {one['name']} | {one['per_second']:,.0f} "
        f"| {one['in_gbit_per_s']:.3f} | {one['out_gbit_per_s']:.3f} | {one['cores']:.2f} "
        f"| {one['at_most_per_s']:,.0f} | {one['binding']} |\n"
        for one in found["assessment"]["parts"]
    )
    return head + "| --- | ---: | ---: | ---: | ---: | ---: | --- |\n" + "".join(rows)


def _resources(found: Any) -> str:
    assessment = found["assessment"]
    use = assessment["hours"][assessment["peak"]]["use"]
    rows = (f"| {name} | {use[name]:.1%} | {room:,.3g} |\n" for name, room in assessment["room"].items())
    head = "| of a server | used in the busiest hour | would carry, times the users |\n"
    return head + "| --- | ---: | ---: |\n" + "".join(rows)


def _map(found: Any) -> str:
    across, down, cells = msgspec.convert(found["regions"], tuple[Axis, Axis, list[list[Cell]]])
    lines = [["", *map(number, across.values)], ["---"] * (len(across.values) + 1)]
    lines += [[number(value), *map(cell, row)] for value, row in zip(down.values, cells, strict=True)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write() -> None:
    """Renew the page."""
    PAGE.write_text(renewed(PAGE.read_text()))


if __name__ == "__main__":
    write()
