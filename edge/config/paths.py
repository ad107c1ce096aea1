"""Default paths: where the webroot and the state directory are when nobody says."""

from __future__ import annotations

import os
from pathlib import Path

import edge
from edge.errors import ConfigError

_PACKAGE = Path(edge.__file__).resolve().parent


def default_webroot() -> Path:
    """The demonstration site: inside the package when installed, beside it in a checkout."""
    installed = _PACKAGE / "webroot"
    return installed if installed.is_dir() else _PACKAGE.parent / "webroot"


def default_state_dir(node: str) -> Path:
    """Where *node* keeps its state.

    ``$STATE_DIRECTORY`` is what systemd makes for ``StateDirectory=`` (systemd.exec(5)); else it
    follows the XDG base directory specification.
    """
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    home = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(home):
        return Path(home, "twistd-edge", node)
    try:
        return Path.home() / ".local" / "state" / "twistd-edge" / node
    except RuntimeError:
        raise ConfigError(
            "--state-dir: this user has no home directory; give one, like --state-dir /var/lib/twistd-edge"
        ) from None
