"""The node's own log after a rotation."""

from __future__ import annotations

import os

from twisted.logger import LogPublisher, textFileLogObserver
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase

from edge.node.telemetry.logfiles import reopen_log_files


class LogFileTests(SynchronousTestCase):
    """:func:`edge.node.telemetry.logfiles.reopen_log_files`."""

    def test_what_twistd_writes_goes_on_under_the_old_name_after_a_rename(self) -> None:
        """As logrotate does it."""
        os.mkdir(self.mktemp_folder())
        file = LogFile("node.log", self.folder)  # type: ignore[no-untyped-call]
        publisher = LogPublisher(textFileLogObserver(file), lambda event: None)
        self.addCleanup(file.close)
        path = os.path.join(self.folder, "node.log")
        os.rename(path, path + ".old")
        reopen_log_files(publisher)
        file.write("later\n")
        with open(path) as new, open(path + ".old") as old:
            self.assertEqual((old.read(), new.read()), ("", "later\n"))

    def mktemp_folder(self) -> str:
        """A folder that is not there yet."""
        self.folder = self.mktemp()
        return self.folder
