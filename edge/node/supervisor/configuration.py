"""The configuration in force: as it was at the start, or as SIGHUP found it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from twisted.logger import Logger

from edge.config import SETTINGS, find_problems, needs_restart, reload
from edge.errors import ConfigError
from edge.node.resources.mount_check import mount_problems
from edge.node.supervisor.hosting.check import application_problems

if TYPE_CHECKING:
    from edge.config import Config


class Configuration:
    """The configuration that the parts of a node go by; at first *config*."""

    _log = Logger()

    def __init__(self, config: Config) -> None:
        self.current = config

    def read_anew(self) -> None:
        """Take over what the file says now; what cannot be, or not before the next start, is logged."""
        old = self.current
        try:
            new = reload(old)
        except ConfigError as error:
            self._log.error("SIGHUP: the configuration stays as it was: {error}", error=error)
            return
        late = needs_restart(old, new)
        for name in late:
            self._log.warn("SIGHUP: a change of {name} takes effect at the next start", name=name)
        kept = {SETTINGS[name].attribute for name in late}
        self.current = replace(new, **{attribute: getattr(old, attribute) for attribute in kept})

    def find_problems(self) -> list[str]:
        """What would be wrong if the node were started again now, in sentences; may take a while."""
        try:
            config = reload(self.current)
            return (
                find_problems(config)
                + mount_problems(config.mount)
                + application_problems(config.applications)
            )
        except ConfigError as error:
            return str(error).splitlines()
