"""Whether applications can be loaded and reached, tried now: for ``--check`` and ``edgectl check``."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from edge.app.hosting.process import PROBLEM
from edge.errors import ConfigError, NotConnected, plain
from edge.node.supervisor.hosting.connecting import connect
from edge.node.supervisor.hosting.process import check_places, environment, interpreter, start_script

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.config.applications import Application

#: Seconds that an application may take to be loaded.
PATIENCE = 60.0


def application_problems(applications: Sequence[Application]) -> list[str]:
    """Why some of *applications* cannot be loaded, or reached, a sentence each; blocks."""
    return [
        f"app {application.name}: {problem}"
        for application in applications
        for problem in (_loading(application) if application.is_hosted else _reaching(application))
    ]


def _loading(application: Application) -> Iterator[str]:
    """Load it as its processes do, in a process that ends then; its startup is not tried."""
    specification = {"run": application.run, "folder": application.folder, "check": True}
    try:
        check_places(application)
        tried = subprocess.run(
            [interpreter(application), start_script(), json.dumps(specification)],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=application.folder or None,
            env=environment(application),
            timeout=PATIENCE,
            check=False,
        )
    except ConfigError as error:
        yield str(error)
    except subprocess.TimeoutExpired:
        yield f"it cannot be loaded within {PATIENCE:g} s"
    except OSError as error:
        yield f"it cannot be tried: {error.strerror}"
    else:
        lines = tried.stdout.decode("utf-8", "replace").splitlines()
        said = [plain(line.removeprefix(PROBLEM)) for line in lines if line.startswith(PROBLEM)]
        yield from said
        if tried.returncode and not said:
            last = tried.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            yield f"the process that loaded it ended: {plain(last[-1])}"


def _reaching(application: Application) -> Iterator[str]:
    """Connect to where it should be."""
    for target in application.targets:
        try:
            os.close(connect(target))
        except NotConnected as error:
            yield str(error)
