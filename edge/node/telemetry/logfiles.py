"""The node's own log where ``twistd --logfile`` writes it: gone on with in a new file after a rotation."""

from __future__ import annotations

from twisted.logger import LogPublisher, globalLogPublisher
from twisted.python.logfile import LogFile


def reopen_log_files(publisher: LogPublisher = globalLogPublisher) -> None:
    """Have each file that *publisher* writes to opened anew by its name."""
    # twistd makes the observer and hands out neither it nor its file; there is no public way to them.
    for observer in publisher._observers:
        file = getattr(observer, "_outFile", None)
        if isinstance(file, LogFile):
            file.reopen()
