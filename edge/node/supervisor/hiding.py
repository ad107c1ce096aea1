"""What is told to nobody besides who asks for it: what not everybody may have, by the rules in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.config.access import rules_of
from edge.sites import split_name

if TYPE_CHECKING:
    from edge.access.rules import Rules
    from edge.config import Config
    from edge.node.supervisor.configuration import Configuration


class Hiding:
    """The rules of all sites, as those see them who tell of what has changed."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._config: Config | None = None
        self._rules: dict[bytes, Rules] = {}

    def is_hidden(self, name: bytes) -> bool:
        """Whether the entry of that *name* is one that not everybody may have."""
        config = self._configuration.current
        if config is not self._config:
            self._config = config
            self._rules = {site.prefix.encode("ascii"): rules_of(site) for site in config.sites}
        prefix, path = split_name(name)
        rules = self._rules.get(prefix)
        return rules is not None and rules.is_protected(path)


def user_files(config: Config) -> list[str]:
    """The files of users who may log in."""
    return list(dict.fromkeys(rule.users for site in config.sites for rule in site.auth))
