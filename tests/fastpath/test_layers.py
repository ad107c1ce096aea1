"""The layers of the C sources: the sans-IO ones include nothing that could do I/O or read a clock."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import edge.fastpath

SOURCES = Path(edge.fastpath.__file__).parent / "src"
ARCHITECTURE = SOURCES.parents[2] / "docs" / "explanation" / "architecture.md"
#: Where the header of native TLS is, which the loop includes.
TLS = SOURCES.parents[1] / "tls" / "src"
#: Bytes and a time go in, bytes and an outcome come out.
SANS_IO = {
    "request",
    "opening",
    "answer",
    "app",
    "passed",
    "upstream",
    "frames",
    "head",
    "output",
    "table",
    "layout",
    "variant",
    "hash",
    "date",
    "changes",
    "sites",
    "certificates",
    "networks",
    "log",
    "buckets",
    "guard",
    "lines",
}
#: Sockets, epoll, the clock; ``peers`` makes no system call, but knows socket addresses.
SHELL = {
    "loop",
    "connection",
    "peers",
    "relay",
    "members",
    "exchange",
    "held",
    "carrier",
    "carrier_app",
    "carrier_http",
    "sealed",
    "shaking",
    "sockets",
}
#: The headers of the system that the sans-IO sources may include; ``sys/uio.h`` for ``struct iovec``.
HARMLESS = {"stdbool.h", "stddef.h", "stdint.h", "string.h", "emmintrin.h", "sys/uio.h"}
#: What ``sys/uio.h`` declares besides.
FORBIDDEN_CALLS = re.compile(r"\b(?:p?readv2?|p?writev2?|process_vm_\w+)\s*\(")

_INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', re.MULTILINE)


def included(folder: Path, name: str) -> dict[str, str]:
    """The headers of the system that *name* includes, directly or through our own: which of ours does it."""
    found: dict[str, str] = {}
    waiting, seen = [name], {name}
    while waiting:
        current = waiting.pop()
        path = folder / current
        for system, own in _INCLUDE.findall((path if path.exists() else TLS / current).read_text()):
            if system:
                found.setdefault(system, current)
            elif own not in seen:
                seen.add(own)
                waiting.append(own)
    return found


def violations(folder: Path) -> list[str]:
    """What the sans-IO sources in *folder* include or call that they must not, sorted."""
    found = set()
    for name in SANS_IO:
        for path in (folder / f"edge_{name}.{ending}" for ending in "ch"):
            if path.exists():
                for header, through in included(folder, path.name).items():
                    if header not in HARMLESS:
                        found.add(f"{path.name} includes <{header}> in {through}")
                found |= {f"{path.name} calls {call}" for call in FORBIDDEN_CALLS.findall(path.read_text())}
    return sorted(found)


class LayerTests(SynchronousTestCase):
    """Every source is either sans-IO or of the shell."""

    def setUp(self) -> None:
        self.copy = Path(self.mktemp())
        shutil.copytree(SOURCES, self.copy)

    def append(self, name: str, line: str) -> None:
        """A broken copy of one source."""
        path = self.copy / name
        path.write_text(f"{path.read_text()}{line}\n")

    def test_the_sans_io_sources_know_neither_sockets_nor_the_clock(self) -> None:
        """Nor through the headers that they include."""
        self.assertEqual(violations(SOURCES), [])

    def test_every_source_belongs_to_a_layer(self) -> None:
        """A new one is to be told here, in the architecture, and in the map of the folder."""
        names = {path.stem.removeprefix("edge_") for path in SOURCES.glob("edge_*.[ch]")}
        self.assertEqual(names, SANS_IO | SHELL)
        for layer, expected in (("sans-IO", SANS_IO), ("shell", SHELL)):
            row = re.search(rf"^\| {layer} \| (.*?) \|", ARCHITECTURE.read_text(), re.MULTILINE)
            assert row is not None
            self.assertEqual(set(re.findall(r"`(\w+)`", row[1])), expected)

    def test_the_shell_does_know_them(self) -> None:
        """Else the lists of headers would prove nothing."""
        self.assertIn("time.h", included(SOURCES, "edge_loop.c"))
        self.assertIn("sys/epoll.h", included(SOURCES, "edge_connection.c"))

    def test_a_source_that_includes_the_clock_is_found(self) -> None:
        self.append("edge_answer.c", "#include <time.h>")
        self.assertEqual(violations(self.copy), ["edge_answer.c includes <time.h> in edge_answer.c"])

    def test_a_header_that_includes_sockets_is_found_in_all_that_include_it(self) -> None:
        self.append("edge_hash.h", "# include <sys/socket.h>")
        through = "includes <sys/socket.h> in edge_hash.h"
        found = violations(self.copy)
        for name in ("edge_hash.c", "edge_table.h", "edge_head.h", "edge_answer.c"):
            self.assertIn(f"{name} {through}", found)
        self.assertNotIn(f"edge_request.c {through}", found)

    def test_a_source_that_includes_the_shell_is_found(self) -> None:
        self.append("edge_request.c", '#include "edge_loop.h"')
        self.assertIn("edge_request.c includes <sys/socket.h> in edge_peers.h", violations(self.copy))

    def test_a_source_that_writes_its_pieces_is_found(self) -> None:
        self.append("edge_output.h", "static void out(int fd) { writev(fd, 0, 0); }")
        self.assertIn("edge_output.h calls writev(", violations(self.copy))
