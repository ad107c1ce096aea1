"""The access log as workers get it: an open file, for they may not be able to open it themselves."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from edge.node.telemetry.accesslog import open_access_log

if TYPE_CHECKING:
    from edge.node.supervisor.configuration import Configuration


class AccessLogFile:
    """The file of the access log, open once for all workers (each line is appended whole)."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._path: str | None = None
        self._file: IO[str] | None = None
        #: The one before: perhaps on its way to a worker still.
        self._former: IO[str] | None = None

    def descriptor(self) -> int:
        """The file as it is configured now; :exc:`~edge.errors.ConfigError` if it cannot be opened."""
        path = self._configuration.current.access_log or "/dev/null"
        if path != self._path:
            self.reopen()
        if self._file is None:
            self._file, self._path = open_access_log(path), path
        return self._file.fileno()

    def reopen(self) -> None:
        """After the file was renamed: the next who asks gets a new one."""
        if self._former is not None:
            self._former.close()
        self._former, self._file, self._path = self._file, None, None
