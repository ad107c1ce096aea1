"""A node with applications behind it, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.end_to_end.node import ROOT, RunningNode

#: Where a node listens that is told nothing else.
PLAIN = ("tcp:0:interface=127.0.0.1",)
APPLICATIONS = ROOT / "tests" / "end_to_end" / "applications"


class HostingNode(RunningNode):
    """A node whose *applications* are tables of ``[[app]]``."""

    def __init__(
        self,
        *applications: dict[str, Any],
        workers: int = 1,
        options: tuple[str, ...] = (),
        listen: tuple[str, ...] = PLAIN,
    ) -> None:
        """*listen*: endpoints; DIR in them is the node's directory."""
        super().__init__(*options, workers=workers, listen=listen)
        self.options = [option.replace("DIR", str(self.directory)) for option in self.options]
        self.names = [application["name"] for application in applications]
        lines = []
        for application in applications:
            lines.append("[[app]]")
            for key, value in {"folder": str(APPLICATIONS), **application}.items():
                if key != "folder" or "run" in application:
                    lines.append(f"{key} = {_toml(value)}")
        file = self.directory / "edge.toml"
        file.write_text("\n".join(lines))
        self.options += ["--config", str(file), "--no-smart-client"]
        self.write("index.html", b"the site\n")

    def start_all(self) -> HostingNode:
        """Start, and wait until all applications are ready."""
        self.start()
        self.wait_for(lambda: all(self.ready(name) for name in self.names), "the applications are ready")
        return self

    def application(self, name: str) -> Any:
        """The application *name*, as the admin API has it."""
        found = self.admin("GET", "/applications")[1]["applications"]
        return next(one for one in found if one["name"] == name)

    def ready(self, name: str) -> bool:
        """Whether all processes of application *name* are ready."""
        return all(process["state"] == "ready" for process in self.application(name)["processes"])

    def pids(self, name: str) -> list[int]:
        """The processes of application *name*."""
        return [process["pid"] for process in self.application(name)["processes"]]

    def says(self, sentence: str) -> None:
        """Wait until the log has *sentence*: what workers say comes there a moment later."""
        self.wait_for(lambda: sentence in self.said(), f"it says {sentence!r}")

    def said(self) -> str:
        """The log."""
        return self.log.read_text()


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
